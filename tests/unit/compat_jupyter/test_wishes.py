from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import Any

import pytest

from sandlot.cli import arguments_jupyter
from sandlot.compat.jupyter.kernelspec import document
from sandlot.compat.jupyter.wishes import LEASE, Wishes, wishes_from
from sandlot.contracts.errors import InvalidSpec, Unsupported
from sandlot.contracts.spec import Mount, Network

HERE = Path("/home/somebody/notebooks")
EVERYTHING = Wishes(
    url="http://127.0.0.1:8080",
    engine="zygote",
    isolation="namespace",
    environment="system",
    image="python:3.11",
    network="none",
    memory="1Gi",
    cpu="0.5",
    pids="64",
    disk="64Mi",
    timeout="30s",
    workdir="sub",
    mounts=("data:/mnt/data", "/srv:/srv:rw"),
)


def test_command_line_and_metadata_of_a_kernelspec_say_the_same() -> None:
    spec = document(EVERYTHING, "Python", "/usr/bin/python3")
    start = spec["argv"].index("jupyter") + 1
    options = arguments_jupyter.jupyter().parse_args(spec["argv"][start:])
    told = {name: getattr(options, name) for name in arguments_jupyter.WISHES}
    config = spec["metadata"]["kernel_provisioner"]["config"]
    assert wishes_from(told) == wishes_from(config) == EVERYTHING
    assert options.file == "{connection_file}"


def test_what_was_not_said_is_not_in_the_kernelspec() -> None:
    assert Wishes().to_config() == {}
    assert Wishes().to_flags() == []


def test_without_an_address_the_sandbox_is_of_this_machine_whatever_the_settings_say(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SANDLOT_URL", "http://127.0.0.1:9")
    plan = Wishes(memory="512Mi", network="none").plan({}, HERE)
    assert plan.is_local
    assert plan.spec.limits.memory == 512 * 2**20
    assert plan.spec.network is Network.NONE
    assert plan.spec.mounts == ()
    assert plan.spec.ttl is None


def test_the_sandbox_of_a_server_is_leased() -> None:
    plan = Wishes(url="http://127.0.0.1:9").plan({}, HERE)
    assert not plan.is_local
    assert plan.spec.ttl == LEASE


def test_mounts_begin_at_the_notebook_and_are_read_only_unless_said() -> None:
    wishes = Wishes(mounts=("data:/mnt/data", "/srv/x:/srv:rw", ".:/notebook", "../up:/up"))
    assert wishes.plan({}, HERE).spec.mounts == (
        Mount("/home/somebody/notebooks/data", PurePosixPath("/mnt/data")),
        Mount("/srv/x", PurePosixPath("/srv"), writable=True),
        Mount("/home/somebody/notebooks", PurePosixPath("/notebook")),
        Mount("/home/somebody/up", PurePosixPath("/up")),
    )


@pytest.mark.parametrize(
    ("wishes", "why"),
    [
        (Wishes(url="http://127.0.0.1:9", mounts=("a:/b",)), "leave url or mounts out"),
        (Wishes(image="python:3.11"), "needs a server"),
    ],
)
def test_wishes_that_contradict_each_other_are_refused(wishes: Wishes, why: str) -> None:
    with pytest.raises(Unsupported, match=why):
        wishes.plan({}, HERE)


@pytest.mark.parametrize(
    ("config", "why"),
    [
        ({"key": "sl_secret"}, "SANDLOT_KEY"),
        ({"key_file": "/k"}, "others can read"),
        ({"memroy": "1Gi"}, "has no 'memroy'"),
        ({"mounts": "a:/b"}, "list of texts"),
        ({"mounts": [1]}, "list of texts"),
        ({"url": {}}, "text or a number"),
    ],
)
def test_config_that_cannot_be_is_refused(config: dict[str, Any], why: str) -> None:
    with pytest.raises(InvalidSpec, match=why) as caught:
        wishes_from(config)
    assert "sl_secret" not in str(caught.value)


@pytest.mark.parametrize("mount", ["data", "data:", ":/mnt", "data:mnt", "data:rw"])
def test_what_is_no_mount_is_refused(mount: str) -> None:
    with pytest.raises(InvalidSpec, match="not a mount"):
        Wishes(mounts=(mount,)).plan({}, HERE)
