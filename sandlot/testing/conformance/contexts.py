"""Contexts: interpreters that keep their state, and what becomes of them; or a refusal."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

import pytest

from sandlot.contracts.capability import Feature, require
from sandlot.contracts.cell_result import CellResult, fold
from sandlot.contracts.cells import Begun, Cell, CellEvent, CellStatus, Finished, InputAsked, Streamed
from sandlot.contracts.contexts import Context, ContextEnd, Contexts, ContextSpec
from sandlot.contracts.engine import Box
from sandlot.contracts.errors import Conflict, Unsupported
from sandlot.contracts.quantity import Seconds
from sandlot.testing.suite import Suite

LONG = Seconds(25)


async def opened(box: Box, spec: ContextSpec | None = None) -> Context:
    """A context of *box*; ask only where Feature.CONTEXTS is offered."""
    contexts: Contexts = cast("Any", box)
    return await contexts.open_context(spec or ContextSpec())


async def told(context: Context, code: str, **rest: Any) -> CellResult:
    """What a cell of *code* amounts to."""
    cell = Cell(code, **{"timeout": LONG, **rest})
    return fold([event async for event in context.run(cell)])


async def until(events: AsyncIterator[CellEvent], kind: type[CellEvent]) -> CellEvent:
    """The next event of *kind*."""
    async for event in events:
        if isinstance(event, kind):
            return event
    raise AssertionError(f"the cell ended without {kind.__name__}")


class ContextTests(Suite):
    """Cells, what they tell, and how interpreters end."""

    @asynccontextmanager
    async def context(self) -> AsyncIterator[Context]:
        """A context in the shared box."""
        if not self.offers(Feature.CONTEXTS):
            pytest.skip(f"engine {self.engine_name} has no contexts: their refusal is tested")
        context = await opened(await self.bench.shared_box())
        try:
            yield context
        finally:
            await context.close()

    async def test_contexts_are_refused_where_there_are_none(self) -> None:
        if not self.offers(Feature.CONTEXTS):
            box = await self.bench.shared_box()
            with pytest.raises(Unsupported):
                require(Feature.CONTEXTS, box.features, engine=box.engine)

    async def test_names_live_from_cell_to_cell(self) -> None:
        async with self.context() as context:
            assert context.facts.language == "python"
            await told(context, "import math\ndef area(r): return math.floor(math.pi * r * r)")
            found = await told(context, "area(2)")
            assert (found.status, found.execution_count) == (CellStatus.OK, 2)
            assert found.result is not None
            assert found.result.data["text/plain"] == "12"
            again = await told(context, "area(2);", store_history=False)
            assert (again.result, again.execution_count) == (None, 3)

    async def test_a_cell_may_await(self) -> None:
        async with self.context() as context:
            found = await told(context, "import asyncio\nawait asyncio.sleep(0.01)\nasyncio.__name__")
            assert found.bundles == ({"text/plain": "'asyncio'"},)

    async def test_what_children_wrote_is_told_before_the_end(self) -> None:
        async with self.context() as context:
            for number in range(30):
                line = f"print({number})" if number % 2 else f"import os; _ = os.system('echo {number}')"
                assert (await told(context, line)).stdout == f"{number}\n"

    async def test_streams_are_told_apart_and_in_order(self) -> None:
        code = "import sys\nfor n in range(3): print(n); print('e', n, file=sys.stderr)"
        async with self.context() as context:
            events = [event async for event in context.run(Cell(code, timeout=LONG))]
        assert isinstance(events[0], Begun)
        assert isinstance(events[-1], Finished)
        shown = "".join(event.text for event in events if isinstance(event, Streamed))
        assert shown == "0\ne 0\n1\ne 1\n2\ne 2\n"
        assert fold(events).stdout == "0\n1\n2\n"

    async def test_displays_carry_bundles_and_can_be_updated(self) -> None:
        code = """
class Shown:
    def _repr_html_(self): return '<b>x</b>'
    def _repr_png_(self): return b'\\x89PNG'
    def __repr__(self): return 'x'
handle = display(Shown(), display_id=True)
handle.update(7)
display({'application/json': {'a': [1, None]}, 'text/plain': 'j'}, raw=True)
Shown()
"""
        async with self.context() as context:
            found = await told(context, code)
        assert found.status is CellStatus.OK, found
        first, second, last = found.bundles
        assert first["text/plain"] == "7"
        assert second["application/json"] == {"a": [1, None]}
        assert last == {"text/plain": "x", "text/html": "<b>x</b>", "image/png": "iVBORw=="}

    async def test_an_error_shows_the_code_of_its_user_only(self) -> None:
        async with self.context() as context:
            await told(context, "def divide(a):\n    return a / 0")
            found = await told(context, "print('before')\ndivide(1)\nprint('after')")
        assert found.error is not None
        assert (found.status, found.error.name, found.stdout) == (
            CellStatus.ERROR,
            "ZeroDivisionError",
            "before\n",
        )
        shown = "\n".join(found.error.traceback)
        assert "sandlot" not in shown
        assert "divide" in shown

    async def test_code_that_is_none_is_an_error(self) -> None:
        async with self.context() as context:
            found = await told(context, "def f(:")
            assert found.error is not None
            assert found.error.name == "SyntaxError"
            assert (await told(context, "print(1)")).ok

    @pytest.mark.parametrize(
        "code", ["while True: pass", "import time; time.sleep(60)", "await __import__('asyncio').sleep(60)"]
    )
    async def test_an_interrupt_ends_a_cell_and_keeps_the_state(self, code: str) -> None:
        async with self.context() as context:
            await told(context, "kept = 5")
            events = context.run(Cell(f"print('now')\n{code}", timeout=LONG))
            await until(events, Streamed)
            await context.interrupt()
            end = await until(events, Finished)
            assert cast("Finished", end).status is CellStatus.INTERRUPTED
            assert (await told(context, "print(kept)")).stdout == "5\n"

    async def test_a_timeout_interrupts_and_keeps_the_state(self) -> None:
        async with self.context() as context:
            found = await told(context, "kept = 6\nimport time\ntime.sleep(60)", timeout=Seconds(0.3))
            assert found.status is CellStatus.TIMEOUT
            assert (await told(context, "print(kept)")).stdout == "6\n"

    async def test_who_does_not_heed_the_interrupt_is_killed(self) -> None:
        code = (
            "import signal, time\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\nwhile True: time.sleep(0.01)"
        )
        async with self.context() as context:
            found = await told(context, code, timeout=Seconds(0.3))
            assert found.status is CellStatus.TIMEOUT
            assert (await context.ended()).end is ContextEnd.TIMEOUT
            assert (await told(context, "1")).status is CellStatus.DIED

    async def test_input_is_answered_by_the_client(self) -> None:
        code = (
            "name = input('who? ')\nimport getpass\nword = getpass.getpass('word? ')\nprint(name, len(word))"
        )
        async with self.context() as context:
            events = context.run(Cell(code, timeout=LONG, allow_input=True))
            assert await until(events, InputAsked) == InputAsked("who? ")
            await context.answer("me é")
            assert await until(events, InputAsked) == InputAsked("word? ", password=True)
            await context.answer("abc")
            assert "me é 3" in fold([event async for event in events]).stdout
            with pytest.raises(Conflict):
                await context.answer("nobody asked")

    async def test_without_a_client_input_is_an_error(self) -> None:
        async with self.context() as context:
            found = await told(context, "input()")
            assert found.status is CellStatus.ERROR
            assert (await told(context, "import sys; sys.stdin.readline()")).status is CellStatus.ERROR

    @pytest.mark.parametrize(
        ("code", "detail"),
        [("import os; os._exit(3)", "exit code 3"), ("import os; os.kill(os.getpid(), 9)", "signal 9")],
    )
    async def test_the_death_of_an_interpreter_is_told(self, code: str, detail: str) -> None:
        async with self.context() as context:
            found = await told(context, code)
            assert found.status is CellStatus.DIED
            assert detail in (found.detail or "")
            assert (await context.ended()).end is ContextEnd.EXITED
            assert (await told(context, "1")).status is CellStatus.DIED
            with pytest.raises(Conflict):
                await context.is_complete("1")
            await context.restart()
            assert (await told(context, "print('again')")).stdout == "again\n"

    async def test_exit_ends_the_interpreter_after_its_cell(self) -> None:
        async with self.context() as context:
            await told(context, "exit()")
            assert (await context.ended()).end is ContextEnd.EXITED

    async def test_a_restart_forgets_and_ends_what_runs(self) -> None:
        async with self.context() as context:
            await told(context, "kept = 1")
            events = context.run(Cell("print('now')\nwhile True: pass", timeout=LONG))
            await until(events, Streamed)
            await context.restart()
            assert cast("Finished", await until(events, Finished)).status is CellStatus.DIED
            found = await told(context, "kept")
            assert found.error is not None
            assert found.execution_count == 1

    async def test_cells_of_one_context_run_one_by_one_in_order(self) -> None:
        async with self.context() as context:
            await told(context, "done = []")
            cells = (told(context, f"done.append({number})") for number in range(10))
            assert all(found.ok for found in await asyncio.gather(*cells))
            assert (await told(context, "print(done == sorted(done), len(done))")).stdout == "True 10\n"

    async def test_many_contexts_of_a_box_are_apart(self) -> None:
        if not self.offers(Feature.CONTEXTS):
            pytest.skip(f"engine {self.engine_name} has no contexts: their refusal is tested")
        async with self.box() as box:
            contexts = [await opened(box) for _ in range(20)]
            await asyncio.gather(
                *(told(each, f"import random; mine = {number}") for number, each in enumerate(contexts))
            )
            found = await asyncio.gather(*(told(each, "print(mine, random.random())") for each in contexts))
            words = [each.stdout.split() for each in found]
            assert [word[0] for word in words] == [str(number) for number in range(20)]
            assert len({word[1] for word in words}) == 20
            assert len(await cast("Contexts", cast("Any", box)).contexts()) == 20
        assert (await contexts[0].ended()).end is ContextEnd.BOX_DIED
