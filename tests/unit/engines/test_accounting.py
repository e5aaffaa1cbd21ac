"""What a program used is counted by the kernel, whatever the program does with its children."""

from __future__ import annotations

import pytest

import sandlot
from tests.unit.local.machine import obstacle

pytestmark = [pytest.mark.engine, pytest.mark.needs_engine("bubblewrap"), pytest.mark.timeout(30)]

# Children of a process that ignores SIGCHLD are reaped by the kernel, and wait4(2) never counts them.
_UNSEEN = """
import os, signal, time
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
if os.fork() == 0:
    held = bytearray(100 * 2**20)
    while time.process_time() < 0.5:
        pass
    os._exit(0)
try:
    os.wait()
except ChildProcessError:
    pass
"""


def test_children_nobody_waits_for_are_counted() -> None:
    if obstacle() is not None:
        pytest.skip("bubblewrap does not work here")
    result = sandlot.run(_UNSEEN)
    assert result.ok
    if "cgroup.memory" not in result.enforced:
        return  # an ordinary user without a delegated group: nothing but wait4(2) counts there
    assert result.cpu_seconds > 0.4
    assert result.memory_peak > 90 * 2**20
