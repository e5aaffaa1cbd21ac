"""Handlers run in fresh sandboxes of this process, whichever event loop asks.

The sandboxes live on a loop of their own: a program may call `asyncio.run` again and again, and what was made
on one loop cannot be used, or ended, on another.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import logging
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Awaitable, Coroutine, Optional, TypeVar

from sandlot.contracts.command import Command
from sandlot.contracts.errors import BoxDied, Unsupported
from sandlot.contracts.handler import Handler
from sandlot.contracts.quantity import Seconds
from sandlot.contracts.result import Result
from sandlot.contracts.service import RunRequest
from sandlot.contracts.spec import Network, SandboxSpec

from .sandbox.sandbox.config import SandboxConfig, ignored, limits_of

if TYPE_CHECKING:
    from sandlot.local.service import LocalService

Value = TypeVar("Value")
_NEEDS = (3, 11)
_DEEPEST = 64
_log = logging.getLogger("sandlot.compat.sandbox_runtime")


def require_python() -> None:
    """Raises Unsupported where this Python cannot make sandboxes."""
    if sys.version_info < _NEEDS:
        wanted, here = ("{}.{}".format(*version[:2]) for version in (_NEEDS, sys.version_info))
        raise Unsupported(
            f"sandboxes of this machine need Python {wanted} or later, this is {here}: use SharedEnvSandbox "
            "and a server"
        )


def tell_ignored(config: SandboxConfig) -> None:
    """Log what *config* says in vain."""
    names = ignored(config)
    if names:
        _log.warning("SandboxConfig: %s changes nothing here", ", ".join(names))


def usual_spec() -> SandboxSpec:
    """The spec that the settings of this machine amount to. Raises InvalidSpec."""
    from sandlot import settings
    from sandlot.local import asked

    return asked.spec_of(settings.load())


def spec_of(config: SandboxConfig) -> SandboxSpec:
    """The spec that *config* amounts to, over those settings. Raises InvalidSpec."""
    usual = usual_spec()
    network = Network.FULL if config.allow_network else Network.NONE
    return replace(usual, network=network, limits=limits_of(config).or_else(usual.limits))


class Boxes:
    """Runs handlers, each in a sandbox of *spec* that nobody had before and nobody has after it.

    *depth* are kept ready where an engine can make them ahead. *places* run at once, None for no bound of its
    own. Raises Unsupported before Python 3.11. For any number of event loops; `close` it.
    """

    def __init__(self, spec: SandboxSpec, depth: int = 0, places: Optional[int] = None) -> None:
        require_python()
        from sandlot.local.iteration import Background

        self._spec, self._depth = spec, min(depth, _DEEPEST)
        self._background = Background()
        self._places: Optional[asyncio.Semaphore] = None
        self._service: Optional[LocalService] = None
        self._busy = 0
        self._is_closed = False
        self._opening = self._background.begin(self._open(places))

    @property
    def busy(self) -> int:
        """How many places are taken."""
        return self._busy

    async def opened(self) -> None:
        """Return once handlers can be run. Raises the error that forbids it."""
        await asyncio.shield(asyncio.wrap_future(self._opening))

    async def run(self, code: str, handler: Handler, timeout: float, *, is_placed: bool = False) -> Result:
        """The Result of calling *handler* of *code*. *is_placed* says that `enter` has made room for it.

        Raises SandlotError kinds, BoxDied when `close` came before its end. Cancelling it ends the sandbox.
        """
        command = Command(code=code, handler=handler, timeout=Seconds(timeout))
        request = RunRequest(command, self._spec)
        return await self._there(self._ran(request) if is_placed else self._ran_in_place(request))

    async def enter(self, seconds: float) -> bool:
        """Take a place, which `leave` gives back; False when none came free in *seconds*. Raises BoxDied."""
        taking = self._begin(self._take(seconds))
        try:
            return await _heard(asyncio.shield(asyncio.wrap_future(taking)))
        except asyncio.CancelledError:
            # Nobody waits any more, and the place may be ours already or in a moment.
            taking.add_done_callback(self._give_back)
            raise

    async def leave(self) -> None:
        """Give a place back."""
        if not self._is_closed:
            await self._there(self._give())

    async def close(self) -> None:
        """End everything; once."""
        ending = self._begin(self._end())
        self._is_closed = True
        await asyncio.wrap_future(ending)
        self._background.close()

    def close_now(self) -> None:
        """As close, for code outside of any event loop."""
        ending = self._begin(self._end())
        self._is_closed = True
        ending.result()
        self._background.close()

    async def _there(self, work: Coroutine[Any, Any, Value]) -> Value:
        return await _heard(asyncio.wrap_future(self._begin(work)))

    def _begin(self, work: Coroutine[Any, Any, Value]) -> concurrent.futures.Future[Value]:
        if self._is_closed:
            work.close()
            raise _gone()
        return self._background.begin(work)

    def _give_back(self, taking: concurrent.futures.Future[bool]) -> None:
        is_taken = not taking.cancelled() and taking.exception() is None and taking.result()
        if is_taken and not self._is_closed:
            self._begin(self._give())

    async def _open(self, places: Optional[int]) -> None:
        self._places = None if places is None else asyncio.Semaphore(places)
        self._service = _service(self._spec, self._depth)

    async def _ran_in_place(self, request: RunRequest) -> Result:
        if self._places is None:
            return await self._ran(request)
        async with self._places:
            self._busy += 1
            try:
                return await self._ran(request)
            finally:
                self._busy -= 1

    async def _ran(self, request: RunRequest) -> Result:
        assert self._service is not None  # noqa: S101 - `opened` was waited for
        return await self._service.run(request)

    async def _take(self, seconds: float) -> bool:
        assert self._places is not None  # noqa: S101 - who has no places is not entered
        try:
            await asyncio.wait_for(self._places.acquire(), seconds)
        except asyncio.TimeoutError:
            return False
        self._busy += 1
        return True

    async def _give(self) -> None:
        if self._places is not None:
            self._busy -= 1
            self._places.release()

    async def _end(self) -> None:
        if self._service is not None:
            await self._service.close()


async def _heard(waiting: Awaitable[Value]) -> Value:
    """The value of *waiting*. Raises BoxDied when it was not its caller who ended it."""
    try:
        return await waiting
    except asyncio.CancelledError:
        caller = asyncio.current_task()
        if caller is None or caller.cancelling():
            raise
        raise _gone() from None


def _gone() -> BoxDied:
    return BoxDied("the sandboxes were shut down meanwhile: start the pool again", who="host")


def _service(spec: SandboxSpec, depth: int) -> LocalService:
    """A service for boxes of *spec*, which has begun to make *depth* of them ahead. Raises SandlotError."""
    from sandlot import settings
    from sandlot.engines.failover import FailoverEngine
    from sandlot.local.service import LocalService
    from sandlot.local.start import pools_of, start
    from sandlot.sandboxes.sandboxes import Sandboxes

    if not depth:
        return start(is_brief=True)
    pools = pools_of(replace(settings.load(), pool_depth=depth, pool_keep=()), spec)
    engine = FailoverEngine.installed(None if pools is None else pools.over)
    engine.prepare(spec)
    if pools is not None:
        pools.warm()
    return LocalService(Sandboxes(engine), pools=pools)
