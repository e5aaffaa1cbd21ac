from __future__ import annotations

from pathlib import PurePosixPath

import pytest

from sandlot import settings
from sandlot.contracts.errors import Forbidden
from sandlot.contracts.spec import Isolation, KeptWorkspace, Mount, Network, SandboxSpec, WorkspaceKind
from sandlot.server.policy import admit

USUAL = settings.load({}, {"HOME": "/h"}, [])
LENIENT = settings.load({"allow_process": True, "allow_network": True}, {"HOME": "/h"}, [])
MOUNT = Mount("/etc", PurePosixPath("/etc"))


@pytest.mark.parametrize(
    ("spec", "usual", "lenient"),
    [
        (SandboxSpec(), True, True),
        (SandboxSpec(engine="bubblewrap"), True, True),
        (SandboxSpec(isolation=Isolation.VM), True, True),
        (SandboxSpec(engine="bubblewrap", isolation=Isolation.PROCESS), True, True),
        (SandboxSpec(engine="process"), False, True),
        (SandboxSpec(engine="process", isolation=Isolation.VM), False, True),
        (SandboxSpec(isolation=Isolation.PROCESS), False, True),
        (SandboxSpec(engine="remote"), False, False),
        (SandboxSpec(network=Network.NONE), True, True),
        (SandboxSpec(mounts=(MOUNT,)), False, False),
        (SandboxSpec(workspace=KeptWorkspace("w", WorkspaceKind.DIRECTORY)), False, False),
    ],
)
def test_what_may_be_asked_over_http(spec: SandboxSpec, usual: bool, lenient: bool) -> None:
    for chosen, allowed in ((USUAL, usual), (LENIENT, lenient)):
        if allowed:
            assert admit(spec, chosen) is spec
        else:
            with pytest.raises(Forbidden):
                admit(spec, chosen)


def test_a_server_that_stands_before_another_one_says_so_itself() -> None:
    forwarding = settings.load({"engine": "remote"}, {"HOME": "/h"}, [])
    assert admit(SandboxSpec(engine="remote"), forwarding) == SandboxSpec(engine="remote")


@pytest.mark.parametrize("usual", [{"engine": "process"}, {"isolation": "process"}])
def test_what_the_operator_usually_wants_takes_no_wall_down_over_http(usual: dict[str, object]) -> None:
    with pytest.raises(Forbidden, match="--allow-process"):
        admit(SandboxSpec(), settings.load(usual, {"HOME": "/h"}, []))
    stronger = SandboxSpec(engine="bubblewrap")
    assert admit(stronger, settings.load(usual, {"HOME": "/h"}, [])) is stronger
    lenient = settings.load({**usual, "allow_process": True}, {"HOME": "/h"}, [])
    assert admit(SandboxSpec(), lenient) == SandboxSpec()


def test_nobody_spends_the_operators_key_at_another_server() -> None:
    flags = {"url": "http://127.0.0.1:1"}
    with pytest.raises(Forbidden, match="own key"):
        admit(SandboxSpec(engine="remote"), settings.load(flags, {"HOME": "/h"}, []))
    chosen = settings.load({**flags, "engine": "remote"}, {"HOME": "/h"}, [])
    assert admit(SandboxSpec(engine="remote"), chosen) == SandboxSpec(engine="remote")


@pytest.mark.parametrize(
    ("flags", "uid", "allowed"),
    [
        ({}, 1000, False),
        ({"host": "localhost"}, 1000, False),
        ({"auth": "local", "host": "::1"}, 1000, False),
        ({"auth": "keys"}, 1000, True),
        ({"unix": "/run/s.sock"}, 1000, True),
        ({"host": "192.0.2.1"}, 1000, True),
        ({}, 0, True),
    ],
)
def test_a_program_on_the_hosts_network_never_passes_as_the_operator(
    flags: dict[str, object], uid: int, allowed: bool
) -> None:
    asked = SandboxSpec(network=Network.FULL)
    chosen = settings.load({**flags, "allow_network": True}, {"HOME": "/h"}, [])
    if allowed:
        assert admit(asked, chosen, uid) is asked
        return
    with pytest.raises(Forbidden, match="--auth keys"):
        admit(asked, chosen, uid)
    assert admit(SandboxSpec(network=Network.NONE), chosen, uid) == SandboxSpec(network=Network.NONE)


def test_the_hosts_network_is_the_operators_to_allow() -> None:
    asked = SandboxSpec(network=Network.FULL)
    with pytest.raises(Forbidden, match="--allow-network"):
        admit(asked, USUAL, 0)
    assert admit(asked, LENIENT, 0) is asked
