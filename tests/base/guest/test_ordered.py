"""How the agent looks at what a context tells: at once, when the bell rings, or a moment later."""

from __future__ import annotations

import fcntl
import os
import sys
from typing import Callable, Iterator, List

import pytest

from sandlot.guest import descriptors, ordered
from sandlot.guest.contexts.channel import Channel
from sandlot.guest.loop import Loop
from sandlot.guest.ordered import OrderedTap
from sandlot.guest.passing import Passing, received

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the agent needs Linux")

BEGUN = b'{"event":"begun","id":1,"count":1}\n'
TEXT = b'{"event":"text","stream":"stdout","text":"1"}\n'
DONE = b'{"event":"done","id":1,"status":"ok","count":1}\n'
NEVER = 3600.0
_F_SETPIPE_SZ = 1031  # fcntl(2); Python names it since 3.10


class Sink:
    """Takes everything."""

    def __init__(self) -> None:
        self.told: List[bytes] = []

    def room(self) -> int:
        return 2**16

    def output(self, _kind: int, data: bytes) -> None:
        self.told.append(data)

    def flooded(self) -> None:
        raise AssertionError("events have no limit")


class Context:
    """The far ends of a tap, and what it passed on."""

    def __init__(self) -> None:
        self.loop, self.sink = Loop(), Sink()
        self.far: List[int] = []
        events, self.events = descriptors.pipe(self.far, near_reads=True)
        self.bell, self.ringing = descriptors.pipe(self.far, near_reads=True)
        self.ended: List[str] = []
        ends = events, self.bell
        self.tap = OrderedTap(self.loop, ends, self.sink, (), lambda: self.ended.append("over"))

    def say(self, *lines: bytes, ring: bool = False) -> None:
        for line in lines:
            os.write(self.events, line)
        if ring:
            os.write(self.ringing, b"!")

    def hang_up(self, end: int) -> None:
        self.far.remove(end)
        os.close(end)

    def turn(self) -> List[bytes]:
        """What was passed on after one turn that waits for nothing."""
        self.loop.soon(lambda: None)
        self.loop.turn()
        return self.sink.told

    def close(self) -> None:
        self.tap.close()
        descriptors.close(self.far)


@pytest.fixture
def context() -> Iterator[Context]:
    made = Context()
    yield made
    made.close()


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """No moment ever passes."""
    monkeypatch.setattr(ordered, "_MOMENT", NEVER)


@pytest.mark.usefixtures("patient")
def test_a_cell_is_told_in_one_piece_when_the_bell_rings(context: Context) -> None:
    context.tap.expect()
    context.say(BEGUN, TEXT)
    assert context.turn() == []
    context.say(DONE, ring=True)
    assert context.turn() == [BEGUN + TEXT + DONE]


def test_output_of_a_cell_that_does_not_end_is_told_a_moment_later(context: Context) -> None:
    context.tap.expect()
    context.say(BEGUN, TEXT)
    context.loop.turn()
    assert context.sink.told == [BEGUN + TEXT]


@pytest.mark.usefixtures("patient")
def test_what_comes_when_nothing_was_asked_is_told_at_once(context: Context) -> None:
    context.say(DONE)
    assert context.turn() == [DONE]


@pytest.mark.usefixtures("patient")
def test_after_output_the_next_is_waited_for_again(context: Context) -> None:
    context.say(TEXT)
    assert context.turn() == [TEXT]
    context.say(TEXT)
    assert context.turn() == [TEXT]
    context.say(DONE, ring=True)
    assert context.turn() == [TEXT, TEXT + DONE]


@pytest.mark.usefixtures("patient")
def test_a_bell_that_rang_before_the_cell_is_not_heard(context: Context) -> None:
    context.say(ring=True)
    context.tap.expect()
    context.say(BEGUN)
    assert context.turn() == []


@pytest.mark.usefixtures("patient")
def test_a_bell_that_nobody_can_ring_any_more_holds_nothing_up(context: Context) -> None:
    context.hang_up(context.ringing)
    context.tap.expect()
    context.say(BEGUN)
    assert context.turn() == [BEGUN]
    context.say(TEXT)
    assert context.turn() == [BEGUN, TEXT]


@pytest.mark.usefixtures("patient")
@pytest.mark.parametrize("waits", [False, True])
def test_the_end_waits_for_no_bell(context: Context, waits: bool) -> None:
    if waits:
        context.tap.expect()
    context.say(TEXT)
    context.hang_up(context.events)
    context.tap.finish(lambda: context.ended.append("closed"), patient=False)
    assert context.sink.told == [TEXT]
    assert context.ended == ["closed", "over"]
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(context.bell)


def test_a_context_rings_for_everything_but_short_output() -> None:
    far: List[int] = []
    _, events = descriptors.pipe(far, near_reads=True)
    bell, ringing = descriptors.pipe(far, near_reads=True)
    channel = Channel(-1, events, ringing)
    silent = {"event": "begun", "id": 1, "count": 1}, {"event": "text", "stream": "stdout", "text": "1"}
    for event in silent:
        channel.tell(event)
    with pytest.raises(BlockingIOError):
        os.read(bell, 8)
    for event in ({"event": "done"}, {"event": "text", "text": "x" * 5000}, {"event": "ask", "prompt": ""}):
        channel.tell(event)
        assert os.read(bell, 8)
    channel.leave()


def test_the_bell_is_the_first_thing_that_a_context_is_handed(closing: Callable[[int], None]) -> None:
    far: List[int] = []
    passing = Passing(far)
    closing(far[0])
    passing.send([0, 1])
    bell, (ringing,) = passing.take_bell(), received(far[0], 1)
    assert bell is not None
    closing(bell)
    closing(ringing)
    os.write(ringing, b"!")
    assert os.read(bell, 8) == b"!"
    fcntl.fcntl(ringing, _F_SETPIPE_SZ, 4096)
    os.write(ringing, b"!" * 4096)
    with pytest.raises(BlockingIOError):  # who rings where nobody listens is not held up
        os.write(ringing, b"!")
    given = received(far[0], 6)
    assert len(given) == 2
    for each in given:
        closing(each)
    passing.close()
    assert passing.take_bell() is None


@pytest.fixture
def closing() -> Iterator[Callable[[int], None]]:
    noted: List[int] = []
    yield noted.append
    descriptors.close(noted)
