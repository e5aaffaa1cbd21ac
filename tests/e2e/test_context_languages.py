"""Another language in the environment `default`: bash, by its Jupyter kernel, behind all walls."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest

from sandlot.contracts.cell_result import CellResult, fold
from sandlot.contracts.cells import Cell, CellStatus, Finished, Streamed
from sandlot.contracts.contexts import Context, ContextEnd, Contexts, ContextSpec
from sandlot.contracts.errors import Unsupported
from sandlot.contracts.quantity import Seconds
from sandlot.testing.conformance.contexts import until
from tests.e2e.test_contexts_ipython import lent

pytestmark = pytest.mark.engine
LONG = Seconds(45)


async def told(context: Context, code: str) -> CellResult:
    return fold([event async for event in context.run(Cell(code, timeout=LONG))])


async def spoken(name: str) -> None:
    async with lent(name) as box:
        contexts = cast("Contexts", cast("Any", box))
        try:
            context = await contexts.open_context(ContextSpec("bash", env={"OF_IT": "yes"}))
        except Unsupported as error:
            if "has no Jupyter kernel" not in error.message:
                raise
            pytest.skip(f"{error}; `make run` builds the environment anew")
        assert (context.facts.language, context.facts.shell) == ("bash", "bash_kernel")
        await speak(context)
        with pytest.raises(Unsupported, match=r"for cobol; its languages: bash, python"):
            await contexts.open_context(ContextSpec("cobol"))


async def speak(context: Context) -> None:
    assert (await told(context, "kept=4; cd /tmp; echo $OF_IT")).stdout.strip() == "yes"
    found = await told(context, "echo $kept; pwd; false")
    assert (found.status, found.execution_count, found.stdout) == (CellStatus.ERROR, 2, "4\n/tmp\n")
    assert "echo" in (await context.complete("ech", 3)).matches
    assert [each.code for each in await context.history(1)] == ["echo $kept; pwd; false"]
    # Said by the child that sleeps: one that bash is about to start may miss what interrupts bash.
    events = context.run(Cell("sh -c 'echo on; exec sleep 60'", timeout=LONG))
    await until(events, Streamed)
    await context.interrupt()
    assert cast("Finished", await until(events, Finished)).status is CellStatus.INTERRUPTED
    assert (await told(context, "echo $kept")).stdout.strip() == "4"
    with pytest.raises(Unsupported, match="fork"):
        await context.fork()
    assert (await told(context, "kill -9 $PPID")).status is CellStatus.DIED
    assert (await context.ended()).end is ContextEnd.EXITED


@pytest.mark.parametrize("name", ["zygote", "bubblewrap"])
def test_bash_keeps_its_state_is_interrupted_and_tells_its_end(name: str) -> None:
    asyncio.run(asyncio.wait_for(spoken(name), 55))
