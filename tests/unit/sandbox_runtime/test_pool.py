"""Pools, instances and executors as they are started, lent, shut down and told what they cannot do."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import Any

import pytest

from sandlot.compat.sandbox_runtime import (
    AsyncSandboxInstance,
    AsyncSandboxPool,
    ExitCode,
    LambdaSandboxExecutor,
    SandboxConfig,
)
from sandlot.compat.sandbox_runtime.sandbox.core.errors import NoAvailableSandboxError
from sandlot.compat.sandbox_runtime.sandbox.core.executor import invoke
from sandlot.contracts.errors import InvalidSpec

pytestmark = [pytest.mark.engine, pytest.mark.needs_engine("bubblewrap"), pytest.mark.timeout(120)]

ECHO = "def handler(event): return event"


@pytest.fixture(autouse=True)
def _places(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SANDLOT_DATA_DIRECTORY", str(data))


def test_a_pool_lends_its_places() -> None:
    async def scene() -> None:
        pool = AsyncSandboxPool(2)
        with pytest.raises(RuntimeError, match="start it"):
            await pool.acquire()
        assert await pool.get_stats() == _stats(0, 0, is_running=False)
        await pool.start()
        first, second = await pool.acquire(), await pool.acquire()
        assert await pool.get_stats() == _stats(0, 2)
        with pytest.raises(NoAvailableSandboxError, match="all 2 sandboxes"):
            await pool.acquire(timeout=0.05)
        assert (await first.execute({"handler_code": ECHO, "event": 5}))["result"] == 5
        assert (first.task_count, first.is_alive(), first.should_retire()) == (1, True, False)
        assert not first.is_busy
        assert first.last_active_time > first.create_time
        waiting = asyncio.ensure_future(pool.acquire())
        await pool.release(first)
        third = await waiting
        await pool.release(first)  # a second time changes nothing
        assert await pool.get_stats() == _stats(0, 2)
        assert (first.is_alive(), first.should_retire()) == (False, True)
        for instance in (second, third):
            await pool.release(instance)
        assert await pool.get_stats() == _stats(2, 0)
        await pool.shutdown()
        await pool.shutdown()
        assert not pool.is_running

    asyncio.run(scene())


def _stats(idle: int, busy: int, *, is_running: bool = True) -> dict[str, Any]:
    return {"pool_size": 2, "idle_count": idle, "busy_count": busy, "is_running": is_running}


def test_a_place_that_nobody_waits_for_any_more_is_free() -> None:
    async def scene() -> None:
        pool = AsyncSandboxPool(1)
        await pool.start()
        taken = await pool.acquire()
        waiting = asyncio.ensure_future(pool.acquire())
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        await pool.release(taken)
        await pool.release(await pool.acquire())
        await pool.shutdown()

    asyncio.run(scene())


def test_a_shutdown_ends_what_runs_and_what_waits_and_tells_it() -> None:
    async def scene() -> tuple[Any, ...]:
        pool = AsyncSandboxPool(1)
        executor = LambdaSandboxExecutor(pool)
        await pool.start()
        taken = await pool.acquire()
        runs = asyncio.ensure_future(
            taken.execute({"handler_code": "def handler(event):\n    while True: pass", "event": {}})
        )
        waits = asyncio.ensure_future(executor.invoke(ECHO, 1))
        asks = asyncio.ensure_future(pool.acquire())
        await asyncio.wait([runs], timeout=0.5)
        executor.shutdown()
        ends: list[Any] = await asyncio.gather(runs, waits, asks, return_exceptions=True)
        again = await executor.invoke(ECHO, 2)  # starts it anew
        await pool.shutdown()
        return *ends, again

    ran, waited, asked, again = asyncio.run(scene())
    assert (ran["exit_code"], waited.exit_code, again.result) == (6, 6, 2)
    assert "System error" in ran["stderr"] or "sandbox died" in ran["stderr"]
    assert "shut down" in waited.stderr
    assert isinstance(asked, NoAvailableSandboxError)


def test_an_instance_stands_alone_too() -> None:
    async def scene() -> dict[str, Any]:
        instance = AsyncSandboxInstance(SandboxConfig())
        with pytest.raises(RuntimeError, match="start it"):
            await instance.execute({})
        await instance.start()
        told = await instance.execute({"handler_code": ECHO, "event": {"a": 1}, "context": {}})
        await instance.terminate()
        await instance.terminate()
        assert instance.should_retire()
        return told

    told = asyncio.run(scene())
    assert told.pop("cpu_time_ms") > 0
    assert told == {"exit_code": 0, "stdout": "", "stderr": "", "result": {"a": 1}}


def test_one_call_needs_no_executor() -> None:
    assert asyncio.run(invoke(ECHO, 7)).result == 7


def test_a_configuration_that_cannot_be_is_refused_and_a_call_tells_it() -> None:
    pool = AsyncSandboxPool(1, SandboxConfig(tmpfs_size="50%"))
    with pytest.raises(InvalidSpec, match="tmpfs_size"):
        asyncio.run(pool.start())
    told = asyncio.run(LambdaSandboxExecutor(pool).invoke(ECHO, {}))
    assert (told.exit_code, told.reason) == (ExitCode.SYSTEM_ERROR, "")
    assert "tmpfs_size" in told.stderr


def test_what_is_ignored_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    async def scene() -> None:
        pool = AsyncSandboxPool(1, SandboxConfig(max_task_count=3))
        await pool.start()
        await pool.shutdown()

    with caplog.at_level(logging.WARNING):
        asyncio.run(scene())
    assert "max_task_count" in caplog.text
