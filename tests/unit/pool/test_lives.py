"""Whatever happens in whatever order: no box serves twice, none is lost, and the bounds hold."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from hypothesis import given, settings
from hypothesis import strategies as st

from sandlot.contracts.engine import Box
from sandlot.contracts.errors import PoolExhausted, StartFailed
from sandlot.contracts.spec import SandboxSpec
from tests.unit.pool.parking import ClaimedBox, Host, ParkingEngine, play, pool_over, settle

DEPTH, AT_ONCE, WAITING = 3, 2, 5
MOMENTS = (0.0, 0.0, 0.001, 0.002, 0.01, 0.4, 0.5, 1.0, 6.0, 61.0, 100.0)


class World:
    """A pool, those who want boxes of it, and what befalls them; each step takes a number to choose by."""

    def __init__(self) -> None:
        self.engine, self.host = ParkingEngine(seconds=0.4), Host()
        bounds = {"depth": DEPTH, "at_once": AT_ONCE, "waiting": WAITING, "age": 60.0, "idle": 90.0}
        self.pool = pool_over(self.engine, self.host, **bounds)
        self.claims: list[asyncio.Task[Box]] = []
        self.steps: Mapping[str, Callable[[int], None]] = {
            "claim": lambda number: self.claims.append(
                asyncio.ensure_future(self.pool.create(_spec(number)))
            ),
            "warm": lambda number: self.pool.warm([_spec(number)]),
            "give up": self._give_up,
            "die": self._die,
            "break": self._break,
            "remain": self._remain,
        }

    def _give_up(self, number: int) -> None:
        if self.claims:
            self.claims[number % len(self.claims)].cancel()

    def _die(self, number: int) -> None:
        living = self.engine.fates("parked")
        if living:
            box = living[number % len(living)]
            box.die() if number % 2 else box.die_unseen()

    def _break(self, number: int) -> None:
        self.engine.error = StartFailed("broken") if number % 2 else None

    def _remain(self, number: int) -> None:
        self.host.available = (5, 12, 50)[number % 3]

    def look(self) -> None:
        """What always holds; that a box is claimed once and none that serves is ended, the engine asserts."""
        supplies = self.pool.supplies()
        assert self.engine.most_parking <= AT_ONCE
        assert sum(told.starting for told in supplies) <= AT_ONCE
        assert sum(told.waiting for told in supplies) <= WAITING
        assert all(told.ready <= DEPTH + AT_ONCE for told in supplies)
        served = [task.result() for task in self.claims if _how(task) is Box]
        parked = {id(box.parked) for box in served if isinstance(box, ClaimedBox)}
        assert len(parked) == len(served) <= len(self.engine.fates("claimed"))
        assert {_how(task) for task in self.claims} <= {None, Box, PoolExhausted, StartFailed}

    async def end(self) -> None:
        """Some minutes later nobody waits any more, whatever had happened, and closing leaves nothing."""
        self.engine.error = None
        await asyncio.sleep(200)
        assert all(task.done() for task in self.claims)
        self.look()
        await self.pool.close()
        await settle()
        assert not self.engine.fates("parked")
        assert not self.engine.parking


def _spec(number: int) -> SandboxSpec:
    return SandboxSpec(environment="ab"[number % 2])


def _how(task: asyncio.Task[Box]) -> type | None:
    """What became of a claim; None while it waits, and when it was given up."""
    if not task.done() or task.cancelled():
        return None
    error = task.exception()
    return Box if error is None else type(error)


STEPS = ("claim", "claim", "claim", "warm", "give up", "die", "break", "remain")


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(STEPS), st.integers(0, 50), st.sampled_from(MOMENTS)), max_size=60))
def test_no_box_serves_twice_and_none_is_lost(story: list[tuple[str, int, float]]) -> None:
    async def scene() -> None:
        world = World()
        for step, number, seconds in story:
            world.steps[step](number)
            await asyncio.sleep(seconds)
            world.look()
        await world.end()

    play(scene)
