"""Copies of live interpreters: forks that go apart, checkpoints to go back to, and what makes them unsafe."""

from __future__ import annotations

import asyncio
from typing import cast

import pytest

from sandlot.contracts.cells import Cell, CellStatus, Finished, InputAsked, Streamed
from sandlot.contracts.contexts import Checkpoint, ContextEnd
from sandlot.contracts.errors import Conflict, NotFound, SandlotError

from .contexts import LONG, ContextTests, told, until

_UNSAFE = (
    (
        "import threading, time; threading.Thread(target=time.sleep, args=(60,), daemon=True).start()",
        "Thread",
    ),
    ("import subprocess; child = subprocess.Popen(['sleep', '60'])", "child processes"),
    ("import socket; pair = socket.socketpair()", "open sockets"),
    ("import tempfile; file = tempfile.TemporaryFile()", "files open for writing"),
    ("import asyncio\nasync def go(): return asyncio.create_task(asyncio.sleep(60))\nt = await go()", "loop"),
)
_HOSTILE = """
import os
for name in os.listdir('/proc/self/fd'):
    try:
        if int(name) > 63 and os.readlink('/proc/self/fd/' + name).startswith('socket:'):
            os.close(int(name))
    except OSError:
        pass
"""


class CheckpointTests(ContextTests):
    """fork, checkpoint and rollback."""

    async def test_a_fork_has_the_state_and_goes_on_apart(self) -> None:
        async with self.context() as context:
            await told(context, "import random, asyncio\nkept = [1]\nawait asyncio.sleep(0)")
            copy = await context.fork()
            try:
                assert (copy.spec, copy.id != context.id) == (context.spec, True)
                drawn = [await told(each, "print(random.random())") for each in (context, copy)]
                assert drawn[0].stdout == drawn[1].stdout != ""
                await told(context, "kept.append(2)")
                assert (await told(copy, "await asyncio.sleep(0)\nprint(kept)")).stdout == "[1]\n"
                assert (await told(copy, "import os; _ = os.system('echo child')")).stdout == "child\n"
                assert [each.code for each in await copy.history(1)]
                await context.close()
                another = await copy.fork()
                assert (await told(another, "print(kept)")).stdout == "[1]\n"
                await another.close()
            finally:
                await copy.close()

    async def test_a_fork_is_interrupted_and_asks_by_itself(self) -> None:
        async with self.context() as context:
            copy = await context.fork()
            cell = Cell("input('name? ')\nwhile True: pass", timeout=LONG, allow_input=True)
            asking, events = context.run(cell), copy.run(cell)
            await until(asking, InputAsked)
            await until(events, InputAsked)
            await copy.answer("me")
            await copy.interrupt()
            assert cast("Finished", await until(events, Finished)).status is CellStatus.INTERRUPTED
            await context.interrupt()
            assert cast("Finished", await until(asking, Finished)).status is CellStatus.INTERRUPTED
            await copy.close()

    async def test_a_fork_that_dies_is_told_and_nothing_else_ends(self) -> None:
        async with self.context() as context:
            copy = await context.fork()
            run = told(
                copy, "import os, subprocess; print(subprocess.Popen(['sleep', '60']).pid); os._exit(3)"
            )
            found = await asyncio.wait_for(run, 10)
            assert (found.status, found.detail) == (CellStatus.DIED, "exited: exit code 3")
            assert (await copy.ended()).end is ContextEnd.EXITED
            gone = f"import os; print(os.path.exists('/proc/{found.stdout.strip()}/fd'))"
            assert (await told(context, gone)).stdout == "False\n"
            await copy.close()

    async def test_a_rollback_brings_a_state_back_even_from_death(self) -> None:
        async with self.context() as context:
            await told(context, "kept = 1")
            first = await context.checkpoint()
            await told(context, "kept = 2")
            second = await context.checkpoint()
            assert await context.checkpoints() == (first, second)
            await context.rollback(first)
            assert (await told(context, "print(kept); kept = 3")).stdout == "1\n"
            assert (await told(context, "import os; os._exit(1)")).status is CellStatus.DIED
            await context.rollback(first)
            assert (await told(context, "print(kept)")).stdout == "1\n"
            await context.rollback(second)
            assert (await told(context, "print(kept)")).stdout == "2\n"
            await context.discard(second)
            await context.discard(second)
            with pytest.raises(NotFound):
                await context.rollback(second)
            with pytest.raises(NotFound):
                await context.rollback(Checkpoint("0" * 32))

    async def test_what_cannot_be_copied_is_refused_and_says_why(self) -> None:
        async with self.context() as context:
            for code, why in _UNSAFE:
                found = await told(context, code)
                assert found.ok, found
                with pytest.raises(Conflict, match=why):
                    await context.fork()
                await context.restart()
            events = context.run(Cell("print(1)\nwhile True: pass", timeout=LONG))
            await until(events, Streamed)
            with pytest.raises(Conflict, match="runs"):
                await context.checkpoint()
            await context.interrupt()
            await until(events, Finished)

    async def test_a_context_that_spoils_its_copies_harms_itself_alone(self) -> None:
        async with self.context() as context:
            await told(context, _HOSTILE)
            with pytest.raises(SandlotError):
                await context.fork()
            await context.restart()
            copy = await context.fork()
            await copy.close()
