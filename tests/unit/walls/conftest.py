"""Walls are put up for good, so every test of a real one runs in a forked child."""

from __future__ import annotations

import json
import os
import select
import signal
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sandlot.walls import session
from sandlot.walls.syscalls import prctl

if sys.platform != "linux":
    pytest.skip("walls are made of Linux system calls", allow_module_level=True)

NOBODY = 65534
SECONDS = 20

Forked = Callable[..., Any]


@pytest.fixture
def forked() -> Forked:
    return run_forked


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory anyone may use; pytest's own are closed to other users."""
    with tempfile.TemporaryDirectory() as made:
        os.chmod(made, 0o777)  # noqa: S103
        yield Path(made)


def run_forked(function: Callable[[], object], *, as_user: bool = False) -> Any:
    """What `function` returned in a child of this process, by way of JSON; its exception fails the test.

    as_user: a child of root becomes an ordinary user first; other users stay who they are.
    """
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        report(function, writer, as_user=as_user)
    os.close(writer)
    try:
        answer = read_all(reader)
    finally:
        os.close(reader)
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
    assert answer, f"the child ended without an answer, wait status {status}"
    outcome = json.loads(answer)
    assert "failure" not in outcome, outcome["failure"]
    return outcome["value"]


def report(function: Callable[[], object], writer: int, *, as_user: bool) -> None:
    try:
        if as_user and os.getuid() == 0:
            os.setgroups([])
            os.setresgid(NOBODY, NOBODY, NOBODY)
            os.setresuid(NOBODY, NOBODY, NOBODY)
            prctl(
                session.PR_SET_DUMPABLE, 1
            )  # a change of uid clears it, and with it the right to one's own /proc
        outcome = {"value": function()}
    except BaseException:  # noqa: BLE001 - the edge of the process: pytest must not go on in the child
        outcome = {"failure": traceback.format_exc()}
    os.write(writer, json.dumps(outcome).encode())
    os._exit(0)


def read_all(reader: int) -> bytes:
    collected = b""
    while True:
        ready, _, _ = select.select([reader], [], [], SECONDS)
        assert ready, f"no answer in {SECONDS} s"
        piece = os.read(reader, 65536)
        if not piece:
            return collected
        collected += piece
