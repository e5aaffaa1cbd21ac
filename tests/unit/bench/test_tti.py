from __future__ import annotations

import asyncio
from pathlib import Path
from typing import cast

import pytest

from sandlot.bench import catalogue, private_server, session, target, tti
from sandlot.bench.benchmark import Stage
from sandlot.bench.session import Effort
from sandlot.bench.summary import Round
from sandlot.contracts.engine import Box
from sandlot.contracts.errors import NotFound, StartFailed
from sandlot.contracts.service import SandboxStatus, Service
from sandlot.contracts.spec import SandboxSpec
from tests.unit.local.machine import obstacle


class Failing:
    """A service whose sandboxes do not start."""

    def __init__(self) -> None:
        self.asked = 0

    async def ensure(self, sandbox: str, _spec: SandboxSpec) -> SandboxStatus:
        self.asked += 1
        raise StartFailed(f"sandbox {sandbox[:5]} did not start")

    async def delete(self, sandbox: str) -> None:
        raise NotFound(sandbox)


class Reusing:
    """A service that sells one sandbox as many."""

    def __init__(self, real: Service) -> None:
        self.real = real

    async def ensure(self, _sandbox: str, spec: SandboxSpec) -> SandboxStatus:
        return await self.real.ensure("same", spec)

    async def reach(self, _sandbox: str) -> Box:
        return await self.real.reach("same")

    async def delete(self, _sandbox: str) -> None:
        """Keep it for the next."""


async def rounds(service: Failing | Reusing, count: int) -> dict[str, Round]:
    async with tti.modes(Stage(Path(), cast("Service", service), is_quick=True)) as series:
        return {each.name: await each.block(count) for each in series}


def test_failures_are_counted_and_never_tried_again() -> None:
    service = Failing()
    found = asyncio.run(rounds(service, 2))
    assert service.asked == 6
    for taken in found.values():
        assert taken.times == ()
        assert taken.errors == ("start_failed: sandbox bench did not start",) * 2
        assert [each.tti for each in taken.launches] == [None, None]
        assert taken.figures == {}


@pytest.mark.linux
@pytest.mark.engine
@pytest.mark.needs_engine("bubblewrap")
def test_a_sandbox_that_is_used_twice_is_a_failure() -> None:
    pytest.importorskip("uvicorn")
    cause = obstacle()
    if cause is not None:
        pytest.skip(f"bubblewrap does not work here: {cause}")

    async def taken() -> dict[str, Round]:
        async with (
            private_server.running() as server,
            target.reached(server.url, None, is_needed=True, progress=lambda _text: None) as reached,
        ):
            assert reached.service is not None
            return await rounds(Reusing(reached.service), 2)

    found = asyncio.run(taken())
    assert len(found["sequential"].times) == 1
    (error,) = found["sequential"].errors
    assert error.startswith("Wrong: the sandbox was used before: /tmp/.sandlot-bench")
    assert not found["burst"].times


def test_the_way_of_a_line_is_not_measured_between_two_clocks(tmp_path: Path) -> None:
    stage = Stage(tmp_path, cast("Service", Failing()), is_near=False)
    (found,) = asyncio.run(
        session.measured(catalogue.named(["print-to-byte"]), stage, Effort(rounds=1), lambda _text: None)
    )
    assert found.skipped is not None
    assert "clocks of two machines differ" in found.skipped
