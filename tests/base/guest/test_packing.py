"""Packing leaves hardly a gap in the memory that a fork will allocate from."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="boxes need Linux")

_PROGRAM = """
import os
from sandlot.guest import packing
holes = [bytes(100) for _ in range(20000)]
del holes[::2]
before = packing._free_blocks()
descriptors = os.listdir("/proc/self/fd")
packing.pack()
assert len(os.listdir("/proc/self/fd")) == len(descriptors)
after = packing._free_blocks()
print(not before or (before[144] > 9000 and after[144] < 500 and sum(after.values()) < 4000))
"""


def test_gaps_are_filled_and_nothing_else_is_touched() -> None:
    words = [sys.executable, "-c", _PROGRAM]
    ended = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    assert (ended.stdout, ended.stderr, ended.returncode) == ("True\n", "", 0)
