"""One-shot handlers: what each end of one looks like, and that none disturbs another."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sandlot.server.dialects.sandbox_runtime.asked import (
    LONGEST_HANDLER,
    MOST_TIMEOUT,
    USUAL_TIMEOUT,
    timeout_of,
)
from sandlot.testing.servers import running_server
from tests.unit.native.calls import Calls, Told, until
from tests.unit.sandbox_runtime_dialect.wire import Runtime, error

METRICS = {"duration_ms", "cpu_time_ms", "memory_peak_mb", "timeout_seconds"}
ECHO = "def handler(event):\n    return event"
CONTEXT = """
def handler(event, context):
    return [
        context.function_name, context.function_version, len(context.request_id), context.log_group_name,
        len(context.log_stream_name), context.memory_limit_in_mb > 0, context.invoked_function_arn,
        context.get_remaining_time_in_millis(),
    ]
"""


def failed(told: Told) -> dict[str, Any]:
    """The reply of a handler that failed: complete, and an error object besides."""
    whole: dict[str, Any] = told.json
    assert told.status == 200
    assert whole["result"] is None
    assert whole["error_code"] == "Sandbox.ExecException"
    assert set(whole["metrics"]) == METRICS
    return whole


def test_a_value_comes_back_flat_and_with_its_metrics(runtime: Runtime) -> None:
    told = runtime.handle("def handler(event):\n    print('hé')\n    return {'got': event}", {"a": [1, None]})
    whole = told.json
    assert (told.status, whole["stdout"], whole["stderr"]) == (200, "hé\n", "")
    assert (whole["result"], whole["exit_code"]) == ({"got": {"a": [1, None]}}, 0)
    assert set(whole["metrics"]) == METRICS
    assert whole["metrics"]["timeout_seconds"] == USUAL_TIMEOUT
    assert whole["metrics"]["memory_peak_mb"] > 1
    assert not {"error_code", "detail"} & set(whole)


def test_the_event_may_be_left_out(runtime: Runtime) -> None:
    told = runtime("POST", "/v2/execute_code", {"handler_code": ECHO, "event": None, "context": None})
    assert (told.status, told.json["result"]) == (200, {})


def test_a_context_tells_what_the_original_tells(runtime: Runtime) -> None:
    *told, left = runtime.handle(CONTEXT, {"__timeout": 60}).json["result"]
    assert told == ["unknown-function", "$LATEST", 36, "/lambda-sandbox/logs", 36, True, None]
    assert 0 < left <= 60_000


def test_a_context_tells_what_the_caller_says(runtime: Runtime) -> None:
    said = {
        "function_name": "f",
        "request_id": "r-1",
        "log_group_name": "'\"\n\\",
        "log_stream_name": "s",
        "remaining_time_in_millis": 5,  # it is true whatever is said
        "invoked_function_arn": "arn",
    }
    *found, left = runtime.handle(CONTEXT, context=said).json["result"]
    assert found == ["f", "$LATEST", 3, "'\"\n\\", 1, True, "arn"]
    assert left > 5


@pytest.mark.parametrize(
    "code",
    [
        "async def handler(event):\n    return 7",
        "handler = lambda event: 7",
        "def handler(event, more=6):\n    return 1 + more",
        "class Made:\n    def __call__(self, event):\n        return 7\nhandler = Made()",
        "def handler(event, ctx):\n    return 7 if ctx.request_id else 0",
        "# handler\ndef handler(event):\n    return 7  # no newline",
    ],
)
def test_every_shape_of_a_handler_is_called(runtime: Runtime, code: str) -> None:
    assert runtime.handle(code).json["result"] == 7


@pytest.mark.parametrize(
    ("code", "exit_code", "said"),
    [
        ("def handler(event:", 1, "SyntaxError"),
        ("raise OSError('early')\ndef handler(event): pass", 1, "OSError: early"),
        ("other = 1", 1, "no function handler"),
        ("def handler(event):\n    raise ValueError('late')", 2, "ValueError: late"),
        ("def handler(event, context):\n    return context.colour", 2, "AttributeError"),
        ("def handler(event):\n    return {1, 2}", 3, "TypeError"),
        ("def handler(event):\n    return float('nan')", 3, "no JSON value"),
        ("def handler(event):\n    return 'x' * 2**22", 3, "bytes of JSON"),
        ("handler = 5", 1, "no function that can be called"),
        ("def handler(event):\n    return 7\n\\\n", 1, "SyntaxError"),
        ("def handler(event):\n    import os\n    os._exit(0)", 3, "before the handler returned"),
        ("def handler(event):\n    import os\n    os._exit(9)", 9, "exit code 9"),
        (
            "def handler(event):\n    import os, signal\n    os.kill(os.getpid(), signal.SIGSEGV)",
            139,
            "signalled",
        ),
    ],
)
def test_every_failure_has_its_exit_code_and_is_told(
    runtime: Runtime, code: str, exit_code: int, said: str
) -> None:
    whole = failed(runtime.handle(code))
    assert whole["exit_code"] == exit_code
    assert said in whole["error_detail"]


def test_a_traceback_shows_the_lines_of_the_handler_only(runtime: Runtime) -> None:
    code = "def handler(event, context):\n    raise ValueError(1)"
    lines = runtime.handle(code).json["stderr"].splitlines()
    assert lines[1].endswith("line 2, in handler")
    assert len([line for line in lines if line.lstrip().startswith("File")]) == 1


def test_a_handler_that_takes_too_long_is_an_error(runtime: Runtime) -> None:
    whole = error(runtime.handle("def handler(event):\n    while True: pass", {"__timeout": 1}), 500)
    assert whole["error_code"] == whole["detail"]["error_code"] == "Sandbox.ExecTimeout"
    assert (whole["exit_code"], whole["detail"]["exit_code"]) == (124, 124)
    assert whole["metrics"]["timeout_seconds"] == 1


def test_a_flood_and_a_bomb_are_told_apart(runtime: Runtime) -> None:
    flood = runtime.handle("def handler(event):\n    print('x' * 3_000_000)\n    return 1").json
    assert (flood["result"], flood["truncated"]["stdout"]) == (1, True)
    bomb = failed(runtime.handle("def handler(event):\n    return len(bytearray(1 << 40))"))
    assert bomb["exit_code"] == 2
    assert "MemoryError" in bomb["error_detail"]


@pytest.mark.parametrize(
    ("asked", "given"),
    [(0, USUAL_TIMEOUT), (-5, USUAL_TIMEOUT), (1.5, 1.5), (10**30, MOST_TIMEOUT), (3601, MOST_TIMEOUT)],
)
def test_a_timeout_is_bounded(asked: float, given: float) -> None:
    assert timeout_of(asked) == given


def test_who_asks_for_no_timeout_gets_the_usual_one() -> None:
    assert timeout_of(0, usual=7) == 7


def test_code_of_the_largest_size_is_taken(runtime: Runtime) -> None:
    code = ECHO + "\n#"
    assert runtime.handle(code.ljust(LONGEST_HANDLER, "#")).status == 200


def test_a_pool_that_is_exhausted_says_when_to_come_again() -> None:
    narrow = {"SANDLOT_MOST_COMMANDS": "1", "SANDLOT_MOST_WAITING": "1"}
    with running_server("--workspaces", "memory", "--pool", "0", environ=narrow) as server:
        runtime = Runtime(Calls(server.url))
        waiting = [runtime.calls.connection() for _ in range(2)]
        for connection in waiting:
            slow = {"handler_code": "import time\ndef handler(event):\n    time.sleep(60)"}
            connection.request(
                "POST",
                "/workspace/se/v2/execute_code",
                json.dumps(slow),
                {"Content-Type": "application/json"},
            )
        until(lambda: _counted(runtime, "sandlot_commands_waiting 1.0"))
        told = runtime.handle(ECHO)
        for connection in waiting:
            connection.close()
        assert error(told, 429)["error_code"] == "Sandbox.TooManyRequestsExection"
        assert isinstance(told.json["detail"], dict)
        assert int(told.headers["retry-after"]) >= 1
        until(lambda: _counted(runtime, "sandlot_commands 0.0"))
        assert runtime.handle(ECHO, {"a": 1}).json["result"] == {"a": 1}


def _counted(runtime: Runtime, line: str) -> bool:
    return line in runtime.calls("GET", "/metrics").body.decode()
