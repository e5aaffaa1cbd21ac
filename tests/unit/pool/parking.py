"""An engine that parks boxes in a list, and a loop whose time passes only when nothing else is to be done."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import AsyncIterable, AsyncIterator, Callable, Coroutine
from pathlib import PurePosixPath
from typing import Any, TypeVar

from sandlot.contracts.capability import Feature, Viability
from sandlot.contracts.command import Command
from sandlot.contracts.engine import Parked
from sandlot.contracts.errors import NotFound, SandlotError, StartFailed
from sandlot.contracts.events import Event, Exited, Reason
from sandlot.contracts.lease import Ending, EndReason
from sandlot.contracts.spec import Isolation, SandboxSpec
from sandlot.pool.memory import Memory
from sandlot.pool.pool import Pool
from sandlot.pool.stock import Rules
from sandlot.pool.supply import Supply

Value = TypeVar("Value")
SYSTEM = SandboxSpec(environment="system")
TAILORED = SandboxSpec(environment="tailored")


class ParkedBox:
    """One box made ahead; `fate` is what became of it, and nothing happens to it twice."""

    def __init__(self, stock: str) -> None:
        self.stock = stock
        self.fate = "parked"
        self._gone: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    @property
    def is_gone(self) -> bool:
        return self._gone.done()

    def when_gone(self, callback: Callable[[], object]) -> None:
        self._gone.add_done_callback(lambda _: callback())

    async def discard(self) -> None:
        assert self.fate != "claimed", "a box that serves somebody was ended"
        self.fate = "dead" if self.fate == "dead" else "discarded"
        self._end()

    def die(self) -> None:
        assert self.fate == "parked"
        self.fate = "dead"
        self._end()

    def end(self) -> None:
        """It has served, and is gone."""
        assert self.fate == "claimed"
        self._end()

    def _end(self) -> None:
        if not self._gone.done():
            self._gone.set_result(None)

    def die_unseen(self) -> None:
        """It dies, and who watches it hears of that later."""
        self.fate = "dead"


class ClaimedBox:
    """A box that was parked, or made to measure."""

    isolation = Isolation.NAMESPACE
    enforced: tuple[str, ...] = ()
    features = Feature.NOTHING
    failover: tuple[str, ...] = ()

    def __init__(self, engine: str, parked: ParkedBox | None) -> None:
        self.engine, self.parked = engine, parked

    async def run(self, command: Command) -> AsyncIterator[Event]:
        yield Exited(Reason.EXITED, len(command.argv))

    async def put(self, path: PurePosixPath, tar: AsyncIterable[bytes]) -> None:
        raise NotImplementedError

    async def get(self, path: PurePosixPath) -> AsyncIterator[bytes]:
        yield bytes(path)

    async def ended(self) -> Ending:
        return Ending(EndReason.KILLED, 0.0)

    async def close(self) -> None:
        if self.parked is not None:
            self.parked.end()


class ParkingEngine:
    """Parks a box in `seconds`, or when `gate` is opened, if there is one; fails with `error` while there is.

    The environment `tailored` has no stock, and `unknown` is none.
    """

    name = "parking"
    isolation = Isolation.NAMESPACE
    parks = True

    def __init__(self, seconds: float = 0.003) -> None:
        self.seconds = seconds
        self.error: SandlotError | None = None
        self.refusal: SandlotError | None = None
        """What claims fail with."""
        self.gate: asyncio.Event | None = None
        self.parked: list[ParkedBox] = []
        self.made_to_measure = 0
        self.parking = 0
        self.most_parking = 0
        self.asked = 0
        self.swept = 0
        self.is_closed = False

    def stock(self, spec: SandboxSpec) -> str | None:
        if spec.environment == "unknown":
            raise NotFound("there is no environment 'unknown'")
        if spec.environment == "tailored":
            return None
        workspace = spec.workspace
        blank = "" if workspace is None or workspace.blank is None else f"/{workspace.blank.size}"
        return (spec.environment or "system") + blank

    async def park(self, stock: str) -> ParkedBox:
        self.asked += 1
        self.parking += 1
        self.most_parking = max(self.most_parking, self.parking)
        try:
            await (asyncio.sleep(self.seconds) if self.gate is None else self.gate.wait())
            if self.error is not None:
                raise self.error
            self.parked.append(ParkedBox(stock))
            return self.parked[-1]
        finally:
            self.parking -= 1

    async def claim(self, parked: Parked, spec: SandboxSpec) -> ClaimedBox:
        (box,) = (each for each in self.parked if each is parked)
        await asyncio.sleep(0)
        if box.fate == "dead":
            raise StartFailed("it died while it was parked")
        assert box.fate == "parked", f"a box was claimed that is {box.fate}"
        # A claim for a blank workspace can be served from the plain stock as well, never the other way round.
        asked = self.stock(spec) or ""
        assert asked == box.stock or asked.startswith(f"{box.stock}/")
        if self.refusal is not None:
            raise self.refusal
        box.fate = "claimed"
        return ClaimedBox(self.name, box)

    async def probe(self) -> Viability:
        return Viability(self.name, self.isolation)

    async def create(self, spec: SandboxSpec) -> ClaimedBox:
        assert self.stock(spec) is None
        self.made_to_measure += 1
        return ClaimedBox(self.name, None)

    async def sweep(self) -> int:
        self.swept += 1
        return 7

    async def close(self) -> None:
        self.is_closed = True

    def fates(self, fate: str) -> list[ParkedBox]:
        return [box for box in self.parked if box.fate == fate]


class Host:
    """A host whose memory is what the test says."""

    def __init__(self, available: int = 100) -> None:
        self.available = available
        self.asked = 0

    def remaining(self) -> Memory:
        self.asked += 1
        return Memory(self.available, 100)


class _Skipping(selectors.DefaultSelector):
    """Waits for nothing: time is added instead."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def select(self, timeout: float | None = None) -> list[Any]:
        found: list[Any] = super().select(0)
        if not found and timeout is None:
            raise AssertionError("everybody waits, and nothing will happen any more")
        if not found:
            self.now += timeout or 0.0
        return found


class SkippingLoop(asyncio.SelectorEventLoop):
    """A loop of which hours take no time: seconds pass when everybody waits for them."""

    def __init__(self) -> None:
        self._skipping = _Skipping()
        super().__init__(self._skipping)

    def time(self) -> float:
        return self._skipping.now


def play(scene: Callable[[], Coroutine[Any, Any, Value]]) -> Value:
    """What *scene* gives, played in time that passes at once; nothing of it may be left."""

    async def whole() -> Value:
        found = await scene()
        await settle()
        left = asyncio.all_tasks() - {asyncio.current_task()}
        assert not left, left
        return found

    with asyncio.Runner(loop_factory=SkippingLoop) as runner:
        return runner.run(whole())


async def settle(turns: int = 10) -> None:
    """Let everybody do what they can do now."""
    for _ in range(turns):
        await asyncio.sleep(0)


def pool_over(engine: ParkingEngine, host: Host | None = None, **rules: Any) -> Pool:
    return Pool(engine, Rules(**rules), (host or Host()).remaining)


def only(supplies: tuple[Supply, ...]) -> Supply:
    (found,) = supplies
    return found
