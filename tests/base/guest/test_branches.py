"""Copies of a context in a real agent: what the agent believes of what a program does with them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, Iterator, List, cast

import pytest

from sandlot.guest import descriptors
from sandlot.guest.branched import Branched
from sandlot.guest.loop import Loop
from sandlot.guest.passing import Passing
from sandlot.wire.frames import Kind
from tests.base.guest.driver import Host
from tests.base.guest.test_contexts import Talk, text_of

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the agent needs Linux")

_TAKE = """
import array, os, socket
for name in os.listdir("/proc/self/fd"):
    where = f"/proc/self/fd/{name}"
    if os.path.exists(where) and os.readlink(where).startswith("socket:"):
        given = socket.socket(fileno=int(name))
told, ancillary, _, _ = given.recvmsg(1, socket.CMSG_SPACE(24))
ends = array.array("i", ancillary[0][2])
"""


class Copy(Talk):
    """A conversation with a copy that *of* is to make."""

    def __init__(self, of: Talk) -> None:
        self.host = of.host
        self.seen = self.number = 0
        events = of.host.replies[of.stream].events
        of.host.until(lambda: events)
        name = events[0]["process"]
        self.stream = of.host.open("run", code=True, context=True, stdin=True, branch=name)
        of.host.send(self.stream, Kind.SOURCE_END)


@pytest.fixture
def talk(tmp_path: Path) -> Iterator[Talk]:
    with Host(str(tmp_path)) as host:
        made = Talk(host)
        made.until("ready")
        yield made


def test_a_copy_that_nobody_takes_leaves_nothing_open() -> None:
    far: List[int] = []
    of = Passing(far)
    descriptors.close(far)  # the program is gone
    before = descriptors.open_now()
    with pytest.raises(ConnectionError):
        Branched(cast("Any", None), of, Loop())
    assert descriptors.open_now() == before
    of.close()


def test_a_copy_has_a_stream_and_an_end_of_its_own(talk: Talk) -> None:
    talk.run("x = 41")
    copy = Copy(talk)
    assert talk.reply("fork")["event"] == "reply"
    assert copy.until("ready")[0]["language"] == "python"
    assert text_of(copy.run("x += 1; print(x)")) == "42\n"
    assert text_of(talk.run("print(x)")) == "41\n"
    assert [row["argv"] for row in talk.host.ask("processes").ok["processes"]] == [["<context>"]] * 2
    copy.host.send(copy.stream, Kind.INPUT_END)
    assert copy.host.finish(copy.stream).ok["exit_code"] == 0
    assert talk.run("1")[-1]["status"] == "ok"


def test_the_end_of_the_original_leaves_the_copy(talk: Talk) -> None:
    copy = Copy(talk)
    talk.ask("fork")
    copy.until("ready")
    talk.host.send(talk.stream, Kind.CANCEL)
    assert talk.host.finish(talk.stream).ok["reason"] == "killed"
    assert text_of(copy.run("print(1)")) == "1\n"
    copy.ask("execute", code="import os; os._exit(4)", store=True, silent=False, input=False)
    assert copy.host.finish(copy.stream).ok["exit_code"] == 4


@pytest.mark.parametrize("pid", ["1", "os.getpid()", "os.getppid()", "2 ** 40", "-1", "'x'"])
def test_a_pid_that_is_no_copy_of_it_is_not_believed(talk: Talk, pid: str) -> None:
    copy = Copy(talk)
    talk.run(f"{_TAKE}\nos.write(ends[4], str({pid}).encode() + b'\\n')\nfor end in ends: os.close(end)")
    assert copy.host.finish(copy.stream).error == "failed"
    assert talk.run("1")[-1]["status"] == "ok"
    assert "no pipes" in talk.reply("fork")["error"]


def test_a_copy_that_never_comes_is_given_up(talk: Talk) -> None:
    copy = Copy(talk)
    talk.host.send(copy.stream, Kind.CANCEL)
    assert talk.host.finish(copy.stream).error == "failed"
    talk.reply("fork")  # of the pipes that were sent before; the copy finds nobody to tell, and ends
    assert talk.run("1")[-1]["status"] == "ok"


def test_the_agent_reads_nothing_that_comes_back(talk: Talk) -> None:
    Copy(talk)
    told = talk.run(f"{_TAKE}\ntry: given.send(b'x')\nexcept OSError as error: print(type(error).__name__)")
    assert text_of(told) == "BrokenPipeError\n"


def test_a_copy_is_made_of_a_context_only(talk: Talk) -> None:
    host = talk.host
    asked = {"code": True, "context": True, "stdin": True}
    other = host.run("sleep", "9", background=True).ok["process"]
    for name in ("99", other):
        stream = host.open("run", branch=name, **asked)
        host.send(stream, Kind.SOURCE_END)
        assert host.finish(stream).error in ("not_found", "invalid")
    assert host.ask("run", argv=["true"], branch="1").error == "invalid"
