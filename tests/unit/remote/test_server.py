"""Boxes on a real sandlot server, beyond what the conformance suite asks of every engine."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest

from sandlot.client.async_service import AsyncClient
from sandlot.contracts.capability import Feature
from sandlot.contracts.command import Command
from sandlot.contracts.errors import ConnectionLost, EngineUnavailable, Unsupported
from sandlot.contracts.events import Started
from sandlot.contracts.quantity import Bytes, Seconds
from sandlot.contracts.result import Result
from sandlot.contracts.service import RunRequest
from sandlot.contracts.spec import Isolation, KeptWorkspace, Limits, SandboxSpec, WorkspaceKind
from sandlot.engines.remote.engine import RemoteEngine
from sandlot.local.start import start
from sandlot.testing.servers import RunningServer, running_server
from sandlot.testing.suite import collect
from tests.unit.local.machine import obstacle

pytestmark = [pytest.mark.engine, pytest.mark.needs_engine("bubblewrap")]


@pytest.fixture(scope="module", autouse=True)
def _bubblewrap() -> None:
    pytest.importorskip("uvicorn", reason="the server needs its extra")
    cause = obstacle()
    if cause is not None:
        pytest.skip(f"bubblewrap does not work here: {cause}")


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    with running_server("--engine", "bubblewrap") as running:
        yield running


def _with_engine(url: str, use: Callable[[RemoteEngine], Awaitable[Any]], key: str | None = None) -> Any:
    async def run() -> Any:
        engine = RemoteEngine(url=url, key=key)
        try:
            return await use(engine)
        finally:
            await engine.close()

    return asyncio.run(run())


def test_a_run_that_names_the_engine_goes_there(
    server: RunningServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SANDLOT_URL", server.url)

    async def run() -> Result:
        service = start()
        try:
            return await service.run(RunRequest(Command(code="print(6 * 7)"), SandboxSpec(engine="remote")))
        finally:
            await service.close()

    result = asyncio.run(run())
    assert (result.stdout, result.engine, result.isolation) == (b"42\n", "remote", Isolation.NAMESPACE)
    assert {"network", "seccomp"} <= set(result.enforced)


def test_what_a_spec_asks_is_passed_on_and_lasts_a_minute(server: RunningServer) -> None:
    spec = SandboxSpec(env={"X": "y"}, limits=Limits(disk=Bytes(2**20)))

    async def use(engine: RemoteEngine) -> None:
        box = await engine.create(spec)
        client = AsyncClient(server.url)
        [status] = await client.list()
        await client.close()
        assert (status.lease.ttl, status.id.startswith("remote-")) == (Seconds(60.0), True)
        assert (status.engine, box.engine) == ("bubblewrap", "remote")
        assert Feature.MOUNTS in status.features
        assert Feature.MOUNTS not in box.features
        result = await collect(box, Command.shell("echo $X; head -c 2000000 /dev/zero > big"))
        assert result.stdout == b"y\n"
        assert b"No space left" in result.stderr

    _with_engine(server.url, use)


def test_a_closed_engine_leaves_nothing_there(server: RunningServer) -> None:
    async def use(engine: RemoteEngine) -> None:
        await engine.create(SandboxSpec(ttl=Seconds(120)))

    _with_engine(server.url, use)

    async def left() -> int:
        client = AsyncClient(server.url)
        try:
            return len(await client.list())
        finally:
            await client.close()

    assert asyncio.run(left()) == 0


def test_a_workspace_of_this_machine_is_refused(server: RunningServer) -> None:
    async def use(engine: RemoteEngine) -> None:
        with pytest.raises(Unsupported, match="workspace"):
            await engine.create(SandboxSpec(workspace=KeptWorkspace("w", WorkspaceKind.IMAGE)))

    _with_engine(server.url, use)


def test_a_key_that_opens_nothing_is_the_engines_trouble() -> None:
    with running_server() as server:
        key = server.key("somebody")
        server.revoke(server.key("other"))

        async def refused(engine: RemoteEngine) -> None:
            with pytest.raises(EngineUnavailable, match="refuses"):
                await engine.create(SandboxSpec())
            assert not (await engine.probe()).works

        async def let_in(engine: RemoteEngine) -> bool:
            return (await engine.probe()).works

        _with_engine(server.url, refused)
        assert _with_engine(server.url, let_in, key)


def test_a_server_that_dies_under_a_command_is_told() -> None:
    with running_server() as server:

        async def use(engine: RemoteEngine) -> None:
            box = await engine.create(SandboxSpec())
            events = box.run(Command.shell("sleep 99", timeout=None))
            assert isinstance(await anext(events), Started)
            await asyncio.to_thread(server.kill)
            with pytest.raises(ConnectionLost):
                await anext(events)
            with pytest.raises(ConnectionLost):
                await box.close()

        with pytest.raises(ConnectionLost):
            _with_engine(server.url, use)
