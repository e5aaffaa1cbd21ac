"""Children made past os.fork are whole processes, and draw numbers of their own."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any, Dict

import pytest

from sandlot.guest.nest import Nest
from tests.base.guest.driver import PLAN, ROOT

# The children tell through a pipe; a parent that fails leaves none behind: they die with it.
OPENING = """
import json, os, signal, sys
sys.path.insert(0, sys.argv[1])
from sandlot.guest import clones, reseed
from sandlot.walls import session

def told(function, flags=0, cloner=None):
    cloner = cloner or clones.Cloner(exit_signal=17)
    reading, writing = os.pipe()
    me = os.getpid()
    pid = cloner.clone(flags)
    if pid == 0:
        try:
            if not flags & clones.PARENT:
                session.die_with_parent(me)
            os.write(writing, json.dumps(function()).encode())
        finally:
            os._exit(7)
    os.close(writing)
    with os.fdopen(reading) as answer:
        return pid, json.loads(answer.read())

"""
NEST: Dict[str, Any] = {
    "preload": ["json"],
    "plan": PLAN,
    "user": 1000,
    "group": 1000,
    "hostname": "box",
    "env": {"PATH": "/usr/bin"},
    "scratch": 1 << 20,
    "disk": 1 << 20,
    "inodes": 100,
    "masked": [["kcore", False], ["acpi", True]],
    "walls": ["mounts"],
    "most": 3,
}


def said(program: str) -> Any:
    """What *program* prints, as JSON, in an interpreter of its own that has one thread."""
    done = subprocess.run(
        [sys.executable, "-I", "-c", OPENING + program, ROOT], capture_output=True, check=False, timeout=30
    )
    assert done.returncode == 0, done.stderr.decode()
    return json.loads(done.stdout)


def no_clones() -> str:
    """Why there can be none here, or nothing."""
    if sys.platform != "linux":
        return "clones are made by a system call of Linux"
    try:
        said("print(told(os.getpid)[1])")
    except AssertionError as error:
        return f"this kernel makes no clones: {str(error)[-200:]}"
    return ""


clones_work = pytest.mark.skipif(bool(no_clones()), reason=no_clones())


@clones_work
def test_a_clone_is_a_child_with_a_status() -> None:
    assert said(
        "me = os.getpid()\npid, (own, parent) = told(lambda: [os.getpid(), os.getppid()])\n"
        "found, status = os.waitpid(pid, 0)\n"
        "print(json.dumps([own == pid == found != me, parent == me, os.WEXITSTATUS(status)]))"
    ) == [True, True, 7]


@clones_work
def test_the_c_library_knows_its_new_thread() -> None:
    # pthread_kill(3), which raise and signal.pthread_kill go through, uses the number that is kept there.
    program = (
        "import signal, threading\n"
        "def look():\n"
        "    got = []\n"
        "    signal.signal(signal.SIGUSR1, lambda *_: got.append('signal'))\n"
        "    signal.pthread_kill(threading.get_ident(), signal.SIGUSR1)\n"
        "    thread = threading.Thread(target=lambda: got.append(threading.get_native_id() != os.getpid()))\n"
        "    thread.start(); thread.join()\n"
        "    return [threading.get_native_id() == os.getpid(), got, threading.active_count(),\n"
        "            threading.current_thread() is threading.main_thread()]\n"
        "pid, found = told(look)\n"
        "print(json.dumps(found))"
    )
    assert said(program) == [True, ["signal", True], 1, True]


@clones_work
def test_a_clone_forks_and_clones_in_its_turn() -> None:
    program = (
        "def again():\n"
        "    pid, inner = told(lambda: os.getppid())\n"
        "    child = os.fork()\n"
        "    if child == 0: os._exit(3)\n"
        "    return [inner == os.getpid(), os.WEXITSTATUS(os.waitpid(child, 0)[1])]\n"
        "print(json.dumps(told(again)[1]))"
    )
    assert said(program) == [True, 3]


@clones_work
def test_a_clone_may_be_a_sibling_known_by_a_descriptor() -> None:
    program = (
        "import select\n"
        "session.adopt_orphans()\n"
        "def make():\n"
        "    cloner = clones.Cloner(exit_signal=17)\n"
        "    pid, parent = told(os.getppid, clones.PARENT | clones.PIDFD, cloner)\n"
        "    signalled = select.select([cloner.pidfd], [], [], 20)[0] == [cloner.pidfd]\n"
        "    return [pid, parent, os.getpid(), signalled]\n"
        "maker, (pid, parent, own, signalled) = told(make)\n"
        "ended = {}\n"
        "for _ in range(2):\n"
        "    found, status = os.wait(); ended[found] = os.WEXITSTATUS(status)\n"
        "print(json.dumps([parent == os.getpid(), own == maker, signalled, ended == {maker: 7, pid: 7}]))"
    )
    assert said(program) == [True, True, True, True]


@clones_work
def test_a_clone_that_may_not_be_is_an_error() -> None:
    program = (
        "import errno\n"
        "try: clones.Cloner(exit_signal=17).clone(0x10000)\n"  # CLONE_THREAD without CLONE_VM
        "except OSError as error: print(json.dumps(errno.errorcode[error.errno]))\n"
    )
    assert said(program) == "EINVAL"


@clones_work
def test_clones_draw_numbers_of_their_own() -> None:
    program = (
        "reseed.record()\n"
        "import random, ssl, uuid\n"
        "def draw():\n"
        "    reseed.reseed()\n"
        "    return [random.random(), ssl.RAND_bytes(8).hex(), str(uuid.uuid4()), os.urandom(8).hex()]\n"
        "cloner = clones.Cloner(exit_signal=17)\n"
        "draws = [told(draw, cloner=cloner)[1] for _ in range(3)]\n"
        "print(json.dumps([len(set(column)) for column in zip(*draws)]))"
    )
    assert said(program) == [3, 3, 3, 3]


@clones_work
def test_without_reseeding_they_would_not() -> None:
    program = (
        "import random\ncloner = clones.Cloner(exit_signal=17)\n"
        "print(json.dumps(len({told(random.random, cloner=cloner)[1] for _ in range(3)})))"
    )
    assert said(program) == 1


@clones_work
def test_hooks_of_packages_run_in_a_clone_and_needless_ones_do_not() -> None:
    program = (
        "reseed.record()\n"
        "ran = []\n"
        "import logging, threading\n"
        "os.register_at_fork(after_in_child=lambda: ran.append('mine'))\n"
        "os.register_at_fork(after_in_parent=lambda: ran.append('parent'))\n"
        "def look():\n    reseed.reseed()\n    return [ran, len(reseed._HOOKS)]\n"
        "print(json.dumps(told(look)[1]))"
    )
    assert said(program) == [["mine"], 1]


@clones_work
def test_a_lock_that_a_hook_takes_before_a_fork_is_given_back_in_a_clone() -> None:
    program = (
        "reseed.record()\n"
        "import threading\n"
        "lock = threading.Lock()\n"
        "os.register_at_fork(before=lock.acquire, after_in_child=lock.release)\n"
        "def look():\n    reseed.reseed()\n    return lock.locked()\n"
        "print(json.dumps(told(look)[1]))"
    )
    assert said(program) is False


def test_recorded_hooks_still_run_after_a_real_fork() -> None:
    program = (
        "reseed.record()\n"
        "ran = []\nos.register_at_fork(after_in_child=lambda: ran.append(1))\n"
        "pid = os.fork()\nif pid == 0: os._exit(len(ran))\n"
        "print(os.WEXITSTATUS(os.waitpid(pid, 0)[1]))"
    )
    assert said(program) == 1


def test_a_nest_is_read_as_it_was_written() -> None:
    nest = Nest.parse(json.dumps(NEST))
    assert (nest.preload, nest.user, nest.group, nest.most) == (("json",), 1000, 1000, 3)
    assert (nest.scratch, nest.disk, nest.inodes, nest.hostname) == (1 << 20, 1 << 20, 100, "box")
    assert nest.masked == (("kcore", False), ("acpi", True))
    assert nest.plan.to_json() == PLAN
    assert "mounts" in nest.walls


@pytest.mark.parametrize(
    "change",
    [
        {"preload": None}, {"user": "root"}, {"plan": {}}, {"env": 5}, {"masked": ["kcore"]}, {"most": None},
        {"disk": "big"}, {"walls": 7},
    ],
)  # fmt: skip
def test_a_nest_that_makes_no_sense_is_refused(change: Dict[str, Any]) -> None:
    with pytest.raises((ValueError, TypeError)):
        Nest.parse(json.dumps({**NEST, **change}))


def test_a_nest_with_a_field_missing_or_twice_is_refused() -> None:
    for name in NEST:
        with pytest.raises(KeyError):
            Nest.parse(json.dumps({key: value for key, value in NEST.items() if key != name}))
    with pytest.raises(ValueError, match="twice"):
        Nest.parse('{"most": 1, "most": 2}')
