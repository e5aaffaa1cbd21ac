"""How long a sandbox is held: renewed while its box lives, let go when its backend says that it has ended."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from sandlot.client.async_driver import AsyncDriver
from sandlot.contracts.errors import BoxDied, ConnectionLost, NotFound, SandlotError, Unauthorized
from sandlot.contracts.lease import Ending, EndReason, Lease, State
from sandlot.contracts.quantity import Seconds
from sandlot.contracts.service import SandboxStatus
from sandlot.contracts.spec import Isolation
from sandlot.engines.remote.box import VERBS
from sandlot.engines.remote.tenure import Tenure
from sandlot.wire import json_object
from sandlot.wire.http import Head, Request
from sandlot.wire.problems import problem, status_of
from sandlot.wire.statuses import status_to_json

UP = SandboxStatus("box", "memory", Isolation.VM, ("x",), Lease(Seconds(5.0), 10.0))
GONE = Ending(EndReason.OUT_OF_MEMORY, 5.0, "agent: too much")
BRIEF, LONG = 0.06, 3600.0


@dataclass
class _Exchange:
    head: Head
    body: bytes

    async def read(self, most: int = 65536) -> bytes:
        said, self.body = self.body[:most], self.body[most:]
        return said

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while said := await self.read():
            yield said


@dataclass
class Backend:
    """A sandlot server without a network. `answer` is how the sandbox ended, or what goes wrong."""

    answer: Ending | SandlotError | None = None
    asked: list[str] = field(default_factory=list)
    renewals: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(0))

    @asynccontextmanager
    async def open(self, request: Request, **_rest: Any) -> AsyncIterator[_Exchange]:
        self.asked.append(request.method)
        if request.target.endswith("touch"):
            self.renewals.release()
        if isinstance(self.answer, ConnectionLost):
            raise self.answer
        yield self._told(request.method)

    async def websocket(self, request: Request, protocols: Any = (), *, largest: int = 0) -> Any:
        raise NotImplementedError

    async def close(self) -> None:
        raise NotImplementedError

    def _told(self, method: str) -> _Exchange:
        if isinstance(self.answer, SandlotError):
            told = json_object.render(problem(self.answer, "r1"))
            return _Exchange(Head(status_of(self.answer), {}), told)
        if method == "DELETE":
            return _Exchange(Head(204, {}), b"")
        state = State.RUNNING if self.answer is None else State.STOPPED
        status = replace(UP, state=state, ending=self.answer)
        return _Exchange(Head(200, {}), json_object.render(status_to_json(status, "sbx-0")))


def _held(
    use: Callable[[Tenure, Backend], Awaitable[None]], lease: float = LONG, *, can_look: bool = True
) -> Backend:
    backend = Backend()

    async def run() -> None:
        over: list[Tenure] = []
        verbs = VERBS if can_look else replace(VERBS, look=None)
        tenure = Tenure(AsyncDriver(backend), "box", lease, verbs, over.append)
        try:
            async with asyncio.timeout(10):
                await use(tenure, backend)
        finally:
            backend.answer = None
            await tenure.close()
        assert over == [tenure]

    asyncio.run(run())
    return backend


def test_a_lease_is_renewed_again_and_again() -> None:
    async def use(tenure: Tenure, backend: Backend) -> None:
        for _ in range(8):
            await backend.renewals.acquire()
        tenure.demand()

    assert _held(use, BRIEF).asked[-1] == "DELETE"


def test_an_outage_shorter_than_the_lease_does_no_harm() -> None:
    async def use(tenure: Tenure, backend: Backend) -> None:
        backend.answer = ConnectionLost("the cable")
        await backend.renewals.acquire()
        backend.answer = None
        for _ in range(6):
            await backend.renewals.acquire()
        tenure.demand()

    _held(use, 0.6)


@pytest.mark.parametrize("error", [ConnectionLost("the cable"), Unauthorized("the key")])
def test_a_backend_that_is_not_reached_for_a_lease_has_ended_it(error: SandlotError) -> None:
    async def use(tenure: Tenure, backend: Backend) -> None:
        backend.answer = error
        ending = await tenure.ended()
        assert ending.reason is EndReason.EXPIRED
        with pytest.raises(BoxDied, match="not reached"):
            tenure.demand()

    _held(use, BRIEF, can_look=False)


@pytest.mark.parametrize("lease", [BRIEF, LONG])
@pytest.mark.parametrize(
    ("answer", "reason"), [(GONE, EndReason.OUT_OF_MEMORY), (NotFound("which box?"), EndReason.DELETED)]
)
def test_an_end_is_noticed_by_a_renewal_and_by_whoever_waits(
    lease: float, answer: Ending | SandlotError, reason: EndReason
) -> None:
    async def use(tenure: Tenure, backend: Backend) -> None:
        waiting = asyncio.ensure_future(tenure.ended()) if lease == LONG else None
        backend.answer = answer
        ending = await (tenure.ended() if waiting is None else waiting)
        assert ending.reason is reason
        assert await tenure.ended() is ending

    _held(use, lease, can_look=lease == LONG)


def test_a_death_that_a_command_told_is_the_end_whatever_the_name_means_now() -> None:
    async def use(tenure: Tenure, _backend: Backend) -> None:
        await tenure.died("launcher")
        assert (await tenure.ended()).reason is EndReason.BOX_DIED
        with pytest.raises(BoxDied, match="launcher"):
            tenure.demand()

    _held(use)


def test_a_death_is_told_in_the_backends_words_where_it_has_any() -> None:
    async def use(tenure: Tenure, backend: Backend) -> None:
        backend.answer = GONE
        await tenure.died("agent")
        assert await tenure.ended() == GONE

    _held(use)


def test_closing_is_an_end_of_our_own_and_asks_once() -> None:
    async def use(tenure: Tenure, _backend: Backend) -> None:
        waiting = asyncio.ensure_future(tenure.ended())
        await tenure.close()
        await tenure.close()
        assert (await waiting).reason is EndReason.KILLED

    assert _held(use).asked.count("DELETE") == 1


def test_what_cannot_be_told_to_end_is_asked_again_and_never_used_again() -> None:
    async def use(tenure: Tenure, backend: Backend) -> None:
        backend.answer = ConnectionLost("the cable")
        with pytest.raises(ConnectionLost):
            await tenure.close()
        with pytest.raises(BoxDied):
            tenure.demand()

    assert _held(use).asked.count("DELETE") == 2


def test_a_sandbox_that_is_gone_already_is_closed() -> None:
    async def use(tenure: Tenure, backend: Backend) -> None:
        backend.answer = NotFound("which box?")
        await tenure.close()

    _held(use)
