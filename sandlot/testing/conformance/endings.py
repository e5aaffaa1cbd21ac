"""Endings: exit codes, signals, timeouts, and what is left when a command or a box has ended."""

from __future__ import annotations

import asyncio
import time

import pytest

from sandlot.contracts.command import Command
from sandlot.contracts.errors import BoxDied, Conflict, SandlotError
from sandlot.contracts.events import Exited, Failed, Reason, Started, Stdout
from sandlot.contracts.lease import EndReason
from sandlot.contracts.quantity import Bytes, Seconds
from sandlot.contracts.spec import SandboxSpec
from sandlot.testing.leaks import difference, settled, snapshot
from sandlot.testing.suite import NAP, Suite, collect, end_of, python, shell, sleepers, stop

CODES = [
    ("import sys; sys.exit(0)", 0),
    ("import sys; sys.exit(1)", 1),
    ("import sys; sys.exit(300)", 44),
    ("import sys; sys.exit(-1)", 255),
    ("raise SystemExit('a message')", 1),
    ("raise SystemExit", 0),
    ("raise KeyboardInterrupt", 130),
    ("import os; os._exit(7)", 7),
    ("raise ValueError", 1),
]
SIGNALS = [
    ("import os; os.abort()", 6),
    ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", 9),
    ("import ctypes; ctypes.string_at(0)", 11),
    ("import os, signal; signal.signal(15, signal.SIG_DFL); os.kill(os.getpid(), 15)", 15),
]


class EndingTests(Suite):
    """How things end."""

    @pytest.mark.parametrize(("code", "expected"), CODES)
    async def test_exit_code_of_python(self, code: str, expected: int) -> None:
        result = await self.run(python(code))
        if "KeyboardInterrupt" in code:  # CPython ends itself by SIGINT since 3.8; both read 130
            assert result.exit_code == expected
        else:
            assert (result.exit_code, result.reason, result.signal) == (expected, Reason.EXITED, None)

    @pytest.mark.parametrize(("code", "number"), SIGNALS)
    async def test_signal_is_told_as_a_shell_would(self, code: str, number: int) -> None:
        result = await self.run(python(code))
        assert (result.reason, result.signal, result.exit_code) == (Reason.SIGNALLED, number, 128 + number)

    async def test_output_before_a_crash_is_kept(self) -> None:
        result = await self.run(python("import os; print('before', flush=True); os.kill(os.getpid(), 11)"))
        assert (result.stdout, result.signal) == (b"before\n", 11)

    async def test_atexit_runs_and_buffers_are_flushed(self) -> None:
        result = await self.run(python("import atexit; atexit.register(print, 'bye'); print('hi')"))
        assert result.stdout == b"hi\nbye\n"

    async def test_a_program_that_is_not_there_is_127(self) -> None:
        result = await self.run(Command(argv=("no-such-program",)))
        assert (result.exit_code, result.reason) == (127, Reason.EXITED)
        assert b"no-such-program" in result.stderr

    @pytest.mark.parametrize("program", ["./directory", "./file"])
    async def test_a_program_that_cannot_be_run_is_126(self, program: str) -> None:
        async with self.box() as box:
            await collect(box, shell("mkdir directory; echo > file"))
            result = await collect(box, Command(argv=(program,)))
        assert (result.exit_code, result.reason) == (126, Reason.EXITED)

    async def test_timeout_kills_and_keeps_partial_output(self) -> None:
        began = time.monotonic()
        result = await self.run(shell(f"echo partial; {NAP}; echo never", timeout=Seconds(0.4)))
        assert (result.reason, result.exit_code, result.stdout) == (Reason.TIMEOUT, 124, b"partial\n")
        assert time.monotonic() - began < 5

    @pytest.mark.parametrize(
        "code",
        [
            "while True: pass",
            "from signal import *\nfor n in (1, 2, 15): signal(n, SIG_IGN)\nwhile True: pause()",
            "9 ** 9 ** 9",
            "import re; re.match(r'(a+)+$', 'a' * 40 + 'b')",
        ],
        ids=["loop", "ignores-signals", "holds-the-interpreter-lock", "regular-expression"],
    )
    async def test_timeout_ends_whatever_the_program_does(self, code: str) -> None:
        result = await self.run(python(code, timeout=Seconds(0.3)))
        assert (result.reason, result.exit_code) == (Reason.TIMEOUT, 124)
        assert 0.25 < result.duration < 3

    async def test_timeout_takes_the_children_with_it(self) -> None:
        async with self.box() as box:
            line = f"(trap '' TERM; {NAP}) & setsid {NAP} & {NAP}"
            result = await collect(box, shell(line, timeout=Seconds(0.3)))
            assert result.reason is Reason.TIMEOUT
            assert await sleepers(box) == 0

    async def test_children_do_not_outlive_their_command(self) -> None:
        async with self.box() as box:
            code = "import os\nif os.fork() == 0:\n  os.setsid()\n  if os.fork() == 0: os.execvp('sleep', %r)"
            assert (await collect(box, python(code % NAP.split()))).exit_code == 0
            assert await sleepers(box) == 0

    async def test_a_child_that_keeps_the_pipe_does_not_hold_the_result(self) -> None:
        began = time.monotonic()
        result = await self.run(shell(f"{NAP} & echo done"))
        assert (result.stdout, result.reason) == (b"done\n", Reason.EXITED)
        assert time.monotonic() - began < 5

    async def test_a_closed_stdout_is_no_end(self) -> None:
        code = "import os, time; os.close(1); os.close(2); open('went-on', 'w').close(); os._exit(5)"
        async with self.box() as box:
            result = await collect(box, python(code))
            assert (result.exit_code, result.reason) == (5, Reason.EXITED)
            assert (await collect(box, shell("ls"))).stdout == b"went-on\n"

    async def test_closing_the_iterator_kills_the_command(self) -> None:
        async with self.box() as box:
            events = box.run(shell(f"echo begun; exec {NAP}", timeout=None))
            async for event in events:
                if isinstance(event, Stdout):
                    break
            await stop(events)
            assert await sleepers(box) == 0

    async def test_cancelling_the_caller_kills_the_command(self) -> None:
        async with self.box() as box:
            begun = asyncio.Event()

            async def follow() -> None:
                async for event in box.run(shell(f"exec {NAP}", timeout=None)):
                    if isinstance(event, Started):
                        begun.set()

            task = asyncio.create_task(follow())
            await begun.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert await sleepers(box) == 0

    async def test_closing_a_box_ends_what_runs_in_it(self) -> None:
        box = await self.engine.create(SandboxSpec())
        task = asyncio.create_task(end_of(box.run(shell(f"echo begun; {NAP}", timeout=None))))
        await collect(box, shell("true"))
        await box.close()
        end = await task
        assert isinstance(end, (Exited, Failed, SandlotError))

    async def test_the_end_of_a_box_is_told_to_all_who_wait_and_to_who_asks_later(self) -> None:
        box = await self.engine.create(SandboxSpec())
        waiting = [asyncio.create_task(box.ended()) for _ in range(3)]
        assert (await collect(box, shell("true"))).ok
        waiting.pop().cancel()
        assert not any(task.done() for task in waiting)
        began = time.time()
        await box.close()
        told = [*await asyncio.gather(*waiting), await box.ended()]
        assert told == [told[0]] * 3
        assert told[0].reason in (EndReason.KILLED, EndReason.SHUTDOWN)
        assert began - 1 <= told[0].at <= time.time() + 1

    async def test_close_is_idempotent_and_a_closed_box_says_so(self) -> None:
        box = await self.engine.create(SandboxSpec())
        await box.close()
        await box.close()
        end = await end_of(box.run(shell("true")))
        assert (isinstance(end, Exited) and end.reason is Reason.BOX_DIED) or isinstance(
            end, (Failed, BoxDied, Conflict)
        )

    async def test_nothing_is_left_of_a_closed_box(self) -> None:
        async with self.box() as box:  # what the engine keeps for all boxes starts with the first
            await collect(box, shell("true"))
        before = snapshot()
        async with self.box() as box:
            await collect(box, shell(f"echo x > file; mkdir d; {NAP} & true"))
            await collect(box, python("print(1)"))
            assert difference(before, snapshot()), "the counters see nothing of a living box"
        assert difference(before, await settled(before)) == ()

    async def test_output_is_cut_at_the_limit_and_marked(self) -> None:
        command = shell("head -c 300000 /dev/zero; echo err >&2", output_limit=Bytes(100_000))
        result = await self.run(command)
        assert len(result.stdout) == 100_000
        assert (result.stdout_truncated, result.stderr_truncated, result.stderr) == (True, False, b"err\n")
        assert result.exit_code == 0

    async def test_output_below_the_limit_is_whole_and_not_marked(self) -> None:
        result = await self.run(shell("head -c 100000 /dev/zero", output_limit=Bytes(100_000)))
        assert (len(result.stdout), result.stdout_truncated) == (100_000, False)
