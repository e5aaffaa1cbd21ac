from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest

from sandlot.bench import census

pytestmark = pytest.mark.linux

_PARENT = """
import subprocess, sys
child = subprocess.Popen([sys.executable, "-I", "-S", "-c", "input()"], stdin=sys.stdin)
print(child.pid, flush=True)
child.wait()
"""


def test_a_tree_is_counted_with_everything_beneath_it(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "file").touch()
    command = [sys.executable, "-I", "-S", "-c", _PARENT]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        child = int(process.stdout.readline())
        assert census.tree(process.pid) == (process.pid, child)
        found = asyncio.run(census.settled(process.pid, tmp_path, patience=2.0))
        private = census.private((process.pid, child))
        resident = census.resident(child)
        process.communicate(b"\n")
    assert (found.processes, found.files, found.cgroups) == (2, 2, 0)
    assert found.mounts == len(Path("/proc/self/mountinfo").read_text().splitlines())
    assert found.namespaces == 7
    assert found.descriptors >= 6
    assert private is not None
    assert resident > 2**20
    assert private > 2**19
    assert census.resident(child) == 0


def test_what_is_above_is_never_less_than_nothing() -> None:
    less = census.Counts(1, 1, 1, 1, 1, 1)
    more = census.Counts(2, 1, 0, 1, 5, 1)
    assert more.above(less) == {
        "processes": 1, "mounts": 0, "cgroups": 0, "namespaces": 0, "descriptors": 4, "files": 0,
    }  # fmt: skip


def test_the_machine_could_give_memory() -> None:
    assert 2**20 < census.available() < os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def test_nobody_holds_nothing() -> None:
    assert census.private((2**22 + 1,)) == 0
