"""What people ask for, as values; nothing is opened."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, Dict

import pytest

import sandlot
from sandlot.client.address import server
from sandlot.client.pieces import Pieces
from sandlot.contracts.errors import InvalidSpec, NotFound, PathEscape, Unsupported
from sandlot.contracts.quantity import Bytes, Seconds
from sandlot.contracts.spec import Limits, Network, SandboxSpec
from sandlot.sdk import plans
from sandlot.settings import DEFAULT_URL


@pytest.fixture(autouse=True)
def _alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No settings but those a test makes."""
    for name in ("URL", "KEY", "MEMORY", "ENVIRONMENT"):
        monkeypatch.delenv(f"SANDLOT_{name}", raising=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))


def test_only_what_somebody_chose_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    assert plans.remote_plan(None, None, None, {}).spec == SandboxSpec()
    plan = plans.remote_plan(None, None, None, {"memory": "1Gi"})
    assert plan.spec == SandboxSpec(limits=Limits(memory=Bytes(2**30)))
    monkeypatch.setenv("SANDLOT_ENVIRONMENT", "data")
    chosen = plans.remote_plan(None, {"A": "1"}, "5m", {"network": "full"}).spec
    wanted = SandboxSpec(environment="data", network=Network.FULL, env={"A": "1"}, ttl=Seconds(300.0))
    assert chosen == wanted


def test_an_image_is_asked_instead_of_the_settings_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SANDLOT_ENVIRONMENT", "data")
    assert plans.remote_plan(None, None, None, {}, "python:3.11").spec == SandboxSpec(image="python:3.11")
    for flags, image in (({"environment": "other"}, "python:3.11"), ({}, "no image")):
        with pytest.raises(InvalidSpec, match="image"):
            plans.remote_plan(None, None, None, flags, image)


def test_a_name_of_ones_own_is_kept_and_one_of_ours_is_not() -> None:
    named, unnamed = plans.remote_plan("mine", None, None, {}), plans.remote_plan(None, None, None, {})
    assert (named.id, named.is_ours) == ("mine", False)
    assert unnamed.is_ours
    assert unnamed.id != plans.remote_plan(None, None, None, {}).id


@pytest.mark.parametrize(
    "asked", [{"id": "a/b"}, {"ttl": "never"}, {"env": {"A B": ""}}, {"nonsense": 1}, {"url": "http://u:p@h"}]
)
def test_what_cannot_be_is_refused(asked: Dict[str, Any]) -> None:
    with pytest.raises(InvalidSpec):
        sandlot.Sandbox.connect(**asked)


def test_the_server_is_the_one_of_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    assert server(None, None).url == DEFAULT_URL
    monkeypatch.setenv("SANDLOT_URL", "http://h:1")
    monkeypatch.setenv("SANDLOT_KEY", "sl_secret")
    found = server(None, None)
    assert (found.url, found.key) == ("http://h:1", "sl_secret")
    assert "sl_secret" not in repr(found)
    assert server("http://other:2", "sl_else").key == "sl_else"


def test_a_program_becomes_a_command() -> None:
    program = plans.Program(argv=["cat"], stdin="text", env={"A": "1"}, workdir="a")
    command = plans.command_for(program, "2s", None)
    assert (command.argv, command.stdin) == (("cat",), b"text")
    assert (str(command.workdir), command.timeout) == ("/workspace/a", Seconds(2.0))
    assert plans.command_for(plans.Program("1"), None, Seconds(9.0)).timeout == Seconds(9.0)
    assert isinstance(plans.command_for(plans.Program("1", stdin=[b"a"]), None, None).stdin, Pieces)
    with pytest.raises(InvalidSpec):
        plans.command_for(plans.Program(), None, None)
    with pytest.raises(PathEscape):
        plans.command_for(plans.Program("1", workdir="../x"), None, None)


def test_an_async_sandbox_that_was_never_awaited_says_so() -> None:
    box = sandlot.AsyncSandbox.connect("http://127.0.0.1:1")
    with pytest.raises(NotFound, match="never awaited"):
        box.touch().send(None)
    with pytest.raises(NotFound, match="never awaited"):
        box.run("1").send(None)


@pytest.mark.skipif(sys.version_info >= (3, 11), reason="local sandboxes work from Python 3.11 on")
def test_local_sandboxes_say_which_python_they_need() -> None:
    with pytest.raises(Unsupported, match=r"need Python 3\.11"):
        sandlot.Sandbox.local()
