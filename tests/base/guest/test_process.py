"""When what a command writes is passed on: the agent's side of it, with pipes and no processes."""

from __future__ import annotations

import os
from typing import Any, Iterator, List, Optional, Tuple

import pytest

from sandlot.guest.loop import Loop
from sandlot.guest.process import Process
from sandlot.guest.run_request import RunRequest

_LINES = [b"%d\n" % number for number in range(200)]


class Care:
    """Implements process.Care by a pipe: what the command writes, this test writes."""

    stdin: Optional[int] = None
    stderr: Optional[int] = None
    value: Optional[int] = None
    passing: Optional[Any] = None
    family: Optional[Any] = None
    pid = 7

    def __init__(self) -> None:
        self.stdout, self.program = os.pipe()
        os.set_blocking(self.stdout, False)

    def order(self, number: int) -> None:
        raise AssertionError(f"nobody ordered {number}")

    def force(self) -> None:
        raise AssertionError("nobody is to be forced")


class Audience:
    """Implements process.Audience: remembers what it is told, in order."""

    def __init__(self) -> None:
        self.heard: List[bytes] = []

    def room(self) -> int:
        return 65536

    def output(self, kind: int, data: bytes) -> None:
        del kind
        self.heard.append(data)

    def flooded(self) -> None:
        raise AssertionError("nothing was dropped")

    def started(self) -> None:
        self.heard.append(b"started\n")

    def finished(self) -> None:
        self.heard.append(b"finished\n")


@pytest.fixture
def begun() -> Iterator[Tuple[Loop, Process, Care, Audience]]:
    loop, care, audience = Loop(), Care(), Audience()
    process = Process("1", RunRequest({"argv": ["true"]}, "/workspace"), loop, lambda _process: None)
    process.begin(care, audience)
    yield loop, process, care, audience
    _end(care)


def _end(care: Care) -> None:
    if care.program >= 0:
        os.close(care.program)
        care.program = -1


def test_output_waits_until_the_start_was_told(begun: Tuple[Loop, Process, Care, Audience]) -> None:
    loop, process, care, audience = begun
    for line in _LINES:
        os.write(care.program, line)
    loop.soon(lambda: None)
    loop.turn()
    assert audience.heard == []
    process.heard({"started": 7})
    loop.turn()
    assert b"".join(audience.heard) == b"started\n" + b"".join(_LINES)


def test_output_of_a_command_whose_supervisor_never_spoke_comes_with_its_end(
    begun: Tuple[Loop, Process, Care, Audience],
) -> None:
    _loop, process, care, audience = begun
    os.write(care.program, b"last words\n")
    _end(care)
    process.heard({"ended": {"by": "order", "status": None, "cpu": 0.0, "peak": 0, "seconds": 0.0}})
    process.gone()
    assert b"".join(audience.heard) == b"last words\nfinished\n"
