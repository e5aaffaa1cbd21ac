"""Handlers in real sandboxes: how each end is told, and that no run is in another's way."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from sandlot.compat.sandbox_runtime import (
    AsyncSandboxPool,
    ExitCode,
    LambdaSandboxExecutor,
    SandboxConfig,
    StandardExecutionResult,
)

pytestmark = [pytest.mark.engine, pytest.mark.needs_engine("bubblewrap"), pytest.mark.timeout(120)]

ECHO = "def handler(event): return event"
BOMB = "def handler(event): return len(bytearray(900 << 20))"
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
        executor = LambdaSandboxExecutor(AsyncSandboxPool(2))
        yield Caller(executor)
        executor.shutdown()


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
]


@pytest.mark.parametrize(("code", "exit_code", "reason", "said"), ENDS)
def test_every_end_is_told_apart(call: Caller, code: str, exit_code: int, reason: str, said: str) -> None:
    done = call(code)
    assert (done.exit_code, done.reason, done.result) == (exit_code, reason, None)
    assert said in done.stderr
    assert call(GOES_ON).result == "went on"


@pytest.mark.usefixtures("bounded")
def test_a_memory_bomb_is_told_apart_too(call: Caller) -> None:
    pool = AsyncSandboxPool(1, SandboxConfig(memory_limit=128 * 1024))

    async def scene() -> StandardExecutionResult:
        try:
            return await LambdaSandboxExecutor(pool).invoke(BOMB, {})
        finally:
            await pool.shutdown()

    done = asyncio.run(scene())
    assert (done.exit_code, done.reason, done.result) == (137, "out_of_memory", None)
    assert "out of memory" in done.stderr
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
