"""What a handler returns: hostile until it is one JSON value, and told apart from all output.

What is promised of the value: it is the guest's own word, so it proves nothing about the program; but it
comes from the payload's channel for it and from nowhere else. No output becomes the value, no program that a
handler starts holds the channel, and two values are none.
"""

from __future__ import annotations

import pytest

from sandlot.contracts.command import Command
from sandlot.contracts.events import Exited, Reason, Returned
from sandlot.contracts.handler import LARGEST_VALUE, Handler

from .calls import GIVE_BACK, Calling, is_refused


class ValueTests(Calling):
    """What becomes of what a handler returns, and of what only looks like it."""

    async def test_a_megabyte_goes_in_and_comes_back(self) -> None:
        event = {"text": "x" * 2**20, "rows": list(range(50_000))}
        result = await self.call(GIVE_BACK, event)
        assert result.ok, result.errors
        assert result.result == event

    async def test_the_largest_value_comes_back_and_a_larger_one_is_an_error(self) -> None:
        code = "def handler(event):\n    return 'x' * event"
        result = await self.call(code, LARGEST_VALUE - 2)
        assert len(result.result) == LARGEST_VALUE - 2
        result = await self.call(code, LARGEST_VALUE - 1)
        is_refused(result, b"ValueError", b"bytes of JSON")

    @pytest.mark.parametrize(
        ("value", "said"),
        [
            ("float('nan')", b"float"),
            ("[float('inf')]", b"float"),
            ("b'bytes'", b"bytes"),
            ("{1, 2}", b"set"),
            ("object()", b"object"),
            ("type('Mine', (), {})()", b"Mine"),
            ("{(1, 2): 3}", b"key"),
            ("{1: 2, '1': 3}", b"twice"),
            ("'\\ud800'", b"surrogate"),
            ("10 ** 40", b"too long"),
            ("circle()", b"TypeError"),
            ("deep(100)", b"nested"),
        ],
    )
    async def test_what_is_no_json_is_an_error_of_the_program(self, value: str, said: bytes) -> None:
        code = f"""
def circle():
    found = []
    found.append(found)
    return found
def deep(levels):
    return [deep(levels - 1)] if levels else []
def handler(event):
    return {value}
"""
        is_refused(await self.call(code), b"TypeError: what handler() returned", said)

    async def test_output_never_becomes_the_value(self) -> None:
        code = """
import os, subprocess, sys
def handler(event):
    print('{"forged": 1}', flush=True)
    print('{"forged": 2}', file=sys.stderr, flush=True)
    os.write(1, b'{"forged": 3}\\n')
    subprocess.run(['sh', '-c', 'echo 4; for i in 3 4 5 6 7 8 9; do echo 5 >&$i; done 2>/dev/null'])
    return "true"
"""
        result = await self.call(code)
        assert (result.ok, result.result) == (True, "true"), result.errors
        assert result.stdout == b'{"forged": 1}\n{"forged": 3}\n4\n'
        assert result.stderr == b'{"forged": 2}\n'

    @pytest.mark.parametrize("forged", [b'"forged"\n', b'"forged"', b"\n", b"\xff"])
    async def test_a_second_value_replaces_no_first_one(self, forged: bytes) -> None:
        """A program that writes to every descriptor it has spoils its own value and gets no other instead."""
        code = f"""
import os
def spoil():
    for descriptor in range(3, 100):
        try: os.write(descriptor, {forged!r})
        except OSError: pass
def handler(event):
    if event == "before": spoil()
    if event == "within": return "first" if os.fork() else "second"
    return "true"
"""
        for event in ("before", "within"):
            result = await self.call(code, event)
            assert not result.has_result
            assert (result.reason, result.exit_code) == (Reason.EXITED, 1)
            assert b"sandlot: what the handler returned" in result.stderr

    async def test_a_value_that_only_the_program_wrote_is_read_with_suspicion(self) -> None:
        """Bytes that no encoder of ours would write: too deep, too long a number, twice the same name."""
        code = """
import os
def handler(event):
    for descriptor in range(3, 100):
        try: os.write(descriptor, event.encode() + b"\\n")
        except OSError: pass
    os._exit(0)
"""
        for text in ("[" * 70 + "]" * 70, "9" * 40, '{"a": 1, "a": 2}', "NaN", "{} {}", "", "1e999"):
            result = await self.call(code, text)
            assert (result.has_result, result.exit_code) == (False, 1), text

    async def test_more_than_any_value_is_dropped_on_the_way(self) -> None:
        code = f"""
import os
def handler(event):
    for descriptor in range(3, 100):
        try: os.fstat(descriptor)
        except OSError: continue
        data = b"1" * 65536
        for _ in range({4 * LARGEST_VALUE // 65536}): os.write(descriptor, data)
    os._exit(0)
"""
        result = await self.call(code)
        assert (result.has_result, result.exit_code) == (False, 1)
        assert b"longer than" in result.stderr

    async def test_the_value_comes_once_and_before_the_end(self) -> None:
        self.need()
        box = await self.bench.shared_box()
        command = Command(code="print(1)\n" + GIVE_BACK, handler=Handler(event=5))
        events = [event async for event in box.run(command)]
        assert [event.value for event in events if isinstance(event, Returned)] == [5]
        assert isinstance(events[-2], Returned)
        assert isinstance(events[-1], Exited)

    async def test_handlers_side_by_side_keep_their_values_apart(self) -> None:
        self.need()
        box = await self.bench.shared_box()
        running = [box.run(Command(code=GIVE_BACK, handler=Handler(event=number))) for number in range(3)]
        for number, events in enumerate(running):
            found = [event.value async for event in events if isinstance(event, Returned)]
            assert found == [number]
