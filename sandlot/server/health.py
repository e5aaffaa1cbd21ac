"""Whether the server is well: alive (/healthz) and able to do what it is for (/readyz)."""

from __future__ import annotations

import asyncio
import logging
import os
import tempfile
from collections import deque
from pathlib import Path

from sandlot.contracts.command import Command
from sandlot.contracts.errors import SandlotError, Unsupported
from sandlot.contracts.result import Result
from sandlot.contracts.service import RunRequest

from .lifecycle import Lifecycle, Phase, Services
from .metrics import Metrics

_log = logging.getLogger(__name__)
_OWNER = "sandlot.health"
_OK = "ok"
_UNPROVEN = "not yet proven"
_PROVE_AGAIN = 10.0
_TICK = 0.25
_REMEMBERED = 40  # ticks: ten seconds
_HIGH_LAG = 0.5
"""Seconds of event loop lag from which requests should rather go elsewhere."""


class Health:
    """What was found out about the server, and kept up to date by `watch`."""

    def __init__(self, lifecycle: Lifecycle, metrics: Metrics, directory: Path, limits: str = "") -> None:
        """Begin without knowing anything; *directory* is where state is written, *limits* who set which."""
        self._lifecycle = lifecycle
        self._metrics = metrics
        self._directory, self._limits = directory, limits
        self._lags: deque[float] = deque([0.0], maxlen=_REMEMBERED)
        self._engine = _UNPROVEN
        self._proof: Result | None = None
        self._state = _OK

    def status(self) -> str:
        """One of ready, starting, draining, degraded."""
        if self._lifecycle.phase is Phase.DRAINING:
            return "draining"
        if self._lifecycle.phase is Phase.STARTING or self._engine == _UNPROVEN:
            return "starting"
        return "ready" if all(each == _OK for each in self.checks().values()) else "degraded"

    def checks(self) -> dict[str, str]:
        """Each check with `ok` or what is wrong."""
        return {
            "service": _OK if self._lifecycle.phase is Phase.SERVING else self._lifecycle.phase.value,
            "engine": self._engine,
            "state": self._state,
            "lag": _OK if self.lag < _HIGH_LAG else f"the event loop came {self.lag:.2f} s late",
        }

    def proof(self) -> dict[str, str | None]:
        """The engine that serves when none is asked for and the isolation it gave; None before one has."""
        found = self._proof
        return {
            "engine": None if found is None else found.engine,
            "isolation": None if found is None else found.isolation.name.lower(),
        }

    @property
    def lag(self) -> float:
        """How late the event loop came at worst, of late, in seconds."""
        return max(self._lags)

    async def watch(self) -> None:
        """Keep measuring the event loop's lag."""
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + _TICK
            await asyncio.sleep(_TICK)
            self._lags.append(max(0.0, loop.time() - due))
            self._metrics.lag(self.lag)

    async def prove(self) -> None:
        """Keep proving that state can be written, and that a program can be run until one could."""
        while True:
            self._state = await asyncio.to_thread(_writing, self._directory)
            if self._engine != _OK:
                self._engine, self._proof = await _running(self._lifecycle.service, self._limits)
            troubles = [each for each in (self._state, self._engine) if each != _OK]
            if troubles:
                _log.warning("the server is not ready: %s", "; ".join(troubles))
            await asyncio.sleep(_PROVE_AGAIN)


async def _running(service: Services, limits: str) -> tuple[str, Result | None]:
    """Whether a program can be run in a sandbox of its own, as callers do (ok, or why not); how it went."""
    try:
        result = await service.of(_OWNER).run(RunRequest(Command(argv=("/bin/true",))))
    except Unsupported as error:
        advice = f"; every sandbox is to have {limits}: unset what cannot be enforced here" if limits else ""
        return error.message + advice, None
    except SandlotError as error:
        return error.message, None
    if not result.ok:
        return f"/bin/true ended with {result.reason.value} {result.exit_code}", None
    return _OK, result


def _writing(directory: Path) -> str:
    """Whether something can be written below *directory*: ok, or why not."""
    try:
        with tempfile.TemporaryFile(dir=directory) as file:
            file.write(b"0")
            return _OK
    except OSError as error:
        return f"its directory cannot be written: {os.strerror(error.errno or 0)}"
