"""Streams: output as it comes, in order, before the end; floods, drips and interleaving."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

from sandlot.contracts.command import Command
from sandlot.contracts.engine import Box
from sandlot.contracts.events import Event, Exited, Reason, Stderr, Stdout
from sandlot.contracts.quantity import Bytes, Seconds
from sandlot.testing.leaks import resident
from sandlot.testing.suite import Suite, collect, python, shell


class StreamTests(Suite):
    """How output travels."""

    async def test_output_comes_while_the_program_runs(self) -> None:
        """The program waits for what we do after we saw its output: a buffered stream would hang here."""
        async with self.box() as box:
            await collect(box, shell("mkfifo answer"))
            seen: list[bytes] = []
            async for event in box.run(shell("echo question; cat answer; exit 9")):
                if isinstance(event, Stdout):
                    seen.append(event.data)
                    if seen == [b"question\n"]:
                        assert (await collect(box, shell("echo answer > answer"))).ok
                if isinstance(event, Exited):
                    assert event.exit_code == 9
            assert b"".join(seen) == b"question\nanswer\n"

    async def test_stderr_comes_while_the_program_runs(self) -> None:
        async with self.box() as box:
            await collect(box, shell("mkfifo answer"))
            async for event in box.run(shell("echo question >&2; cat answer")):
                if isinstance(event, Stderr):
                    assert (await collect(box, shell("echo > answer"))).ok
                if isinstance(event, Exited):
                    assert event.exit_code == 0

    async def test_python_prints_as_it_goes_when_it_flushes(self) -> None:
        async with self.box() as box:
            await collect(box, shell("mkfifo answer"))
            code = "print('question', flush=True); open('answer').read()"
            async for event in box.run(python(code)):
                if isinstance(event, Stdout):
                    assert (await collect(box, shell("echo > answer"))).ok

    async def test_every_line_keeps_its_place_in_its_stream(self) -> None:
        code = """
import sys
for i in range(20000):
    sys.stdout.write('o%d\\n' % i); sys.stderr.write('e%d\\n' % i)
"""
        result = await self.run(python(code, output_limit=Bytes(10_000_000)))
        assert result.text.split() == [f"o{i}" for i in range(20_000)]
        assert result.errors.split() == [f"e{i}" for i in range(20_000)]

    async def test_a_flood_is_bounded_in_time_and_in_our_memory(self) -> None:
        """Ten gigabytes were asked for; the rest is dropped, then the program killed, and both are told."""
        before = resident()
        command = shell("yes | head -c 10000000000", output_limit=Bytes(1_000_000), timeout=Seconds(20))
        result = await self.run(command)
        assert len(result.stdout) == 1_000_000
        assert result.stdout_truncated
        assert result.reason in (Reason.OUTPUT_LIMIT, Reason.TIMEOUT)
        assert resident() - before < 64 * 2**20

    async def test_a_slow_reader_holds_the_program_back_and_nothing_else(self) -> None:
        async with self.box() as box:
            command = Command(
                argv=("/usr/bin/head", "-c", "8000000", "/dev/zero"), output_limit=Bytes(16_000_000)
            )
            events = box.run(command)
            first = await anext(_data(events))
            began = time.monotonic()
            assert (await collect(box, shell("echo others live"))).stdout == b"others live\n"
            assert time.monotonic() - began < 5
            total = first + sum([size async for size in _data(events)])
            assert total == 8_000_000

    async def test_the_timeout_fires_while_nobody_reads(self) -> None:
        async with self.box() as box:
            events = box.run(shell("cat /dev/zero", timeout=Seconds(0.5), output_limit=Bytes(2**40)))
            await anext(events)
            await wait_gone(box, "cat")
            last: Event | None = None
            async for event in events:
                last = event
            assert isinstance(last, Exited)
            assert last.reason is Reason.TIMEOUT

    async def test_endless_output_without_a_line_end_is_bounded_by_the_timeout(self) -> None:
        code = "import sys, time\nwhile True: sys.stdout.write('.'); sys.stdout.flush(); time.sleep(0.01)"
        result = await self.run(python(code, timeout=Seconds(0.4)))
        assert result.reason is Reason.TIMEOUT
        assert set(result.stdout) == {ord(".")}

    async def test_parallel_commands_do_not_mix_their_output(self) -> None:
        async with self.box() as box:
            lines = [shell(f"for i in $(seq 200); do echo {letter}; done") for letter in "abcdef"]
            results = await asyncio.gather(*(collect(box, line) for line in lines))
        assert [set(result.text.split()) for result in results] == [{letter} for letter in "abcdef"]
        assert all(len(result.text.split()) == 200 for result in results)


async def _data(events: AsyncIterator[Event]) -> AsyncIterator[int]:
    async for event in events:
        if isinstance(event, Stdout):
            yield len(event.data)


async def wait_gone(box: Box, name: str) -> None:
    """Wait, inside the box, until no process called *name* lives there."""
    code = f"""
import os, time
def names():
    for pid in filter(str.isdigit, os.listdir('/proc')):
        try: yield open('/proc/%s/stat' % pid).read().split(' ')[1:3]
        except OSError: pass
while any(name == '({name})' and state != 'Z' for name, state in names()): time.sleep(0.01)
"""
    assert (await collect(box, python(code, timeout=Seconds(10)))).ok
