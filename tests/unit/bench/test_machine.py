from __future__ import annotations

import os
import subprocess
import sys

import pytest

from sandlot.bench import machine, memory

pytestmark = pytest.mark.linux


def test_the_facts_name_no_host() -> None:
    facts = machine.examined()
    shown = repr(facts)
    assert facts.cores >= 1
    assert facts.memory > 2**20
    assert os.uname().nodename not in shown
    assert facts.kernel.split()[0] == "Linux"
    assert "/" not in shown


@pytest.mark.parametrize(
    ("release", "kept"),
    [("6.1.0", "6.1.0"), ("6.1.0-13-amd64", "6.1.0"), ("6.18.5+host.example", "6.18.5")],
)
def test_of_the_kernel_only_the_upstream_version_is_told(release: str, kept: str) -> None:
    assert machine._upstream(release) == kept


def test_load_has_three_averages() -> None:
    assert len(machine.load()) == 3


_GROWS = """
import sys
print("ready", flush=True)
sys.stdin.readline()
held = bytearray(32 * 2**20)
held[::4096] = b"x" * len(held[::4096])
del held
print("done", flush=True)
sys.stdin.readline()
"""


def test_the_peak_of_a_process_is_counted_from_the_begin() -> None:
    command = [sys.executable, "-I", "-S", "-c", _GROWS]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        before = memory.begin(process.pid)
        process.stdin.write(b"\n")
        assert process.stdout.readline() == b"done\n"
        peak = memory.peak(process.pid)
        again = memory.begin(process.pid)
        assert before is not None
        assert again is not None
        # The kernel counts pages in batches (proc_pid_status(5)), so the numbers are good to about a MiB.
        assert 30 * 2**20 <= peak - before < 64 * 2**20
        assert memory.peak(process.pid) - again < 4 * 2**20


def test_the_peak_of_nobody_cannot_be_counted() -> None:
    assert memory.begin(None) is None
    assert memory.begin(2**22 + 1) is None
