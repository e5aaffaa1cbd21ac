"""A tape: calls are noted where it is made and done where it is played, with every result compared."""

from __future__ import annotations

import errno
import os
import sys

import pytest

from sandlot.walls import syscalls
from sandlot.walls.tape import Tape

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="walls need Linux")
_CAPGET = (0x20080522).to_bytes(4, sys.byteorder) + bytes(4)  # version 3, this thread
_FREE = 500  # none of a test runner's descriptors is above


def _in_fork(tape: Tape) -> int:
    """The errno with which a fork failed to play it, 0 for none."""
    child = os.fork()
    if child == 0:
        code = 99
        try:
            os.closerange(3, 4096)
            tape.play()
            code = 0
        except OSError as error:
            code = error.errno or 98
        finally:
            os._exit(code)
    return os.WEXITSTATUS(os.waitpid(child, 0)[1])


def test_what_is_noted_is_not_done() -> None:
    with Tape(free=_FREE):
        opened = syscalls.opened(os.devnull, os.O_RDONLY)
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(opened)


def test_descriptors_are_foretold_lowest_first() -> None:
    with Tape(free=_FREE):
        first, second = (syscalls.opened(os.devnull, os.O_RDONLY) for _ in range(2))
        syscalls.close(first)
        again = syscalls.opened(os.devnull, os.O_RDONLY)
        high = syscalls.moved(second, _FREE + 100)
        third = syscalls.opened(os.devnull, os.O_RDONLY)
    assert (first, second, again, high, third) == (_FREE, _FREE + 1, _FREE, _FREE + 100, _FREE + 1)


def test_a_tape_plays_where_the_descriptors_are_free() -> None:
    with Tape(free=3) as tape:
        syscalls.close(syscalls.moved(syscalls.opened(os.devnull, os.O_RDONLY), 20))
    assert [_in_fork(tape), _in_fork(tape)] == [0, 0]


def test_a_result_that_was_not_foretold_fails() -> None:
    with Tape(free=4) as tape:
        syscalls.opened(os.devnull, os.O_RDONLY)  # it will be 3
    assert _in_fork(tape) == 98


def test_a_call_that_fails_tells_its_name_and_error() -> None:
    with Tape(free=_FREE) as tape:
        syscalls.syscall("close_range", 9, 3, 0)
    with pytest.raises(OSError, match="close_range") as caught:
        tape.play()
    assert caught.value.errno == errno.EINVAL


def test_an_answer_other_than_zeros_fails() -> None:
    with Tape(free=_FREE) as tape:
        noted = syscalls.told("capget", _CAPGET, 24)
    assert noted == bytes(24)
    held = syscalls.told("capget", _CAPGET, 24)
    if any(held):
        with pytest.raises(OSError, match="instead of zeros"):
            tape.play()
    else:
        tape.play()
