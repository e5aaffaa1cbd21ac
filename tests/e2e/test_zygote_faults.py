"""E01 to E06 and E15 for engine zygote under its pool: whoever is killed, nothing is lost without need."""

from __future__ import annotations

import asyncio
import contextlib
import os
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import cast

import pytest

from sandlot.contracts.engine import Box
from sandlot.contracts.errors import SandlotError
from sandlot.contracts.events import Event, Reason, Stdout
from sandlot.contracts.quantity import Seconds
from sandlot.contracts.result import Result
from sandlot.contracts.spec import SandboxSpec
from sandlot.pool.pool import ParkingEngine, Pool
from sandlot.pool.stock import Rules
from sandlot.testing import leaks
from sandlot.testing.engines import make_engine
from sandlot.testing.host_processes import adopt_orphans
from sandlot.testing.suite import NAP, collect, end_of, python, shell, stop
from tests.e2e.standing import kill, standing

pytestmark = [
    pytest.mark.engine,
    pytest.mark.faults,
    pytest.mark.needs_engine("zygote"),
    pytest.mark.timeout(180),
]

_DEPTH = 3
_HARMLESS = ("zygote", "spare of a parked box", "parked box")
_DEADLY = ("warden", "keeper", "stub")


@pytest.mark.parametrize("victim", _HARMLESS)
def test_e02_a_kill_that_loses_nobody_anything(victim: str) -> None:
    async def scenario(pool: Pool) -> None:
        async with _busy(pool) as (running, idle):
            await _killed(_victims(victim))
            began = time.monotonic()
            for number in range(6):
                result = await _one_shot(pool, number)
                assert result.ok, (number, result)
            assert time.monotonic() - began < 5  # a promise with a number belongs to the bench
            assert (await collect(idle, shell("echo well"))).stdout == b"well\n"
            assert not running.done()

    _with_pool(scenario)


@pytest.mark.parametrize("victim", _DEADLY)
def test_e03_a_kill_that_takes_boxes_along_is_told_and_the_next_box_comes(victim: str) -> None:
    async def scenario(pool: Pool) -> None:
        async with _busy(pool) as (running, idle):
            kill(_victims(victim))
            async with asyncio.timeout(2):
                last = await running
                await idle.ended()
            await asyncio.sleep(0.02)  # the other boxes' ends are told one after the other
            reason = getattr(last, "reason", None) or getattr(last, "code", None)
            assert reason in (Reason.BOX_DIED, "box_died"), last
            for number in range(6):
                result = await _one_shot(pool, number)
                assert result.ok, (number, result)

    _with_pool(scenario)


def test_a_claimed_box_whose_spare_is_killed_still_runs_its_command() -> None:
    async def scenario(pool: Pool) -> None:
        box = await pool.create(SandboxSpec())
        await _killed(standing("spare"))
        result = await collect(box, python("print('here')"))
        assert result.stdout == b"here\n"
        await box.close()

    _with_pool(scenario)


def test_e03_a_box_whose_first_process_is_killed_in_a_command_is_told() -> None:
    async def scenario(pool: Pool) -> None:
        box = await pool.create(SandboxSpec())
        events = box.run(shell(f"echo up; {NAP}", timeout=None))
        await _up(events)
        await _killed(standing("box"))
        async with asyncio.timeout(2):
            last = await end_of(events)
        assert getattr(last, "reason", None) is Reason.BOX_DIED or getattr(last, "code", "") == "box_died"
        assert (await _one_shot(pool, 1)).ok

    _with_pool(scenario)


def test_e02_requests_during_the_death_of_a_zygote_are_all_served() -> None:
    async def scenario(pool: Pool) -> None:
        async def caller(first: int) -> None:
            for number in range(first, first + 12):
                result = await _one_shot(pool, number)
                assert result.ok, (number, result)

        async with asyncio.TaskGroup() as callers:
            for first in (0, 100, 200):
                callers.create_task(caller(first))
            for _ in range(3):
                kill(standing("zygote"))
                await asyncio.sleep(0.15)  # lets callers go on: what is tested is any moment of theirs

    _with_pool(scenario)


def test_e15_requests_during_the_death_of_a_warden_have_defined_ends() -> None:
    async def scenario(pool: Pool) -> None:
        ends: list[str] = []

        async def caller(first: int) -> None:
            for number in range(first, first + 12):
                try:
                    result = await _one_shot(pool, number)
                    ends.append(result.reason.value)
                except SandlotError as error:
                    ends.append(error.code)

        async with asyncio.TaskGroup() as callers:
            for first in (0, 100, 200):
                callers.create_task(caller(first))
            for victim in ("warden", "keeper", "warden"):
                await asyncio.sleep(0.1)  # as above
                kill(_victims(victim))
        assert len(ends) == 36
        assert set(ends) <= {"exited", "box_died", "start_failed"}, ends
        assert ends.count("exited") >= 24, ends
        assert (await _one_shot(pool, 1)).ok

    _with_pool(scenario)


def test_e01_a_keeper_that_is_killed_while_a_zygote_loads_is_replaced() -> None:
    async def scenario(pool: Pool) -> None:
        for victim in ("warden", "keeper"):
            await _killed(_victims(victim))
        # The pool begins to make boxes again by itself, and the next keeper dies under it as well.
        async with asyncio.timeout(10):
            while not standing("warden"):  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(0.001)
        await _killed(_victims("keeper"))
        with contextlib.suppress(SandlotError):  # whoever waited through all three deaths may be told so
            await _one_shot(pool, 1)
        for number in range(3):
            assert (await _one_shot(pool, number)).ok

    _with_pool(scenario)


def test_d03_cycles_through_the_pool_leave_nothing_and_no_box_serves_twice(
    request: pytest.FixtureRequest,
) -> None:
    cycles = 2 * int(request.config.getoption("--cycles"))

    async def scenario(pool: Pool) -> None:
        before, seen = None, set()
        for number in range(cycles + 10):
            result = await _one_shot(pool, number)
            assert result.ok, (number, result)
            seen.add(result.text.strip())
            if number == 9:
                before = await _counted(pool)
        assert len(seen) == cycles + 10
        assert before is not None
        after = await _counted(pool)
        assert after <= before, (before, after)

    _with_pool(scenario)


def _with_pool(scenario: Callable[[Pool], Awaitable[None]]) -> None:
    """Run *scenario* on a filled pool; afterwards all is as before."""
    adopt_orphans()

    async def whole() -> tuple[str, ...]:
        before = leaks.snapshot()
        pool = Pool(cast("ParkingEngine", make_engine("zygote")), Rules(depth=_DEPTH))
        try:
            pool.warm([SandboxSpec()])
            await _filled(pool)
            await scenario(pool)
        finally:
            await pool.close()
        return leaks.difference(before, await leaks.settled(before))

    assert [line for line in asyncio.run(whole()) if not _is_others(line)] == []


def _is_others(line: str) -> bool:
    """Whether it is of the temporary directory, where other suites have theirs at the same time."""
    return line.startswith("temporary: ") or tempfile.gettempdir() in line


async def _filled(pool: Pool) -> None:
    async with asyncio.timeout(20):
        while sum(supply.ready for supply in pool.supplies()) < _DEPTH:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.01)


async def _counted(pool: Pool) -> tuple[int, int, int]:
    """Processes, descriptors of this process, and of the keeper, with a full pool."""
    await _filled(pool)
    await asyncio.sleep(0.1)  # the last box goes
    (keeper,) = standing("keeper")
    return (
        len(standing("box")) + len(standing("spare")),
        len(os.listdir("/proc/self/fd")),
        len(os.listdir(f"/proc/{keeper}/fd")) if os.geteuid() == 0 else 0,  # else nobody may look
    )


@asynccontextmanager
async def _busy(pool: Pool) -> AsyncIterator[tuple[asyncio.Task[Event | SandlotError], Box]]:
    """The end of a command that runs, and a box that does nothing; the pool is full again."""
    working, idle = await pool.create(SandboxSpec()), await pool.create(SandboxSpec())
    events = working.run(shell(f"echo up; {NAP}", timeout=None))
    await _up(events)
    await _filled(pool)
    running = asyncio.ensure_future(end_of(events))
    try:
        yield running, idle
    finally:
        if not running.done():
            running.cancel()
            await asyncio.wait([running])
            await stop(events)
        for box in (working, idle):
            await box.close()


async def _killed(pids: list[int]) -> None:
    """Kill them and wait until their parents have taken note; who is asked before may still name the dead."""
    kill(pids)
    async with asyncio.timeout(2):
        while any(os.path.exists(f"/proc/{pid}") for pid in pids):  # noqa: ASYNC110, ASYNC240 - nobody tells
            await asyncio.sleep(0.001)
    await asyncio.sleep(0.02)  # the keeper's news reaches us


async def _up(events: AsyncIterator[Event]) -> None:
    async for event in events:
        if isinstance(event, Stdout):
            return


_LOOK = """
import os, sys
here = [place for place in ('/tmp', '/dev/shm', '/workspace', '/var/tmp') if os.listdir(place)]
for place in ('/tmp', '/dev/shm', '/workspace'):
    open(place + '/mark', 'w').close()
print({number}, os.urandom(8).hex())
sys.exit(bool(here))
"""


async def _one_shot(pool: Pool, number: int) -> Result:
    """A box that finds nothing of an earlier one, and leaves marks for the next."""
    box = await pool.create(SandboxSpec())
    try:
        return await collect(box, python(_LOOK.format(number=number), timeout=Seconds(10)))
    finally:
        await box.close()


def _victims(victim: str) -> list[int]:
    if victim in ("zygote", *_DEADLY):
        return standing(victim)
    # Boxes are made one after the other: the two oldest were claimed.
    parked = sorted(standing("box"))[2:]
    if victim == "parked box":
        return parked
    spares = standing("spare")
    return [pid for pid in spares if _parent(pid) in parked]


def _parent(pid: int) -> int:
    with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
        return int(file.read().rpartition(")")[2].split()[1])
