from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from subprocess import PIPE

import pytest

from sandlot.keeper import census

RENAMED = "echo ') R 1 1' > /proc/self/comm; echo; read line"


@pytest.fixture
def proc() -> Iterator[int]:
    descriptor = os.open("/proc", os.O_RDONLY | os.O_DIRECTORY)
    yield descriptor
    os.close(descriptor)


def test_a_living_process_has_a_start_and_a_parent(proc: int) -> None:
    with subprocess.Popen(["/bin/cat"], stdin=PIPE) as child:
        assert child.pid in census.children(proc, os.getpid())
        assert (census.start_time(proc, child.pid) or 0) >= (census.start_time(proc, os.getpid()) or 0) > 0
    assert child.pid not in census.children(proc, os.getpid())
    assert census.start_time(proc, child.pid) is None


def test_a_zombie_counts_as_dead(proc: int) -> None:
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    assert census.start_time(proc, pid) is None
    os.waitpid(pid, 0)


def test_a_name_full_of_brackets_confuses_nobody(proc: int) -> None:
    with subprocess.Popen(["/bin/sh", "-c", RENAMED], stdin=PIPE, stdout=PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        assert child.pid in census.children(proc, os.getpid())
        assert (census.start_time(proc, child.pid) or 0) > 1
        child.communicate()


def test_the_uids_of_the_living_include_ours(proc: int) -> None:
    assert os.getuid() in census.living_uids(proc)
    assert 2**31 - 7 not in census.living_uids(proc)
