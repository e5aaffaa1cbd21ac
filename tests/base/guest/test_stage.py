"""A stage that was left and is entered again knows what came meanwhile without looking at everything."""

from __future__ import annotations

import subprocess
import sys

_PROGRAM = """
import sys
from sandlot.guest.stage import Stage
import sched
stage = Stage("/nowhere")
stage.enter()
stage.leave()
import colorsys, sandlot.wire.lines
stage.look = lambda: sys.exit("it looked at all modules")
stage.enter()
left = [name for name in sys.modules if name.partition(".")[0] == "sandlot"]
import wave
print(left, [name for name in stage.before.modules_since(sys.modules) if name in ("colorsys", "wave")])
"""


def test_what_came_between_two_entrances_is_known_by_the_end_of_the_table() -> None:
    words = [sys.executable, "-c", _PROGRAM]
    ended = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    assert (ended.stdout, ended.stderr, ended.returncode) == ("[] ['wave']\n", "", 0)
