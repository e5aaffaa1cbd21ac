"""A first process that is asked for more than one command after the other: no command notices the change."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Any

import pytest

from sandlot.contracts.command import Command
from sandlot.contracts.events import Event, Exited, Reason, Stdout
from sandlot.contracts.quantity import Seconds
from sandlot.contracts.spec import Limits, SandboxSpec

from .first import Play, on_a_box, result_of

__all__ = ["on_a_box"]  # a fixture

pytestmark = [pytest.mark.engine, pytest.mark.linux, pytest.mark.needs_engine("zygote")]

# Waits for a file that the host writes, and says so before and after.
_WAITS = """
import os, sys, time
print("waits", flush=True)
while not os.path.exists("go"):
    time.sleep(0.001)
print("goes on")
sys.exit(7)
"""
_WAITS_AS_SHELL = "echo waits; while [ ! -e go ]; do sleep 0.01; done; echo goes on; exit 7"
_WAITING = [Command(code=_WAITS), Command(argv=("sh", "-c", _WAITS_AS_SHELL))]
of_both_kinds = pytest.mark.parametrize("waiting", _WAITING, ids=["program", "argv"])


async def once(data: bytes) -> AsyncIterator[bytes]:
    yield data


async def until_it_waits(events: AsyncIterator[Event]) -> None:
    async for event in events:
        if isinstance(event, Stdout) and b"waits" in event.data:
            return


def test_a_program_that_no_order_has_room_for_runs_all_the_same(on_a_box: Play) -> None:
    async def scene(box: Any) -> None:
        for size in (70_000, 3_000_000):
            result = await result_of(box, Command(code=f"text = '{'x' * size}'\nprint(len(text))"))
            assert result.text == f"{size}\n"

    on_a_box(scene)


@of_both_kinds
def test_a_request_beside_a_command_changes_nothing_for_it(waiting: Command, on_a_box: Play) -> None:
    async def scene(box: Any) -> None:
        async with aclosing(box.run(waiting)) as events:
            await until_it_waits(events)
            rows = await box.processes()
            assert [(row["id"], row["running"]) for row in rows] == [("1", True)]
            beside = await result_of(box, Command(argv=("sh", "-c", "echo beside")))
            assert beside.stdout == b"beside\n"
            await box.write(PurePosixPath("/workspace/go"), once(b""))
            rest = [event async for event in events]
        assert b"".join(event.data for event in rest if isinstance(event, Stdout)) == b"goes on\n"
        assert isinstance(rest[-1], Exited)
        assert (rest[-1].reason, rest[-1].exit_code) == (Reason.EXITED, 7)
        assert (await result_of(box, Command(code="print(1)"))).text == "1\n"

    on_a_box(scene)


def test_limits_of_the_claim_hold_for_every_command(on_a_box: Play) -> None:
    async def scene(box: Any) -> None:
        code = "import resource\nprint(resource.getrlimit(resource.RLIMIT_NOFILE)[0])"
        assert [(await result_of(box, Command(code=code))).text for _ in range(2)] == ["77\n", "77\n"]
        await box.stat(PurePosixPath("/workspace"))
        assert (await result_of(box, Command(code=code))).text == "77\n"

    on_a_box(scene, SandboxSpec(limits=Limits(open_files=77)))


@of_both_kinds
def test_a_command_is_still_bounded_after_a_request_beside_it(waiting: Command, on_a_box: Play) -> None:
    async def scene(box: Any) -> None:
        begun = time.monotonic()
        async with aclosing(box.run(replace(waiting, timeout=Seconds(0.5)))) as events:
            await until_it_waits(events)
            await box.stat(PurePosixPath("/workspace"))
            rest = [event async for event in events]
        assert isinstance(rest[-1], Exited)
        assert rest[-1].reason is Reason.TIMEOUT
        assert 0.4 < time.monotonic() - begun < 5

    on_a_box(scene)


@of_both_kinds
def test_a_command_that_is_given_up_leaves_the_box_to_the_next(waiting: Command, on_a_box: Play) -> None:
    async def scene(box: Any) -> None:
        async with aclosing(box.run(waiting)) as events:
            await until_it_waits(events)
        assert (await result_of(box, Command(code="print(1)"))).text == "1\n"

    on_a_box(scene)
