from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from sandlot import settings
from sandlot.contracts.command import Command
from sandlot.contracts.errors import EngineUnavailable, SandlotError, StartFailed, Unsupported
from sandlot.contracts.events import Reason
from sandlot.contracts.result import Result
from sandlot.contracts.service import RunRequest
from sandlot.contracts.spec import Isolation
from sandlot.pool.supply import Supply
from sandlot.sandboxes.census import Census
from sandlot.server.health import Health
from sandlot.server.lifecycle import Lifecycle, OwnService, Phase
from sandlot.server.metrics import Metrics


class Canned:
    """Services whose programs all end with one exit code, or do not start."""

    def __init__(self, exit_code: int | None, error: SandlotError | None = None) -> None:
        self.exit_code = exit_code
        self.error = error or EngineUnavailable("bubblewrap cannot start")
        self.asked: list[Command] = []
        self.closed = 0

    def of(self, _owner: str) -> OwnService:
        return self  # type: ignore[return-value]

    async def run(self, request: RunRequest) -> Result:
        self.asked.append(request.command)
        if self.exit_code is None:
            raise self.error
        return Result(self.exit_code, Reason.EXITED, b"", b"", "canned", Isolation.VM, ())

    def census(self) -> Census:
        return Census()

    def supplies(self) -> tuple[Supply, ...]:
        return ()

    async def close(self) -> None:
        self.closed += 1


async def until(holds: Callable[[], bool]) -> None:
    """Let others go on until *holds*; the test's own time limit ends it otherwise."""
    for _ in iter(holds, True):
        await asyncio.sleep(0)


async def proven(services: Canned, directory: Path, limits: str = "") -> Health:
    lifecycle = Lifecycle()
    health = Health(lifecycle, Metrics(), directory, limits)
    assert health.status() == "starting"
    lifecycle.open(services)
    assert health.status() == "starting"
    proving = asyncio.ensure_future(health.prove())
    await until(lambda: bool(services.asked) and "not yet proven" not in health.checks().values())
    proving.cancel()
    return health


def test_a_server_is_ready_once_a_program_has_run(tmp_path: Path) -> None:
    health = asyncio.run(proven(Canned(0), tmp_path))
    assert health.status() == "ready"
    assert set(health.checks().values()) == {"ok"}
    assert health.proof() == {"engine": "canned", "isolation": "vm"}


def test_a_limit_that_cannot_be_enforced_is_told_with_who_set_it(tmp_path: Path) -> None:
    chosen = settings.load({}, {"SANDBOX_MEMORY_LIMIT": "131072", "SANDLOT_PIDS": "9"}, [])
    services = Canned(None, Unsupported("zygote cannot enforce memory"))
    health = asyncio.run(proven(services, tmp_path, chosen.chosen_limits()))
    assert health.status() == "degraded"
    assert health.checks()["engine"] == (
        "zygote cannot enforce memory; every sandbox is to have memory (variable SANDBOX_MEMORY_LIMIT), "
        "pids (variable SANDLOT_PIDS): unset what cannot be enforced here"
    )


@pytest.mark.parametrize(
    ("code", "why"), [(1, "/bin/true ended with exited 1"), (None, "bubblewrap cannot start")]
)
def test_a_server_where_no_program_runs_is_not(tmp_path: Path, code: int | None, why: str) -> None:
    health = asyncio.run(proven(Canned(code), tmp_path))
    assert health.status() == "degraded"
    assert health.checks()["engine"] == why
    assert health.proof() == {"engine": None, "isolation": None}


def test_a_server_that_cannot_write_is_not(tmp_path: Path) -> None:
    health = asyncio.run(proven(Canned(0), tmp_path / "none"))
    assert health.status() == "degraded"
    assert health.checks()["state"] == "its directory cannot be written: No such file or directory"


def test_a_late_event_loop_is_noticed(tmp_path: Path) -> None:
    import time

    async def late() -> float:
        health = Health(Lifecycle(), Metrics(), tmp_path)
        watching = asyncio.ensure_future(health.watch())
        await asyncio.sleep(0)
        time.sleep(0.4)  # noqa: ASYNC251 - the fault to be noticed
        await until(lambda: health.lag > 0)
        watching.cancel()
        return health.lag

    assert asyncio.run(late()) >= 0.1


def test_the_service_is_there_once_opened_and_closed_once_told() -> None:
    lifecycle, services = Lifecycle(), Canned(0)
    with pytest.raises(StartFailed, match="still starting"):
        lifecycle.service.of("x")
    asyncio.run(lifecycle.close())
    lifecycle.open(services)
    assert lifecycle.service is services
    asyncio.run(lifecycle.close())
    assert services.closed == 1


def test_a_service_that_opens_while_the_server_drains_does_not_revive_it() -> None:
    lifecycle = Lifecycle()
    lifecycle.drain()
    lifecycle.open(Canned(0))
    assert lifecycle.phase is Phase.DRAINING
    assert lifecycle.draining.is_set()


@pytest.mark.parametrize("way", ["ends", "grace", "hurry"])
def test_requests_may_finish_or_are_ended(way: str) -> None:
    async def story() -> tuple[int, bool]:
        lifecycle, hurry, go = Lifecycle(), asyncio.Event(), asyncio.Event()
        seen = []

        async def request() -> None:
            with lifecycle.running():
                try:
                    await go.wait()
                finally:
                    seen.append("cleaned up")

        task = asyncio.ensure_future(request())
        await asyncio.sleep(0)
        loop = asyncio.get_running_loop()
        if way == "ends":
            loop.call_soon(go.set)
        if way == "hurry":
            loop.call_soon(hurry.set)
        lifecycle.drain()
        ended = await lifecycle.finish(0.01 if way == "grace" else 30.0, hurry)
        assert seen == ["cleaned up"]
        return ended, task.cancelled()

    assert asyncio.run(story()) == ((0, False) if way == "ends" else (1, True))
