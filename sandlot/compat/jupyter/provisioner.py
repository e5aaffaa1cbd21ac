"""The provisioner: jupyter_client's way to a kernel that is a sandbox and no process of this machine.

Source: https://jupyter-client.readthedocs.io/en/stable/provisioning.html. Its methods are called on whichever
loop the client has at the moment; everything that lasts lives on the loop of a Household.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Coroutine, Mapping
from concurrent.futures import Future
from pathlib import Path
from typing import Any, Final, TypeVar, cast

from jupyter_client.connect import KernelConnectionInfo
from jupyter_client.provisioning.provisioner_base import KernelProvisionerBase

from sandlot.contracts.errors import Conflict, InvalidSpec, Unsupported
from sandlot.jupyter.kernel import KernelEnd

from .connection import Connection, connection_from
from .front import Front
from .household import Household
from .sockets import Sockets
from .stay import Stay
from .wishes import wishes_from

_TRAITS: Final = ("kernel_id", "kernel_spec", "parent", "config", "log")
_ENDING: Final = ("SIGKILL", "SIGTERM", "SIGHUP", "SIGQUIT")
_PATIENCE: Final = 10.0
_FAILED: Final = 1

Value = TypeVar("Value")


class SandlotProvisioner(KernelProvisionerBase):
    """One kernel. What jupyter_client calls its process is the interpreter in the sandbox.

    A restart makes another interpreter in the same sandbox, whose files stay, at the same sockets, so that no
    client has to connect anew and miss what comes meanwhile. `cleanup` ends all of it.
    """

    def __init__(self, **given: Any) -> None:
        """*given* are traits, and the config of the kernelspec's `kernel_provisioner`.

        Raises InvalidSpec for a config that cannot be.
        """
        super().__init__(**{name: given[name] for name in _TRAITS if name in given})
        self._wishes = wishes_from({name: given[name] for name in given if name not in _TRAITS})
        self._household: Household | None = None
        self._stay: Stay | None = None
        self._sockets: Sockets | None = None
        self._front: Front | None = None
        self._life: Future[KernelEnd] | None = None
        self._signal = 0

    @property
    def has_process(self) -> bool:
        return self._life is not None

    async def poll(self) -> int | None:
        if self._life is None:
            return 0
        return self._exit_code(self._life) if self._life.done() else None

    async def wait(self) -> int | None:
        life = self._life
        if life is None:
            return 0
        await asyncio.wait([asyncio.wrap_future(life)])
        self._life = self._front = None
        return self._exit_code(life)

    async def send_signal(self, signum: int) -> None:
        """Interrupt the cell (SIGINT) or end the interpreter. Raises Unsupported for other signals."""
        if self._life is None or self._life.done() or self._front is None or not signum:
            return
        name = signal.Signals(signum).name
        if name == "SIGINT":
            await self._there(self._front.interrupt())
        elif name in _ENDING:
            self._signal = signum
            await self._there(self._front.kill())
        else:
            raise Unsupported(f"a kernel of sandlot knows no {name}: interrupt it, or end it")

    async def kill(self, restart: bool = False) -> None:  # noqa: ARG002 - cleanup is told too
        await self.send_signal(getattr(signal, "SIGKILL", signal.SIGTERM))

    async def terminate(self, restart: bool = False) -> None:  # noqa: ARG002 - cleanup is told too
        await self.send_signal(signal.SIGTERM)

    async def pre_launch(self, **kwargs: Any) -> dict[str, Any]:
        if kwargs.pop("extra_arguments", None):
            raise Unsupported(
                "a kernel of sandlot takes no extra arguments: put what it needs into its kernelspec"
            )
        if self.parent is not None and self.parent.transport == "ipc":
            self.parent.write_connection_file()  # which chooses the paths
        return await super().pre_launch(cmd=list(self.kernel_spec.argv), **kwargs)

    async def launch_kernel(
        self,
        cmd: list[str],  # noqa: ARG002 - for clients without provisioners
        **kwargs: Any,
    ) -> KernelConnectionInfo:
        """Open an interpreter and its sockets.

        Of the environment *kwargs* tell only the variables of the kernelspec are passed on, of the directory
        only what its mounts name. Raises SandlotError kinds.
        """
        facts = self.connection_info if self.parent is None else self.parent.get_connection_info()
        connection = connection_from(facts)
        env = {name: kwargs["env"][name] for name in self.kernel_spec.env}
        directory = _directory(kwargs.get("cwd"))
        if self._life is not None and not self._life.done():
            raise Conflict("the kernel has not ended yet: end it before it is launched anew")
        if self._household is None:
            self._household = Household.join()
        try:
            front = await self._there(self._started(connection, env, directory))
        except BaseException:
            if self._life is None:
                await self._end()
            raise
        self._front, self._signal = front, 0
        self._life = self._household.background.begin(front.serve())
        self.connection_info = cast("KernelConnectionInfo", front.connection.facts())
        return self.connection_info

    async def cleanup(self, restart: bool = False) -> None:
        if not restart:
            await self._end()
            self._life = self._front = None

    async def get_provisioner_info(self) -> dict[str, Any]:
        """As the base tells, with the sandbox's id and server; the kernel lives in this process only."""
        told = await super().get_provisioner_info()
        return {**told, "sandbox": self._stay.sandbox if self._stay else None, "url": self._wishes.url}

    async def _started(self, connection: Connection, env: Mapping[str, str], directory: Path) -> Front:
        assert self._household is not None  # noqa: S101 - joined by who calls this
        if self._stay is None:
            self._stay = await self._household.stay(self._wishes, directory)
        context = await self._stay.open_context(env)
        try:
            self._sockets = sockets = await self._bound(connection)
        except BaseException:
            await context.close()
            raise
        return Front(context, sockets, self._wishes.longest())

    async def _bound(self, connection: Connection) -> Sockets:
        """Those there are, also when the client wants any that are free; else new ones."""
        there = self._sockets
        if there is None:
            return Sockets(connection)
        if connection not in (there.connection, there.connection.anywhere()):
            await there.close()
            return Sockets(connection)
        # What the last interpreter was told, and did not hear, is not for this one: to shut down, say.
        await there.forget("control")
        await there.forget("stdin")
        return there

    async def _there(self, work: Coroutine[Any, Any, Value]) -> Value:
        """The result of *work* on the loop of the household."""
        if self._household is None:
            work.close()
            raise InvalidSpec("the kernel was not launched, or is over: launch it first")
        return await asyncio.wrap_future(self._household.background.begin(work))

    async def _end(self) -> None:
        """Leave nothing."""
        stay, household, life = self._stay, self._household, self._life
        try:
            if stay is not None:
                await self._there(stay.end())
            if life is not None:  # which ends with its sandbox, if it has not ended yet
                await asyncio.wait([asyncio.wrap_future(life)], timeout=_PATIENCE)
            if self._sockets is not None:
                await self._there(self._sockets.close())
        finally:
            self._stay = self._household = self._sockets = None
            if household is not None:
                await household.leave()

    def _exit_code(self, life: Future[KernelEnd]) -> int:
        """As of a process: 0 when it was told to shut down, -N of the signal that ended it, else 1."""
        if self._signal:
            return -self._signal
        return _FAILED if life.exception() is not None or life.result().ending is not None else 0


def _directory(told: str | None) -> Path:
    """The notebook's, as the client tells it; else this process's."""
    return Path(os.path.abspath(told or "."))
