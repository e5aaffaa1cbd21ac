from __future__ import annotations

import os

import pytest

from sandlot.keeper.cgroups import Owner, owner_in, this_owner


def test_a_group_tells_its_owner() -> None:
    owner = Owner(4026531836, 12, 3456)
    assert owner_in(owner.name_of(7)) == owner


@pytest.mark.parametrize(
    "name",
    [
        "", "sandlot", "sandlot-1-2-3", "sandlot-1-2-3-4-5", "sandlot-1-2-x-4", "sandlot--2-3-4",
        "sandbox-1-2-3-4", "sandlot-1-2-3-\u0664", "user.slice",
    ],
)  # fmt: skip
def test_groups_of_others_have_no_owner(name: str) -> None:
    assert owner_in(name) is None


def test_this_process_is_an_owner_with_a_start() -> None:
    proc = os.open("/proc", os.O_RDONLY | os.O_DIRECTORY)
    owner = this_owner(proc)
    os.close(proc)
    assert owner.pid == os.getpid()
    assert owner.started > 0
    assert owner.pid_namespace == os.stat("/proc/self/ns/pid").st_ino
