"""`sandlot --help` answers at once: nothing of the engines is loaded for it."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from pathlib import Path

import pytest

# 150 ms on a machine where a bare interpreter takes 12 ms; a ratio holds on a slower one as well.
MOST_TIMES_BARE = 12.5
ROUNDS = 9


def _seconds(*command: str) -> float:
    started = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - started


@pytest.mark.timeout(60)
def test_help_is_cheap_against_a_bare_interpreter() -> None:
    bare = (str(Path(sys.executable).resolve()), "-I", "-S", "-c", "pass")
    shown = (sys.executable, "-m", "sandlot.cli.main", "--help")
    pairs = [(_seconds(*bare), _seconds(*shown)) for _ in range(ROUNDS)]
    bare_time, help_time = (statistics.median(times) for times in zip(*pairs, strict=True))
    assert help_time <= MOST_TIMES_BARE * bare_time, (
        f"{help_time * 1000:.0f} ms, bare {bare_time * 1000:.0f} ms"
    )
