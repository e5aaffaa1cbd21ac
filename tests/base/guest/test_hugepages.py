"""Memory is joined to huge pages where the kernel can, and is what it was."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="boxes need Linux")

_PROGRAM = """
import mmap, os
from sandlot.guest import hugepages

def joined():
    with open("/proc/self/smaps_rollup") as rollup:
        return sum(int(line.split()[1]) for line in rollup if line.startswith("AnonHugePages"))

memory = mmap.mmap(-1, 8 * 2**20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
for place in range(0, len(memory), 4096):
    memory[place] = place // 4096 % 251
before, descriptors = joined(), os.listdir("/proc/self/fd")
hugepages.collapse()
assert [memory[place] for place in range(0, len(memory), 4096)] == [n % 251 for n in range(2048)]
assert len(os.listdir("/proc/self/fd")) == len(descriptors)
print("joined" if joined() >= before + 4096 else "left alone")
"""


def test_memory_is_joined_and_is_what_it_was() -> None:
    words = [sys.executable, "-c", _PROGRAM]
    ended = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    assert (ended.stderr, ended.returncode) == ("", 0)
    if ended.stdout == "left alone\n":
        pytest.skip("this kernel joins no memory when it is asked to (MADV_COLLAPSE)")
    assert ended.stdout == "joined\n"
