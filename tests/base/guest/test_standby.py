"""The context that a box keeps ready once it has opened one, in a real agent."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path
from typing import List, Set

import pytest

from sandlot.wire.frames import Kind
from tests.base.guest.driver import PATIENCE, Host
from tests.base.guest.test_branches import talk
from tests.base.guest.test_contexts import Talk, text_of

__all__ = ["talk"]  # a fixture

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the agent needs Linux")

_PID = "import os; print(os.getpid())"


def children(pid: int) -> List[int]:
    try:
        with open(f"/proc/{pid}/task/{pid}/children") as listed:
            return [int(child) for child in listed.read().split()]
    except FileNotFoundError:
        return []


def programs(host: Host) -> Set[int]:
    """The processes that have a supervisor."""
    return {program for child in children(host.process.pid) for program in children(child)}


def pid_of(talk: Talk) -> int:
    return int(text_of(talk.run(_PID)))


def standing_by(host: Host, *known: int) -> int:
    """The program that nobody asked for, once it is there."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        host.ask("processes")  # for the agent to have a turn
        found = programs(host) - set(known)
        if found:
            return found.pop()
    raise AssertionError("there is none")


def test_the_next_context_is_there_before_it_is_asked_for_and_knows_nothing(talk: Talk) -> None:
    talk.run("x = 41")
    first = pid_of(talk)
    ready = standing_by(talk.host, first)
    shown = [row["argv"] for row in talk.host.ask("processes").ok["processes"]]
    assert shown == [["<context>"]]
    other = Talk(talk.host)
    assert other.until("ready")[0]["language"] == "python"
    assert pid_of(other) == ready
    assert talk.host.replies[other.stream].events[0]["pid"] == ready
    assert text_of(other.run("print('x' in globals(), __name__)")) == "False __main__\n"
    assert text_of(talk.run("print(x)")) == "41\n"
    assert standing_by(talk.host, first, ready)


def test_one_of_another_kind_is_started_for_itself(talk: Talk) -> None:
    ready = standing_by(talk.host, pid_of(talk))
    other = Talk.__new__(Talk)
    other.host, other.seen, other.number = talk.host, 0, 0
    other.stream = talk.host.open("run", code=True, context=True, stdin=True, env={"OTHER": "yes"})
    talk.host.send(other.stream, Kind.SOURCE_END)
    assert text_of(other.run("import os; print(os.environ['OTHER'])")) == "yes\n"
    assert pid_of(other) != ready


def test_one_whose_directory_is_another_by_now_is_not_given_to_anybody(talk: Talk) -> None:
    place = Path(talk.host.workspace, "place")
    place.mkdir()

    def opened() -> Talk:
        made = Talk.__new__(Talk)
        made.host, made.seen, made.number = talk.host, 0, 0
        made.stream = talk.host.open("run", code=True, context=True, stdin=True, workdir=str(place))
        talk.host.send(made.stream, Kind.SOURCE_END)
        return made

    first, before = opened(), programs(talk.host)
    known = pid_of(talk), pid_of(first)
    while not programs(talk.host) - before - set(known):
        talk.host.ask("processes")
    place.rename(place.with_name("moved"))
    place.mkdir()
    (place / "new").touch()
    assert text_of(opened().run("import os; print(os.listdir())")) == "['new']\n"
    (place / "new").unlink()
    place.rmdir()
    gone = opened()
    assert talk.host.finish(gone.stream).error == "not_found"


def test_one_that_was_killed_is_not_given_to_anybody(talk: Talk) -> None:
    first = pid_of(talk)
    ready = standing_by(talk.host, first)
    talk.run(f"import os; os.kill({ready}, {int(signal.SIGKILL)})")
    while ready in programs(talk.host):
        talk.host.ask("processes")
    talk.host.ask("processes")  # in this turn at the latest the agent hears that it had started
    other = Talk(talk.host)
    other.until("ready")
    assert pid_of(other) not in (first, ready)


def test_it_stands_by_while_commands_come_and_go(talk: Talk) -> None:
    first = pid_of(talk)
    ready = standing_by(talk.host, first)
    for _ in range(2):
        assert talk.host.run("/bin/sh", "-c", "sleep 100 & echo over").stdout == b"over\n"
    assert programs(talk.host) == {first, ready}
    other = Talk(talk.host)
    assert pid_of(other) == ready


def test_it_ends_with_the_agent(tmp_path: Path) -> None:
    with Host(str(tmp_path)) as host:
        made = Talk(host)
        made.until("ready")
        ready = standing_by(host, pid_of(made))
        host.hang_up()
        host.process.wait(PATIENCE)
        assert not os.path.exists(f"/proc/{ready}")
