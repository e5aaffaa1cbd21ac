"""A rehearsal leaves the process as it was: no child, no descriptor, no signal handler."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="boxes need Linux")

_NEST = {
    "preload": [],
    "plan": {
        "rlimits": {},
        "readable": ["/"],
        "writable": ["/tmp"],
        "network": "none",
        "walls": ["landlock", "seccomp"],
        "ipc": False,
    },
    "user": 1000,
    "group": 1000,
    "hostname": "box",
    "env": {},
    "scratch": 1,
    "disk": 1,
    "inodes": 1,
    "masked": [],
    "walls": [],
    "most": 1,
}

_PROGRAM = """
import os, signal, sys
from sandlot.guest import clones, descriptors, rehearsal
from sandlot.guest.nest import Nest
nest = Nest.parse(sys.argv[1])
before = descriptors.open_now()
rehearsal.rehearse(nest.without_walls(), clones.Cloner(exit_signal=17))
assert descriptors.open_now() == before, descriptors.open_now()
assert signal.getsignal(signal.SIGCHLD) == signal.SIG_DFL
assert nest.plan.walls == ("landlock", "seccomp")
try:
    os.waitpid(-1, os.WNOHANG)
    print("a child is left")
except ChildProcessError:
    print("as before")
"""


def test_a_rehearsal_leaves_nothing_behind() -> None:
    words = [sys.executable, "-c", _PROGRAM, json.dumps(_NEST)]
    ended = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    assert (ended.stdout, ended.stderr, ended.returncode) == ("as before\n", "", 0)
