from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Any, AsyncIterator, Callable, Dict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandlot.contracts.command import Command
from sandlot.contracts.errors import InvalidSpec, Unsupported
from sandlot.contracts.handler import Handler
from sandlot.contracts.quantity import Bytes, Cores
from sandlot.contracts.service import RunRequest
from sandlot.contracts.spec import DEFAULT_TIMEOUT, KeptWorkspace, Limits, Mount, SandboxSpec, WorkspaceKind
from sandlot.wire import json_object
from sandlot.wire.values import (
    body_of,
    command_from,
    command_to_json,
    object_from,
    run_from,
    run_to_json,
    size_from,
    spec_from,
    spec_to_json,
)
from tests.base.wire.hostile_json import commands, json_values, near, objects, specs, texts

SPEC_FIELDS = ("ttlSeconds", "image", "environment", "isolation", "engine", "network", "env", "limits")
ALIASES = ("cpuLimit", "memoryLimit", "ephemeralStorageLimit")
COMMAND_FIELDS = (
    "cmd",
    "code",
    "workdir",
    "env",
    "timeoutSeconds",
    "stdin",
    "stdinBase64",
    "stdinStream",
    "tty",
    "handler",
    "event",
)
SOUND_SPEC: Dict[str, Any] = {
    "ttlSeconds": 5,
    "environment": "default",
    "limits": {"memory": "1Gi", "cpu": 1, "pids": 5},
    "env": {"A": "b"},
    "memoryLimit": "1Gi",
}
SOUND_COMMAND: Dict[str, Any] = {
    "cmd": ["ls"],
    "workdir": "a",
    "timeoutSeconds": 1.5,
    "tty": {},
    "outputLimit": 5,
}


SOUND_CALL: Dict[str, Any] = {"code": "1", "handler": "handler", "event": {"a": [1]}}


def carried(value: Dict[str, Any]) -> Dict[str, Any]:
    """*value* as the other side reads it."""
    return object_from(json_object.render(value))


@given(specs)
def test_a_spec_arrives_as_it_was_asked(spec: SandboxSpec) -> None:
    assert spec_from(carried(spec_to_json(spec))) == spec


@given(commands())
def test_a_command_arrives_as_it_was_asked(command: Command) -> None:
    asked = command_from(carried(command_to_json(command)))
    assert asked.command == command
    assert not asked.streams_stdin


@given(
    commands(),
    specs,
    st.dictionaries(texts.filter(lambda name: name not in {"", ".", ".."}), st.binary(max_size=9)),
)
def test_a_run_arrives_as_it_was_asked(command: Command, spec: SandboxSpec, files: Dict[str, bytes]) -> None:
    files = {name.replace("..", "x"): content for name, content in files.items()}
    request = RunRequest(command, spec, files)
    found = run_from(carried(run_to_json(request)))
    assert found.command == replace(command, env=spec.environ(command.env))
    assert found.spec == replace(spec, env={})
    assert found.files == files


@pytest.mark.parametrize(
    ("read", "values"),
    [
        (spec_from, objects(*SPEC_FIELDS, *ALIASES) | near(SOUND_SPEC)),
        (command_from, objects(*COMMAND_FIELDS) | near(SOUND_COMMAND) | near(SOUND_CALL)),
        (
            run_from,
            objects(*SPEC_FIELDS, *COMMAND_FIELDS, "files", "filesBase64")
            | near({**SOUND_SPEC, "cmd": ["ls"]}),
        ),
        (size_from, objects("rows", "columns")),
    ],
)
def test_whatever_comes_is_read_or_refused_as_invalid(
    read: Callable[[object], object], values: st.SearchStrategy[object]
) -> None:
    @given(values | json_values)
    def attempt(value: object) -> None:
        with suppress(InvalidSpec):
            read(value)

    attempt()


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ({"ttlSeconds": "5"}, "ttlSeconds must be a number"),
        ({"ttlSeconds": 0}, "ttlSeconds"),
        ({"ttlSeconds": True}, "ttlSeconds"),
        ({"mounts": []}, "unknown field 'mounts'"),
        ({"workspace": {}}, "unknown field 'workspace'"),
        ({"limits": {"memroy": 5}}, "unknown field 'memroy' in limits"),
        ({"limits": {"pids": "5"}}, "limits.pids must be a whole number"),
        ({"limits": {"pids": 0}}, "limits.pids 0 is out of range"),
        ({"limits": {"memory": "much"}}, "limits.memory"),
        ({"limits": {"memory": "1Gi"}, "memoryLimit": "2Gi"}, "limits.memory and memoryLimit differ"),
        ({"image": "-x"}, "image is wrong: '-x' is not the name of a container image"),
        ({"image": "a", "environment": "b"}, "image 'a' and an environment are given"),
        ({"network": "some"}, "network"),
        ({"isolation": 4}, "isolation must be text"),
        ({"env": {"A": 1}}, "env must be an object of texts"),
        ({"env": {"A B": "1"}}, "env"),
    ],
)
def test_a_wrong_spec_is_refused_with_the_fields_name(value: Dict[str, Any], why: str) -> None:
    with pytest.raises(InvalidSpec) as refused:
        spec_from(value)
    assert why in refused.value.message


def test_secrets_are_not_shown_in_refusals() -> None:
    for env in ({"A B": "hush"}, {"A": "hush\0"}, {"A": ["hush"]}):
        with pytest.raises(InvalidSpec) as refused:
            spec_from({"env": env})
        assert "hush" not in refused.value.message


def test_noxrunners_names_mean_limits() -> None:
    asked = spec_from({"cpuLimit": "500m", "memoryLimit": "512Mi", "ephemeralStorageLimit": "1Gi"})
    assert asked == SandboxSpec(limits=Limits(Bytes(512 * 2**20), Cores(0.5), disk=Bytes(2**30)))
    assert spec_from({"memoryLimit": "1Gi", "limits": {"memory": 2**30}}).limits.memory == 2**30


def test_an_image_travels_by_its_name() -> None:
    for name in ("data", "python:3.12", "ghcr.io/some/image@sha256:0123"):
        assert spec_to_json(SandboxSpec(image=name)) == {"image": name}
        assert spec_from({"image": name}) == SandboxSpec(image=name)


def test_what_is_null_or_left_out_was_not_given() -> None:
    assert spec_from(dict.fromkeys(SPEC_FIELDS)) == SandboxSpec()
    assert spec_to_json(SandboxSpec()) == {}


def test_what_is_of_the_host_is_not_asked_of_a_server() -> None:
    kept = KeptWorkspace("a", WorkspaceKind.DIRECTORY)
    for spec in (SandboxSpec(mounts=(Mount("/", PurePosixPath("/h")),)), SandboxSpec(workspace=kept)):
        with pytest.raises(Unsupported):
            spec_to_json(spec)


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ({}, "cmd or code is missing"),
        ({"cmd": ["ls"], "code": ""}, "exclude each other"),
        ({"cmd": []}, "cmd is empty"),
        ({"cmd": [""]}, "first word is empty"),
        ({"cmd": ["ls", 1]}, "cmd"),
        ({"cmd": "ls"}, "cmd must be a list"),
        ({"code": "\ud800"}, "code"),
        ({"code": "", "workdir": "../.."}, "workdir"),
        ({"code": "", "timeoutSeconds": "5"}, "timeoutSeconds must be a number"),
        ({"code": "", "timeoutSeconds": 0}, "timeoutSeconds"),
        ({"code": "", "timeoutSeconds": 10**9}, "timeoutSeconds"),
        ({"code": "", "stdin": "a", "stdinBase64": ""}, "exclude each other"),
        ({"code": "", "stdin": "a", "stdinStream": True}, "exclude each other"),
        ({"code": "", "stdinBase64": "?"}, "stdinBase64"),
        ({"code": "", "tty": {"rows": 0}}, "tty.rows"),
        ({"code": "", "background": True}, "unknown field 'background'"),
        ({"code": "", "env": {"A": None}}, "env"),
    ],
)
def test_a_wrong_command_is_refused_with_the_fields_name(value: Dict[str, Any], why: str) -> None:
    with pytest.raises(InvalidSpec) as refused:
        command_from(value)
    assert why in refused.value.message


def test_a_command_has_a_timeout_unless_it_is_null() -> None:
    assert command_from({"code": ""}).command.timeout == DEFAULT_TIMEOUT
    assert command_from({"code": "", "timeoutSeconds": None}).command.timeout is None


def test_a_handlers_context_stays_at_home() -> None:
    with pytest.raises(Unsupported, match="put it into the event"):
        command_to_json(Command(code="", handler=Handler(context={"tenant": 7})))
    with pytest.raises(Unsupported, match="exit codes"):
        command_to_json(Command(code="", handler=Handler(raised=2)))


def test_what_json_has_no_form_for_is_refused() -> None:
    with pytest.raises(InvalidSpec, match="cannot be written"):
        body_of({"ttlSeconds": float("nan")})


async def _words() -> AsyncIterator[bytes]:
    yield b"words"


def test_a_stream_as_input_is_announced_and_comes_later() -> None:
    told = command_to_json(Command(code="", stdin=_words()))
    assert told["stdinStream"] is True
    asked = command_from(told)
    assert (asked.streams_stdin, asked.command.stdin) == (True, None)


def test_a_run_takes_its_input_whole() -> None:
    with pytest.raises(InvalidSpec, match="whole"):
        run_to_json(RunRequest(Command(code="", stdin=_words())))
    with pytest.raises(InvalidSpec, match="stdinStream"):
        run_from({"code": "", "stdinStream": True})


def test_a_run_refuses_files_twice_and_files_elsewhere() -> None:
    with pytest.raises(InvalidSpec, match="give it once"):
        run_from({"code": "", "files": {"a": ""}, "filesBase64": {"a": ""}})
    with pytest.raises(InvalidSpec, match="files"):
        run_from({"code": "", "files": {"../a": ""}})
