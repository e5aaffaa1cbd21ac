from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandlot.contracts.errors import InvalidSpec
from sandlot.contracts.paths import identifier
from sandlot.keeper.launch import KeptMount, Launch, Powers, Refusal, WorkspaceMount, objection

ALL = Powers(
    uid_switch=True,
    pid_namespace=True,
    workspace=True,
    controllers=frozenset({"memory", "cpu", "pids"}),
)
NONE = Powers(
    uid_switch=False,
    pid_namespace=False,
    workspace=False,
    controllers=frozenset(),
    missing=("this machine is bare",),
)

PLAIN_USER = replace(ALL, uid_switch=False)


@pytest.mark.parametrize(
    "wrong",
    [
        {"argv": ()},
        {"argv": ("sh",)},
        {"argv": ("/bin/sh", "a\0b")},
        {"argv": ["/bin/sh"]},
        {"argv": ("/bin/sh", 1)},
        {"argv": ("/bin/ls", "{workspace}")},
        {"env": {"A=B": "c"}},
        {"env": {"": "c"}},
        {"env": {"A": "c\0"}},
        {"env": {"A": 1}},
        {"identity": "root"},
        {"memory": 0},
        {"memory": True},
        {"memory": 1.5},
        {"cpu": 0},
        {"cpu": float("nan")},
        {"cpu": float("inf")},
        {"cpu": "1"},
        {"pids": -1},
        {"rlimits": {"NOFILE": 1}},
        {"rlimits": {"nofile": -1}},
        {"rlimits": {"__class__": 1}},
        {"rlimits": {"unheard": 1}},
        {"workspace": {"bytes": 1, "inodes": 1}},
        {"kept": {"name": "w", "kind": "image"}},
        {"kept": "w"},
        {"extra_fds": (2,)},
        {"extra_fds": (3, 3)},
        {"extra_fds": (256,)},
        {"extra_fds": tuple(range(3, 17))},
    ],
)
def test_a_launch_that_cannot_be_right_is_never_made(wrong: dict[str, Any]) -> None:
    with pytest.raises(Refusal) as refused:
        Launch(**{"argv": ("/bin/true",), **wrong})
    assert refused.value.code == "invalid"


@pytest.mark.parametrize(("size", "inodes"), [(0, 1), (1, 0), (-1, 1), (1.5, 1), (True, 1)])
def test_a_workspace_without_a_bound_is_never_made(size: Any, inodes: Any) -> None:
    with pytest.raises(Refusal):
        WorkspaceMount(size, inodes)


@pytest.mark.parametrize(
    "name", ["", ".", "..", ".w", "-w", "a/b", "/a", "a\n", "a\0", "\u0663", "x" * 129, None, 7, b"w"]
)
def test_a_kept_workspace_has_a_name_and_never_a_path(name: Any) -> None:
    with pytest.raises(Refusal):
        KeptMount(name, "image")


@pytest.mark.parametrize("kind", ["memory", "", None, "IMAGE"])
def test_a_kept_workspace_of_no_known_kind_is_never_made(kind: Any) -> None:
    with pytest.raises(Refusal):
        KeptMount("w", kind)


@given(st.text(max_size=140) | st.from_regex(r"[A-Za-z0-9._-]{0,130}", fullmatch=True))
def test_a_workspaces_name_is_what_contracts_say_an_identifier_is(name: str) -> None:
    try:
        identifier(name)
        is_right = True
    except InvalidSpec:
        is_right = False
    try:
        KeptMount(name, "directory")
        assert is_right
    except Refusal:
        assert not is_right


@pytest.mark.parametrize(
    ("launch", "powers", "is_root", "named"),
    [
        (Launch(("/x",), memory=1), NONE, True, "memory limit 1"),
        (Launch(("/x",), cpu=0.5), NONE, True, "cpu limit 0.5"),
        (Launch(("/x",), pids=3), NONE, False, "pids limit 3"),
        (Launch(("/x",), workspace=WorkspaceMount(4096, 8)), NONE, False, "workspace of 4096 bytes"),
        (Launch(("/x",), kept=KeptMount("w", "directory")), NONE, False, "kept workspace 'w'"),
        (Launch(("/x",), kept=KeptMount("w", "image")), PLAIN_USER, False, "only root may mount"),
        (Launch(("/x",), identity="box"), NONE, False, "identity box"),
        (Launch(("/x",), identity="own"), ALL, True, "as root"),
        (Launch(("/x",), identity="own"), NONE, True, "as root"),
    ],
)
def test_what_cannot_be_enforced_is_objected_to_by_name(
    launch: Launch, powers: Powers, is_root: bool, named: str
) -> None:
    why = objection(launch, powers, is_root=is_root)
    assert why is not None
    assert named in why


def test_the_reason_why_a_power_is_missing_is_told() -> None:
    assert "this machine is bare" in str(objection(Launch(("/x",), memory=1), NONE, is_root=False))


def test_what_can_be_enforced_is_not_objected_to() -> None:
    everything = Launch(("/x",), memory=1, cpu=1, pids=1, workspace=WorkspaceMount(1, 1))
    assert objection(everything, ALL, is_root=True) is None
    assert objection(Launch(("/x",), identity="own"), NONE, is_root=False) is None
