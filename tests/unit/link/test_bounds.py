"""Bounds on the host that an agent, taken for hostile, may not move."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import PurePosixPath

import pytest

from sandlot.contracts.command import Command
from sandlot.contracts.errors import OutputTooLarge, SandlotError
from sandlot.contracts.events import Event, Exited, Reason
from sandlot.contracts.quantity import Seconds
from sandlot.link import replies
from sandlot.link.calls import Patience
from sandlot.wire.frames import Kind
from tests.unit.link.fake_agent import Stage, stage

FOREVER = 8.0


async def _all(on: Stage, command: Command) -> list[Event]:
    return [event async for event in on.box.run(command)]


def test_an_agent_that_starts_a_command_again_and_again_does_not_move_its_deadline() -> None:
    async def scene() -> Exited:
        async with stage() as on:
            running = asyncio.ensure_future(_all(on, Command(argv=("true",), timeout=Seconds(0.3))))
            await on.agent.frame(Kind.OPEN)
            for _ in range(40):
                if running.done():
                    break
                on.agent.started(1)
                await asyncio.wait([running], timeout=0.1)
            async with asyncio.timeout(1.0):
                end = (await running)[-1]
            assert isinstance(end, Exited)
            assert end.duration < 2.0
            return end

    assert asyncio.run(scene()).reason in (Reason.TIMEOUT, Reason.BOX_DIED)


def test_the_output_of_a_background_process_has_a_bound() -> None:
    async def scene() -> int:
        sent = 0
        async with stage() as on:
            asking = asyncio.ensure_future(on.box.output("1"))
            await on.agent.frame(Kind.OPEN)
            for _ in range(100):
                for _ in range(4):
                    on.agent.send(Kind.OUTPUT, 1, bytes(65536))
                    sent += 65536
                credit = asyncio.ensure_future(on.agent.frame(Kind.CREDIT))
                await asyncio.wait([asking, credit], return_when=asyncio.FIRST_COMPLETED, timeout=2)
                credit.cancel()
                if asking.done():
                    break
            asking.cancel()
            with contextlib.suppress(SandlotError, asyncio.CancelledError):
                await asking
        return sent

    assert asyncio.run(scene()) < 8 * 2**20


@pytest.mark.parametrize("kind", [Kind.EVENT, Kind.OUTPUT])
def test_an_agent_that_talks_without_answering_loses_its_box(kind: int) -> None:
    async def scene() -> None:
        async with stage(patience=Patience(silence=0.3)) as on:
            asking = asyncio.ensure_future(on.box.mkdir(PurePosixPath("/workspace/a")))
            await on.agent.frame(Kind.OPEN)
            for _ in range(200):
                if asking.done():
                    break
                on.agent.send(kind, 1, {"event": "still at it"} if kind == Kind.EVENT else b"x")
                await asyncio.wait([asking], timeout=0.02)
            assert asking.done()
            with pytest.raises(SandlotError):
                await asking

    asyncio.run(scene())


def test_waiting_for_a_process_with_a_timeout_does_not_trust_the_agent_to_keep_it() -> None:
    async def scene() -> None:
        async with stage(patience=Patience(silence=0.3)) as on:
            async with asyncio.timeout(FOREVER):
                with pytest.raises(SandlotError):
                    await on.box.wait("1", 0.2)

    asyncio.run(scene())


def test_a_standard_input_that_fails_does_not_leave_the_program_waiting_for_more() -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield b"half"
        raise ValueError("the source of the input broke")

    async def scene() -> None:
        async with stage() as on:
            running = asyncio.ensure_future(_all(on, Command(argv=("cat",), stdin=broken(), timeout=None)))
            await on.agent.frame(Kind.OPEN)
            on.agent.started(1)
            async with asyncio.timeout(FOREVER / 4):
                told = await on.agent.frame(Kind.CANCEL, Kind.INPUT_END)
            assert told.kind == Kind.CANCEL
            on.agent.done(1, reason="killed", exit_code=None, signal=9)
            with pytest.raises(ValueError, match="broke"):
                await running

    asyncio.run(scene())


def test_a_directory_of_huge_entries_is_refused_before_it_fills_the_memory() -> None:
    entry = {
        "name": "n" * 4000,
        "path": "/workspace/" + "p" * 4000,
        "kind": "symlink",
        "size": 0,
        "mode": 0,
        "mtime": 0,
        "target": "t" * 4000,
    }

    async def listing(on: Stage) -> None:
        async for _ in on.box.list(PurePosixPath("/workspace")):
            pass

    async def scene() -> None:
        async with stage() as on:
            asking = asyncio.ensure_future(listing(on))
            await on.agent.frame(Kind.OPEN)
            for _ in range(30_000):
                on.agent.send(Kind.EVENT, 1, {"entry": entry})
                await on.agent._channel.drained()
                await asyncio.sleep(0)
                if not on.agent._frames.empty():
                    break  # CANCEL
            on.agent.done(1)
            with pytest.raises(OutputTooLarge):
                await asking

    asyncio.run(scene())


@pytest.mark.parametrize("mtime", [2.0**63, -(2.0**63)])
def test_the_latest_time_a_file_can_have_is_no_breach(mtime: float) -> None:
    """A payload sets it with utime(2); its caller lists the directory and must not lose the box for it."""
    told = {"name": "f", "path": "/workspace/f", "kind": "file", "size": 0, "mode": 0, "mtime": mtime}
    assert replies.entry(told, str)["mtime"] == mtime


def test_an_agent_that_is_starved_at_the_timeout_keeps_its_box() -> None:
    async def scene() -> tuple[Event, int]:
        async with stage() as on:
            running = asyncio.ensure_future(_all(on, Command(argv=("sleep",), timeout=Seconds(0.05))))
            await on.agent.frame(Kind.OPEN)
            on.agent.started(1)
            await asyncio.sleep(0.05 + 0.6)  # the subject: a machine so busy that the agent does not run
            on.agent.done(1, reason="timeout", exit_code=None, signal=9)
            return (await running)[-1], on.life.kills

    end, kills = asyncio.run(scene())
    assert isinstance(end, Exited)
    assert (end.reason, kills) == (Reason.TIMEOUT, 0)


def test_a_box_that_cannot_be_killed_does_not_hold_its_caller() -> None:
    async def scene() -> None:
        async with stage(patience=Patience(death=0.2)) as on:
            kill = on.life.kill

            async def helpless() -> None:
                """As a keeper whose box is stuck in the kernel."""

            on.life.kill = helpless  # type: ignore[method-assign]
            running = asyncio.ensure_future(_all(on, Command(argv=("true",), timeout=Seconds(0.2))))
            await on.agent.frame(Kind.OPEN)
            on.agent.started(1)
            try:
                async with asyncio.timeout(FOREVER / 2):
                    end = (await running)[-1]
                assert isinstance(end, Exited)
                assert end.reason is Reason.TIMEOUT
            finally:
                on.life.kill = kill  # type: ignore[method-assign]

    asyncio.run(scene())
