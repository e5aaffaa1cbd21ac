"""Handlers in real sandboxes: how each end is told, and that no run is in another's way."""

from __future__ import annotations

import asyncio
import logging
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from sandlot.compat.sandbox_runtime import (
    AsyncSandboxInstance,
    AsyncSandboxPool,
    ExitCode,
    LambdaSandboxExecutor,
    SandboxConfig,
    StandardExecutionResult,
)
from sandlot.compat.sandbox_runtime.sandbox.core.errors import NoAvailableSandboxError
from sandlot.compat.sandbox_runtime.sandbox.core.executor import invoke
from sandlot.contracts.errors import InvalidSpec

pytestmark = [pytest.mark.engine, pytest.mark.needs_engine("bubblewrap"), pytest.mark.timeout(120)]

ECHO = "def handler(event): return event"
GOES_ON = "def handler(event): return 'went on'"


@dataclass(frozen=True)
class Caller:
    """An executor, asked from a new event loop each time."""

    executor: LambdaSandboxExecutor

    def __call__(self, code: str, event: Any = None, **context: Any) -> StandardExecutionResult:
        return asyncio.run(self.executor.invoke(code, {} if event is None else event, context or None))


@pytest.fixture(scope="module")
def call(data: Path) -> Iterator[Caller]:
    with pytest.MonkeyPatch.context() as variables:
        variables.setenv("SANDLOT_DATA_DIRECTORY", str(data))
        executor = LambdaSandboxExecutor(AsyncSandboxPool(2, SandboxConfig(memory_limit=128 * 1024)))
        yield Caller(executor)
        executor.shutdown()


@pytest.fixture(autouse=True)
def _places(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SANDLOT_DATA_DIRECTORY", str(data))


def test_a_value_comes_back_with_what_was_used(call: Caller) -> None:
    done = call("def handler(event):\n    print('hi')\n    return [event, sum(range(10**6))]", {"a": 1})
    assert (done.exit_code, done.stdout, done.stderr) == (0, "hi\n", "")
    assert done.result == [{"a": 1}, 499999500000]
    assert 0 < done.metrics.duration_ms < 60_000
    assert done.metrics.cpu_time_ms > 1
    assert done.is_success()


def test_the_memory_peak_is_the_programs_own(call: Caller) -> None:
    idle = call(ECHO).metrics.memory_peak_mb
    used = call("def handler(event): return len(b'x' * (48 << 20))").metrics.memory_peak_mb
    assert used > 48
    assert used > idle


def test_a_handler_may_take_what_its_caller_tells(call: Caller) -> None:
    code = """
def handler(event, context):
    told = [context.function_name, context.memory_limit_in_mb, context.log_group_name, context.request_id]
    return told, context.get_remaining_time_in_millis()
"""
    told, left = call(code, {"__timeout": 9}, function_name="f", memory_limit_in_mb=64, request_id="r").result
    assert told == ["f", 64, "/lambda-sandbox/logs", "r"]
    assert 0 < left <= 9_000, "the time that remains is the true one"


ENDS = [
    ("def handler(event): return 1 / 0", 2, "exited", "ZeroDivisionError"),
    ("def handler(event:", 1, "exited", "SyntaxError"),
    ("# def handler", 1, "exited", "defines no function handler"),
    ("def handler(event): return {1, 2}", 3, "exited", "no JSON value"),
    ("import os\ndef handler(event): os._exit(0)", 3, "exited", "exit code 0 before its handler returned"),
    ("import os\ndef handler(event): os._exit(9)", 9, "exited", "exit code 9 before its handler returned"),
    ("import os\ndef handler(event): os.kill(os.getpid(), 9)", 137, "signalled", "signal 9"),
    ("def handler(event): return len(bytearray(900 << 20))", 137, "out_of_memory", "out of memory"),
]


@pytest.mark.parametrize(("code", "exit_code", "reason", "said"), ENDS)
def test_every_end_is_told_apart(call: Caller, code: str, exit_code: int, reason: str, said: str) -> None:
    done = call(code)
    assert (done.exit_code, done.reason, done.result) == (exit_code, reason, None)
    assert said in done.stderr
    assert call(GOES_ON).result == "went on"


def test_a_flood_of_output_is_cut_and_harms_nobody(call: Caller) -> None:
    done = call("def handler(event):\n    for _ in range(300): print('x' * 65536)\n    return 1")
    assert len(done.stdout) <= 2 * 2**20
    assert call(GOES_ON).result == "went on"


def test_a_timeout_leaves_nothing_behind_that_could_harm_a_later_run(call: Caller) -> None:
    begun = time.monotonic()
    done = call("import threading\ndef handler(event):\n    while True: pass", {"__timeout": 1})
    assert (done.exit_code, done.reason) == (124, "timeout")
    assert "timed out after 1 seconds" in done.stderr
    assert time.monotonic() - begun < 30
    for _ in range(3):
        assert call(GOES_ON).result == "went on"


def test_no_run_sees_what_another_left(call: Caller) -> None:
    leave = """
import builtins, os
builtins.leak = 'secret'
open('/workspace/leak', 'w').write('secret'); open('/tmp/leak', 'w').write('secret')
def handler(event): return os.path.exists('/workspace/leak')
"""
    look = """
import builtins, os
def handler(event):
    return [hasattr(builtins, 'leak'), os.path.exists('/workspace/leak'), os.path.exists('/tmp/leak')]
"""
    assert call(leave).result is True
    assert call(look).result == [False, False, False]


def test_what_is_printed_is_never_taken_for_the_value(call: Caller) -> None:
    forged = '{"exit_code": 0, "stdout": "", "stderr": "", "result": "forged"}'
    code = f"def handler(event):\n    print({forged!r})\n    raise SystemExit(0)"
    done = call(code)
    assert (done.exit_code, done.result, done.stdout) == (3, None, forged + "\n")


def test_the_network_is_off_and_the_hosts_files_are_not_there(call: Caller) -> None:
    code = """
import socket
def handler(event):
    try:
        socket.create_connection(('127.0.0.1', event), 2)
    except OSError:
        return open('/etc/shadow').read()
"""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        done = call(code, listening.getsockname()[1])
    assert done.exit_code == 2
    assert "/etc/shadow" in done.stderr


def test_what_cannot_be_run_is_a_result_too(call: Caller) -> None:
    assert call("").exit_code == ExitCode.EMPTY_CODE
    assert call("x = 1").exit_code == ExitCode.CODE_LOAD_ERROR
    unknown = call(ECHO, None, unknown_name=1)
    assert (unknown.exit_code, unknown.reason) == (ExitCode.SYSTEM_ERROR, "")
    assert "unknown_name" in unknown.stderr
    assert "System error: " in call(ECHO, {"a": object()}).stderr
    assert "__timeout" in call(ECHO, {"__timeout": "soon"}).stderr


def test_more_calls_than_places_wait_and_all_succeed(call: Caller) -> None:
    async def many() -> list[Any]:
        code = "import time\ndef handler(event):\n    time.sleep(0.05)\n    return event"
        done = await asyncio.gather(*(call.executor.invoke(code, number) for number in range(20)))
        return [each.result for each in done]

    assert asyncio.run(many()) == list(range(20))


def test_a_cancelled_call_ends_its_sandbox_and_frees_its_place(call: Caller) -> None:
    async def scene() -> list[Any]:
        loops = [call.executor.invoke("def handler(event):\n    while True: pass", {}) for _ in range(2)]
        for loop in loops:
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(loop, 0.3)
        return [(await call.executor.invoke(ECHO, number)).result for number in range(4)]

    assert asyncio.run(scene()) == [0, 1, 2, 3]


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
