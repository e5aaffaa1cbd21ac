"""The keeper as the service sees it: start one, give it launches, hold the boxes it keeps."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from ..contracts.errors import BoxDied, EngineUnavailable, SandlotError
from ..settings import load
from . import counts, reports
from .connection import Connection, keeper_died
from .launch import Consumption, Exit, Launch, Powers, Refusal
from .orders import Fit, Limits, ZygoteOrder
from .start import Started, start

STORE = "workspaces"
"""Where in the data directory kept workspaces lie."""

START_TIMEOUT = 10.0
END_TIMEOUT = 5.0  # the keeper takes at most 2 s to end its boxes


class KeptBox:
    """A box the keeper keeps. It ends with its first process, by `kill`, or with the keeper."""

    def __init__(
        self,
        number: int,
        connection: Connection,
        ending: asyncio.Future[Exit],
        groups: Mapping[str, str] | None = None,
    ) -> None:
        """Made by `Keeper.spawn` and `park`; *groups* are directories that count for it, by controller."""
        self.number, self._groups = number, groups or {}
        self._connection, self._ending = connection, ending

    @property
    def ending(self) -> Exit | None:
        """How the box ended; None while something of it is left."""
        return self._ending.result() if self._ending.done() else None

    def when_ended(self, callback: Callable[[], object]) -> None:
        """Call *callback* once nothing of the box is left."""
        self._ending.add_done_callback(lambda _: callback())

    @property
    def exit(self) -> asyncio.Future[Exit]:
        """How the box ended, told when nothing of it is left. Cancelling the wait does the box no harm."""
        return asyncio.shield(self._ending)

    async def kill(self) -> None:
        """Kill the box as a unit; returns when nothing of it is left, at once when it is gone already.

        Raises EngineUnavailable when something of it is left after 2 s (the keeper keeps trying).
        """
        if self._ending.done():
            return
        try:
            await self._connection.ask("kill", {"box": self.number}, lambda _: None)
        except BoxDied:  # the keeper died, and the box with it
            return

    def counted(self) -> Consumption | None:
        """What the box has used so far, but for its processes; None where only the keeper can tell."""
        return counts.read(self._groups)

    async def consumption(self) -> Consumption:
        """What the box has used so far; all None when it is gone or has no control group."""
        return await self._connection.ask("usage", {"box": self.number}, reports.parse_consumption)


class Keeper:
    """A running keeper; close it, or use it as `async with await Keeper.start() as keeper`."""

    def __init__(self, started: Started, store: Path) -> None:
        """Use `start`; *store* is where its kept workspaces lie."""
        self._started = started
        self.store = store
        self._loop = asyncio.get_running_loop()
        self._ready: asyncio.Future[Powers] = self._loop.create_future()
        self._ended: asyncio.Future[None] = self._loop.create_future()
        self._connection = Connection(started.channel, self._heard)
        self._endings: dict[int, asyncio.Future[Exit]] = {}
        self._pidfd: int | None = None
        self._powers: Powers | None = None
        self._is_closing = False
        self._loop.add_reader(started.pidfd, self._stub_ended)

    @classmethod
    async def start(
        cls,
        *,
        privileged: bool | None = None,
        run_directory: Path | None = None,
        store: Path | None = None,
    ) -> Self:
        """A keeper that serves.

        It has the power of this process: *privileged* True or False demands that this is root or an
        ordinary user. Locks lie in *run_directory*, kept workspaces in *store*, which need not be there yet
        (defaults: the settings' runtime directory, and `workspaces` in their data directory).
        Raises EngineUnavailable with the reason when there can be none.
        """
        is_root = os.geteuid() == 0
        if privileged not in (None, is_root):
            wanted = "root" if privileged else "an ordinary user"
            raise EngineUnavailable(
                f"a keeper of {wanted} was asked for, this process has uid {os.geteuid()}"
            )
        places = (
            (run_directory or load().runtime_directory).absolute(),
            (store or load().data_directory / STORE).absolute(),
        )
        try:
            return await cls._attempt(*places, plain="")
        except Refusal as refusal:
            if refusal.code != "namespaces":
                raise EngineUnavailable(refusal.message) from None
            reason = refusal.message
        try:
            return await cls._attempt(*places, plain=f"no namespaces: {reason}")
        except Refusal as refusal:
            raise EngineUnavailable(refusal.message) from None

    @property
    def powers(self) -> Powers:
        """What this keeper can enforce."""
        if self._powers is None:
            raise EngineUnavailable("the keeper is not ready yet: wait for Keeper.start")
        return self._powers

    @property
    def is_alive(self) -> bool:
        """Whether it can be asked for anything."""
        return not self._is_closing and not self._ended.done() and self._pidfd is not None

    @property
    def stub_pid(self) -> int:
        """The process of the keeper that is a child of this one."""
        return self._started.stub.pid

    async def spawn(self, launch: Launch, fds: Sequence[int]) -> KeptBox:
        """Start a box with *fds* as its 0, 1, 2 and then `launch.extra_fds`; they stay the caller's.

        Returns when it runs its program. Raises InvalidSpec, Unsupported (a limit or identity that cannot
        be enforced here), StartFailed (the step that failed), BoxDied (the keeper is gone).
        """
        asked = {"launch": reports.launch_fields(launch)}
        answer = self._connection.ask("spawn", asked, lambda ok: self._adopt(ok, answer), fds)
        return await self._taken(answer)

    async def raise_zygote(self, order: ZygoteOrder) -> int:
        """Start a zygote and wait until it has loaded its packages; its number.

        Raises InvalidSpec, Unsupported, StartFailed (with what its packages raised), BoxDied.
        """
        fields = {
            "argv": order.argv,
            "env": dict(order.env),
            "tree": order.tree,
            "loading": order.loading,
            "making": order.making,
        }
        return await self._connection.ask("zygote", {"order": fields}, lambda ok: int(ok["zygote"]))

    async def park(self, zygote: int, limits: Limits, fds: Sequence[int]) -> KeptBox:
        """Have *zygote* make a box with *fds* as its 0, 1 and 2; they stay the caller's.

        Returns when its agent stands behind its walls and waits to be greeted. Raises NotFound (no such
        zygote any more), StartFailed, BoxDied.
        """
        asked = {"zygote": zygote, "limits": reports.limits_fields(limits)}
        answer = self._connection.ask("park", asked, lambda ok: self._adopt(ok, answer), fds)
        return await self._taken(answer)

    async def fit(self, box: KeptBox, fit: Fit) -> None:
        """Change the limits of a parked box, before anything runs in it. Raises StartFailed, BoxDied."""
        await self._connection.ask("fit", {"box": box.number, "fit": asdict(fit)}, lambda _: None)

    async def furnish(self, box: KeptBox, image: int) -> None:
        """Mount the open file *image*, an empty file system, as the workspace of a parked box; once.

        The descriptor stays the caller's. Raises StartFailed, Unsupported, Conflict, BoxDied.
        """
        await self._connection.ask("furnish", {"box": box.number}, lambda _: None, (image,))

    async def sweep(self) -> int:
        """Remove what dead keepers left behind; the number of things removed."""
        return await self._connection.ask("sweep", {}, lambda ok: int(ok["removed"]))

    async def close(self) -> None:
        """End the keeper and every box; returns when nothing is left. May be called again.

        Raises EngineUnavailable when it does not end, even killed.
        """
        self._is_closing = True
        self._connection.close()
        for patience in (END_TIMEOUT, END_TIMEOUT):
            await asyncio.wait([self._ended], timeout=patience)
            if self._ended.done():
                return
            self._started.kill()
        raise EngineUnavailable(f"keeper {self.stub_pid} did not end within {2 * END_TIMEOUT:g} s")

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    @classmethod
    async def _attempt(cls, run_directory: Path, store: Path, *, plain: str) -> Self:
        keeper = cls(start(run_directory, store, plain), store)
        try:
            async with asyncio.timeout(START_TIMEOUT):
                keeper._powers = await keeper._ready
        except TimeoutError as error:
            keeper._started.kill()
            await keeper.close()
            raise EngineUnavailable(f"the keeper was not ready within {START_TIMEOUT:g} s") from error
        except BaseException:
            await keeper.close()
            raise
        return keeper

    def _heard(self, report: reports.Report, descriptors: list[int]) -> None:
        match report:
            case reports.Born() if len(descriptors) == 1:
                self._pidfd = descriptors.pop()
                self._loop.add_reader(self._pidfd, self._keeper_ended)
            case reports.Ready(powers) if not self._ready.done():
                self._ready.set_result(powers)
            case reports.NotStarted(reason) if not self._ready.done():
                self._ready.set_exception(reason)
            case reports.Ended(number, told) if number in self._endings:
                self._endings.pop(number).set_result(told)

    def _adopt(self, ok: Mapping[str, Any], answer: asyncio.Future[KeptBox]) -> KeptBox:
        number = int(ok["box"])
        self._endings[number] = self._loop.create_future()
        box = KeptBox(number, self._connection, self._endings[number], ok.get("groups"))
        if answer.cancelled():
            self._discard(box)
        return box

    async def _taken(self, answer: asyncio.Future[KeptBox]) -> KeptBox:
        """The box that *answer* tells; whoever stops waiting for it leaves none behind."""
        try:
            return await answer
        except asyncio.CancelledError:
            if answer.done() and not answer.cancelled() and answer.exception() is None:
                self._discard(answer.result())
            raise

    def _discard(self, box: KeptBox) -> None:
        killed = self._connection.ask("kill", {"box": box.number}, lambda _: None)
        killed.add_done_callback(lambda done: done.cancelled() or done.exception())  # nobody waits for it

    def _keeper_ended(self) -> None:
        if self._pidfd is not None:
            self._loop.remove_reader(self._pidfd)
            os.close(self._pidfd)
            self._pidfd = None
        self._connection.drain()
        self._connection.close()
        self._connection.fail(keeper_died())
        told = Exit(int(signal.SIGKILL), "killed" if self._is_closing else "keeper_died")
        while self._endings:
            self._endings.popitem()[1].set_result(told)
        self._finish()

    def _stub_ended(self) -> None:
        self._loop.remove_reader(self._started.pidfd)
        self._connection.drain()  # its first packet may wait to be read
        self._started.reap()
        if self._pidfd is None:
            self._keeper_ended()
        self._finish()

    def _finish(self) -> None:
        if self._pidfd is not None or self._started.stub.returncode is None:
            return
        if not self._ready.done() and not self._is_closing:
            self._ready.set_exception(_silent(self._started.stub.returncode))
        if not self._ended.done():
            self._ended.set_result(None)


def _silent(code: int) -> SandlotError:
    return EngineUnavailable(
        f"the keeper ended with status {code} before it was ready: see its standard error"
    )
