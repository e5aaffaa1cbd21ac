"""Finding and ending descendants, tried in a process of its own that is their subreaper."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.base.guest.driver import ROOT

_PRELUDE = """
import os, sys, time
sys.path.insert(0, sys.argv[1])
from sandlot.guest import descendants
from sandlot.walls import session
session.adopt_orphans()

def sleeper(depth):
    '''A chain of sleepers, each leading a session of its own; its own parent has gone when depth is odd.'''
    if os.fork() == 0:
        os.setsid()
        if depth:
            sleeper(depth - 1)
            if depth % 2:
                os._exit(0)
        os.write(1, b'.')
        time.sleep(60)
        os._exit(0)
"""


def _tried(program: str) -> str:
    done = subprocess.run(
        [sys.executable, "-I", "-c", _PRELUDE + program, ROOT], capture_output=True, check=False, timeout=30
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode().replace(".", "").strip()


def test_children_are_the_same_by_both_ways_of_looking() -> None:
    program = (
        "for _ in range(5): sleeper(0)\n"
        "found = descendants.children()\n"
        "print(len(found), sorted(found) == sorted(descendants._scanned(os.getpid())))\n"
        "descendants.kill_children()\n"
        "for _ in range(5): os.waitpid(-1, 0)\n"
        "print(descendants.children())"
    )
    assert _tried(program) == "5 True\n[]"


@pytest.mark.parametrize("way", ["kill_children", "kill_tree"])
def test_round_after_round_reaches_everything(way: str) -> None:
    program = (
        "for _ in range(4): sleeper(5)\n"
        "while True:\n"
        f"    descendants.{way}()\n"
        "    try: os.waitpid(-1, 0)\n"
        "    except ChildProcessError: break\n"
        "print('childless')"
    )
    assert _tried(program) == "childless"


@pytest.mark.parametrize("way", ["kill_children", "kill_tree"])
def test_the_spared_are_left_alone(way: str) -> None:
    program = (
        "sleeper(0); spared = set(descendants.children()); sleeper(0)\n"
        f"descendants.{way}(spared)\n"
        "time.sleep(0.1); os.waitpid(-1, 0)\n"
        "print(set(descendants.children()) == spared); descendants.kill_children()"
    )
    assert _tried(program) == "True"
