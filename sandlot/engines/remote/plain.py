"""A sandbox of a backend that speaks NoxRunner v1 and nothing else, as a box that promises nothing."""

from __future__ import annotations

import asyncio
import gzip
import secrets
from collections.abc import AsyncGenerator, AsyncIterable, Mapping
from contextlib import aclosing
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

from sandlot.client.async_driver import AsyncDriver
from sandlot.contracts.command import Command
from sandlot.contracts.errors import BoxDied, InvalidSpec, Misuse
from sandlot.contracts.events import Event, Exited, Failed, Reason, exit_code_of
from sandlot.contracts.lease import Ending
from sandlot.contracts.paths import sandbox_path
from sandlot.contracts.quantity import Seconds
from sandlot.contracts.result import fold
from sandlot.contracts.spec import DEFAULT_LIMITS, Isolation, SandboxSpec
from sandlot.engines.proof import ProbeFailed
from sandlot.wire.flows import files

from . import plain_wire
from .asked import NAME, UNPROVEN
from .tenure import HeldDriver, Tenure, Verbs
from .unpacked import unpacked

MOST_UPLOADED = 256 * 2**20
"""Bytes of one archive: it is held whole, because it goes in one piece."""

_GZIP_MAGIC = b"\x1f\x8b"
_FASTEST = 1

VERBS = Verbs(plain_wire.renew, None, plain_wire.delete)
"""How such a backend is spoken to about a sandbox; it cannot be asked how one is."""


@dataclass(frozen=True, slots=True)
class Habits:
    """What every command of a box has: variables, and how many bytes are kept of each stream."""

    env: Mapping[str, str]
    output_limit: int

    @classmethod
    def of(cls, spec: SandboxSpec) -> Habits:
        """Those of *spec*."""
        return cls(dict(spec.env), int(spec.limits.or_else(DEFAULT_LIMITS).output or 2**20))


class PlainBox:
    """contracts.engine.Box over the seven operations; the output of a command comes at its end."""

    engine = NAME
    isolation = Isolation.PROCESS
    enforced: tuple[str, ...] = ()
    features = UNPROVEN

    def __init__(self, driver: AsyncDriver, name: str, habits: Habits, tenure: Tenure) -> None:
        """Speak for the sandbox *name*, as long as *tenure* lasts."""
        self._driver = HeldDriver(driver, tenure)
        self._name, self._habits, self._tenure = name, habits, tenure
        self.failover: tuple[str, ...] = ()

    async def run(self, command: Command) -> AsyncGenerator[Event, None]:
        command = replace(command, env={**self._habits.env, **command.env})
        limit = command.output_limit or self._habits.output_limit
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            told = await self._driver.value(plain_wire.execute(self._name, command))
        except BoxDied as error:
            yield Exited(Reason.BOX_DIED, exit_code_of(Reason.BOX_DIED, None, None), who=error.who)
            return
        except Misuse as error:
            yield Failed(error.code, error.message)
            return
        is_late = command.timeout is not None and loop.time() - began >= command.timeout
        for event in plain_wire.events_of(told, limit, is_late=is_late):
            yield event

    async def put(self, path: PurePosixPath, tar: AsyncIterable[bytes]) -> None:
        archive = bytearray()
        async for piece in tar:
            archive += piece
            if len(archive) > MOST_UPLOADED:
                raise InvalidSpec(
                    f"an archive of more than {MOST_UPLOADED} bytes is too much: send less at once"
                )
        packed = await asyncio.to_thread(_packed, bytes(archive))
        await self._driver.value(plain_wire.upload(self._name, sandbox_path(path), packed))

    async def get(self, path: PurePosixPath) -> AsyncGenerator[bytes, None]:
        packed = self._driver.items(files.download(self._name, sandbox_path(path)))
        async with aclosing(unpacked(packed)) as tar:
            async for piece in tar:
                yield piece

    async def ended(self) -> Ending:
        return await self._tenure.ended()

    async def close(self) -> None:
        await self._tenure.close()


def _packed(archive: bytes) -> bytes:
    return archive if archive.startswith(_GZIP_MAGIC) else gzip.compress(archive, _FASTEST)


async def prove(box: PlainBox) -> None:
    """Have *box* give a token back: that it runs programs is all that can be shown. Raises ProbeFailed."""
    token = secrets.token_hex(16)
    events = [event async for event in box.run(Command(argv=("echo", token), timeout=Seconds(8.0)))]
    result = fold(events, engine=box.engine, isolation=box.isolation, enforced=box.enforced)
    if result.text.strip() != token:
        raise ProbeFailed("the payload did not give its token back")
