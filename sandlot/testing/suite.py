"""What every suite stands on: an event loop, the engine under test, and boxes to try things in."""

from __future__ import annotations

import asyncio
import functools
import inspect
import os
import tempfile
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import ExitStack, asynccontextmanager
from typing import Any, ClassVar, TypeVar, cast

import pytest

from sandlot.contracts.capability import Feature, Viability
from sandlot.contracts.command import Command
from sandlot.contracts.engine import Box, Engine, Files
from sandlot.contracts.errors import SandlotError, Unsupported
from sandlot.contracts.events import Event, Reason
from sandlot.contracts.result import Result, fold
from sandlot.contracts.spec import SandboxSpec

from .engines import make_engine
from .host_processes import adopt_orphans, reap_adopted
from .ledger import EngineFacts, Ledger, host_kind

T = TypeVar("T")

EMPTY: frozenset[str] = frozenset()


class Workbench:
    """One event loop and the engines made on it, by the walls they were made without."""

    def __init__(self, make: Callable[[frozenset[str]], Engine]) -> None:
        self._make = make
        self._runner = asyncio.Runner()
        self._engines: dict[frozenset[str], Engine] = {}
        self._shared: Box | None = None

    def drive(self, coroutine: Coroutine[Any, Any, T], seconds: float = 30.0) -> T:
        """What *coroutine* returns; TimeoutError after *seconds*."""
        return self._runner.run(asyncio.wait_for(coroutine, seconds))

    def engine(self, without: frozenset[str] = EMPTY) -> Engine:
        """The engine that leaves the walls *without* out; made once."""
        if without not in self._engines:
            self._engines[without] = self._make(without)
        return self._engines[without]

    async def shared_box(self) -> Box:
        """A box for commands that do it no harm; made anew once it has died."""
        if self._shared is None:
            self._shared = await self.engine().create(SandboxSpec())
        return self._shared

    async def drop_shared(self) -> None:
        """End the shared box; the next one asked for is new."""
        box, self._shared = self._shared, None
        if box is not None:
            await box.close()

    async def _close(self) -> None:
        await self.drop_shared()
        for engine in self._engines.values():
            await engine.close()

    def close(self) -> None:
        """End every box and engine, then the loop."""
        try:
            self.drive(self._close())
        finally:
            self._runner.close()


async def collect(box: Box, command: Command) -> Result:
    """The Result of *command* in *box*."""
    events: list[Event] = [event async for event in box.run(command)]
    return fold(events, engine=box.engine, isolation=box.isolation, enforced=box.enforced)


def files(box: Box) -> Files:
    """The box's file interface; ask only where Feature.FILES is offered."""
    return cast("Files", box)


def python(code: str, **rest: Any) -> Command:
    """A command that runs *code* in the box's Python."""
    return Command(code=code, **rest)


def shell(line: str, **rest: Any) -> Command:
    """A command that gives *line* to `sh -c`."""
    return Command.shell(line, **rest)


NAP = f"sleep 99.{os.getpid()}"
"""A program that does nothing for longer than any test, and that no other session runs."""


async def sleepers(box: Box) -> int:
    """How many NAPs a box's `/proc` shows alive; the count itself is made without one."""
    code = f"""
import os
found = 0
for pid in filter(str.isdigit, os.listdir('/proc')):
    try:
        words = open('/proc/%s/cmdline' % pid, 'rb').read().split(bytes(1))
    except OSError:
        continue
    found += words[:2] == {NAP.encode().split()!r}
print(found)
"""
    result = await collect(box, python(code))
    assert result.ok, result.errors
    return int(result.text)


async def stop(events: AsyncIterator[Event]) -> None:
    """Close an iterator of events early, as a caller does that has seen enough."""
    close = getattr(events, "aclose", None)
    assert close is not None, "run() must give an asynchronous generator: closing it early kills"
    await close()


async def end_of(events: AsyncIterator[Event]) -> Event | SandlotError:
    """The last event, or the error the iterator raised."""
    last: Event | SandlotError | None = None
    try:
        async for event in events:
            last = event
    except SandlotError as error:
        last = error
    assert last is not None, "a command ends with an event"
    return last


class Suite:
    """The base of a suite; a subclass that names an engine and begins with Test is collected.

    Tests are coroutine functions; each is run to its end on the suite's own loop.
    """

    engine_name: ClassVar[str] = ""
    bench: ClassVar[Workbench]
    viability: ClassVar[Viability]
    ledger: ClassVar[Ledger] = Ledger()
    fuzz_seconds: ClassVar[float] = 2.0
    deadline: ClassVar[float] = 30.0
    """Seconds any test may take besides fuzzing: a hang is a failure with a stack, not a stuck session."""

    _scratch: ClassVar[ExitStack]

    pytestmark: ClassVar[list[pytest.MarkDecorator]] = [
        pytest.mark.engine,
        pytest.mark.usefixtures("sandlot_stage"),
    ]

    def __init_subclass__(cls, **rest: Any) -> None:
        """Give every coroutine test its loop."""
        super().__init_subclass__(**rest)
        for name, test in list(vars(cls).items()):
            if name.startswith("test_") and inspect.iscoroutinefunction(test):
                setattr(cls, name, _driven(test))

    @classmethod
    def new_engine(cls, without: frozenset[str]) -> Engine:
        """The engine under test, leaving out the walls *without*; override for an unregistered engine.

        An engine that cannot leave a wall out raises Unsupported: its control runs are then not made,
        and the report says so.
        """
        return make_engine(cls.engine_name, without)

    @classmethod
    def raise_curtain(cls) -> None:
        """Open the loop and probe; skip everything, with the cause, when the engine does not work here."""
        adopt_orphans()
        cls._scratch = _own_temporary_directory()
        cls.bench = Workbench(cls.new_engine)
        try:
            cls.viability = cls.bench.drive(cls.bench.engine().probe())
        except BaseException:
            cls.drop_curtain()
            raise
        cls.ledger.know(_facts(cls.viability))
        if not cls.viability.works:
            cls.drop_curtain()
            pytest.skip(f"engine {cls.engine_name}: {cls.viability.cause}; {cls.viability.remedy}")

    @classmethod
    def drop_curtain(cls) -> None:
        """Close everything; zombies we adopted are collected."""
        try:
            cls.bench.close()
        finally:
            cls._scratch.close()
            reap_adopted()

    @property
    def engine(self) -> Engine:
        """The engine with all its walls."""
        return self.bench.engine()

    def offers(self, feature: Feature) -> bool:
        """Whether the probe announced *feature*."""
        return feature in self.viability.features

    @asynccontextmanager
    async def box(
        self, spec: SandboxSpec | None = None, without: frozenset[str] = EMPTY
    ) -> AsyncIterator[Box]:
        """A box of its own for one test, closed at the end."""
        box = await self.bench.engine(without).create(spec or SandboxSpec())
        try:
            yield box
        finally:
            await box.close()

    async def run(self, command: Command, spec: SandboxSpec | None = None) -> Result:
        """The Result of *command*: in the shared box, or in one made by *spec*."""
        if spec is not None:
            async with self.box(spec) as box:
                return await collect(box, command)
        result = await collect(await self.bench.shared_box(), command)
        if result.reason is Reason.BOX_DIED:
            await self.bench.drop_shared()
        return result

    async def refuses(self, spec: SandboxSpec) -> bool:
        """Whether the engine answers *spec* with Unsupported; a box it makes all the same is closed."""
        try:
            box = await self.engine.create(spec)
        except Unsupported:
            return True
        except SandlotError as error:
            raise AssertionError(f"refused with {error.code} instead of unsupported: {error}") from error
        await box.close()
        return False


def _own_temporary_directory() -> ExitStack:
    """A temporary directory of our own: what others leave in theirs is no leak of ours."""
    undo = ExitStack()
    directory = undo.enter_context(tempfile.TemporaryDirectory(prefix="suite-"))
    os.chmod(directory, 0o755)  # noqa: S103 - canaries in it must be readable but for the walls
    undo.callback(setattr, tempfile, "tempdir", tempfile.tempdir)
    if "TMPDIR" in os.environ:
        undo.callback(os.environ.__setitem__, "TMPDIR", os.environ["TMPDIR"])
    else:
        undo.callback(os.environ.pop, "TMPDIR")
    tempfile.tempdir = os.environ["TMPDIR"] = directory
    return undo


def _facts(viability: Viability) -> EngineFacts:
    return EngineFacts(
        engine=viability.engine,
        host=host_kind(),
        isolation=viability.isolation.name.lower(),
        works=viability.works,
        cause=viability.cause or "",
        enforced=viability.enforced,
        features=tuple(f.name.lower() for f in Feature if f.value and f in viability.features and f.name),
    )


def _driven(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    @functools.wraps(test)
    def sync(self: Suite, *arguments: Any, **keywords: Any) -> None:
        self.bench.drive(test(self, *arguments, **keywords), self.deadline + self.fuzz_seconds)

    return sync
