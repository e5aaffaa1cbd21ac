"""Handlers: a function of a program that is given one JSON value and gives one back, beside its output."""

from __future__ import annotations

import math
from typing import Any

import pytest

from sandlot.contracts.command import Command
from sandlot.contracts.errors import InvalidSpec
from sandlot.contracts.events import Reason
from sandlot.contracts.handler import Handler
from sandlot.contracts.quantity import Seconds

from .calls import GIVE_BACK, Calling, is_refused

DECORATED = """
import functools
def noted(function):
    @functools.wraps(function)
    def call(*arguments): return function(*arguments)
    return call
@noted
def handler(event, context): return context.request_id
"""
EVERYTHING: dict[str, Any] = {
    "text": 'plain, "quoted", \\ \0\x7f \u2028 é 漢 \U0001f600',
    "numbers": [0, -1, 2**63, 10**30, 0.1, -1.5e300, 5e-324],
    "nested": [[[{"a": [{}, [], None, True, False]}]]],
    "": "",
}


class HandlerTests(Calling):
    """How a handler is called, and how it ends."""

    @pytest.mark.parametrize(
        "value", [None, True, 0, -1.5, "", "é 漢 \U0001f600", [], {}, [None], {"result": None}, EVERYTHING]
    )
    async def test_an_event_arrives_and_a_value_comes_back(self, value: object) -> None:
        result = await self.call(GIVE_BACK, value)
        assert result.ok, result.errors
        assert result.has_result
        assert result.result == value
        assert type(result.result) is type(value)
        assert (result.stdout, result.stderr) == (b"", b"")

    async def test_a_handler_without_return_gives_null_and_code_without_a_handler_nothing(self) -> None:
        result = await self.call("def handler(event): pass")
        assert (result.ok, result.has_result, result.result) == (True, True, None)
        result = await self.run(Command(code="def handler(event): return 1"))
        assert (result.ok, result.has_result, result.result) == (True, False, None)

    async def test_the_program_runs_before_its_handler(self) -> None:
        code = "print('first')\nbase = 40\ndef handler(event):\n    print('second')\n    return base + event"
        result = await self.call(code, 2)
        assert (result.result, result.stdout) == (42, b"first\nsecond\n")

    async def test_the_name_of_the_function_can_be_chosen(self) -> None:
        code = "def handler(event): return 'wrong'\ndef other(event): return 'right'"
        result = await self.call(code, name="other")
        assert result.result == "right"

    @pytest.mark.parametrize(
        "definition",
        [
            "def handler(event, context): return context.request_id",
            "def handler(event, context=None): return context.request_id",
            "async def handler(event, context): return context.request_id",
            "handler = lambda event, about: about.request_id",
            "class A:\n    def f(self, event, context): return context.request_id\nhandler = A().f",
            "class A:\n    def __call__(self, event, context): return context.request_id\nhandler = A()",
            DECORATED,
        ],
    )
    async def test_a_handler_may_take_a_context(self, definition: str) -> None:
        first, second = [(await self.call(definition)).result for _ in range(2)]
        assert isinstance(first, str)
        assert len(first) == 36
        assert first != second

    @pytest.mark.parametrize(
        "definition",
        [
            "def handler(event): return event",
            "def handler(event, verbose=False): return [event, verbose][0] if not verbose else None",
            "def handler(*arguments): return arguments[0] if len(arguments) == 1 else None",
            "import functools\nhandler = functools.partial(lambda a, b: b, 0)",
            "handler = dict",
        ],
    )
    async def test_a_handler_need_not_take_a_context(self, definition: str) -> None:
        assert (await self.call(definition, {"a": 1})).result == {"a": 1}

    async def test_the_context_tells_of_the_call_and_cannot_be_changed(self) -> None:
        code = """
import time
def handler(event, context):
    before = context.get_remaining_time_in_millis()
    time.sleep(0.02)
    try:
        context.request_id = "mine"
    except AttributeError:
        return [context.function_name, before, context.remaining_time_in_millis]
"""
        name, before, after = (await self.call(code, timeout=Seconds(20))).result
        assert name == "handler"
        assert 10_000 < after < before <= 20_000

    async def test_an_asynchronous_handler_is_awaited(self) -> None:
        code = "import asyncio\nasync def handler(event):\n    await asyncio.sleep(0)\n    return event"
        result = await self.call(code, [1])
        assert (result.result, result.stderr) == ([1], b"")

    async def test_an_exception_is_a_result_with_the_users_traceback(self) -> None:
        result = await self.call("def handler(event):\n    return 1 / event\n", 0)
        is_refused(result, b"ZeroDivisionError", b"line 2, in handler", b"return 1 / event")
        assert b"sandlot" not in result.stderr
        assert b"agent" not in result.stderr

    @pytest.mark.parametrize(
        ("code", "said"),
        [
            ("x = 1", b"no function handler"),
            ("handler = 3", b"no function"),
            ("def handler(): return 1", b"TypeError"),
            ("def handler(a, b, c): return 1", b"TypeError"),
            ("def handler(event)", b"SyntaxError"),
            ("raise RuntimeError('early')", b"early"),
        ],
    )
    async def test_what_cannot_be_called_is_an_error_of_the_program(self, code: str, said: bytes) -> None:
        is_refused(await self.call(code), said)

    @pytest.mark.parametrize("leave", ["os._exit(3)", "sys.exit(3)", "raise SystemExit(3)"])
    async def test_a_handler_that_ends_the_program_returns_nothing(self, leave: str) -> None:
        result = await self.call(f"import os, sys\ndef handler(event):\n    {leave}")
        assert (result.reason, result.exit_code, result.has_result) == (Reason.EXITED, 3, False)

    async def test_a_handler_that_dies_returns_nothing(self) -> None:
        result = await self.call("import os\ndef handler(event):\n    os.kill(os.getpid(), 9)")
        assert (result.reason, result.has_result) == (Reason.SIGNALLED, False)

    async def test_the_timeout_kills_a_handler(self) -> None:
        code = "def handler(event):\n    while True: pass"
        result = await self.call(code, timeout=Seconds(0.4))
        assert (result.reason, result.exit_code, result.has_result) == (Reason.TIMEOUT, 124, False)

    async def test_a_value_outlives_the_end_of_its_program(self) -> None:
        code = "import atexit, os\natexit.register(os._exit, 7)\ndef handler(event): return 'kept'"
        result = await self.call(code)
        assert (result.exit_code, result.result) == (7, "kept")

    async def test_standard_input_is_the_handlers_to_read(self) -> None:
        code = "import sys\ndef handler(event): return sys.stdin.read()"
        assert (await self.call(code, stdin=b"input")).result == "input"

    async def test_a_handler_uses_what_it_is_told_to_have_used(self) -> None:
        code = "def handler(event):\n    x = bytearray(60_000_000)\n    for i in range(2_000_000): pass"
        metrics = (await self.call(code)).metrics
        assert metrics["duration_ms"] > metrics["cpu_time_ms"] / 2 > 5
        assert metrics["memory_peak_mb"] > 50

    def test_an_event_that_cannot_travel_is_refused_before_anything_starts(self) -> None:
        with pytest.raises(InvalidSpec, match="JSON form"):
            Handler(event=math.nan)
