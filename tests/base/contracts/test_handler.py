from __future__ import annotations

from typing import Any, List

import pytest

from sandlot.contracts.command import Command, TerminalSize
from sandlot.contracts.errors import InvalidSpec
from sandlot.contracts.events import Exited, Reason, Returned, Started
from sandlot.contracts.handler import DEEPEST_VALUE, LARGEST_CONTEXT, LARGEST_VALUE, LONGEST_INTEGER, Handler
from sandlot.contracts.result import Result, fold
from sandlot.contracts.spec import Isolation


def deep(levels: int) -> List[Any]:
    """A list in a list, so many."""
    found: List[Any] = []
    for _ in range(levels - 1):
        found = [found]
    return found


def circle() -> List[Any]:
    found: List[Any] = []
    found.append(found)
    return found


@pytest.mark.parametrize(
    ("event", "text"),
    [
        (None, b"null"),
        ({"a": [1, (2, 3)]}, b'{"a":[1,[2,3]]}'),
        ("é\U0001f600", b'"\\u00e9\\ud83d\\ude00"'),
        ("caf\udce9", b'"caf\\udce9"'),
        (-(10**LONGEST_INTEGER - 1), b"-" + b"9" * LONGEST_INTEGER),
        (deep(DEEPEST_VALUE), b"[" * DEEPEST_VALUE + b"]" * DEEPEST_VALUE),
        ("x" * (LARGEST_VALUE - 2), b'"' + b"x" * (LARGEST_VALUE - 2) + b'"'),
    ],
)
def test_an_event_is_text_from_the_start(event: object, text: bytes) -> None:
    assert Handler(event=event).text == text


@pytest.mark.parametrize(
    ("event", "why"),
    [
        (float("nan"), "JSON form"),
        ([float("-inf")], "JSON form"),
        (b"bytes", "JSON form"),
        ({1, 2}, "JSON form"),
        (circle(), "JSON form"),
        (deep(5000), "JSON form|nested deeper"),
        (deep(DEEPEST_VALUE + 1), "nested deeper"),
        ([10**LONGEST_INTEGER], "digits"),
        ({"a": {1: 2}}, "no text"),
        ({"\ud800": 1}, "Unicode"),
        ("x" * LARGEST_VALUE, "at most"),
    ],
)
def test_an_event_that_cannot_travel_is_refused(event: object, why: str) -> None:
    with pytest.raises(InvalidSpec, match=why):
        Handler(event=event)


@pytest.mark.parametrize(
    "context", [{"a b": 1}, {"": 1}, {"a": object()}, {"a": "x" * LARGEST_CONTEXT}, {1: 2}]
)
def test_a_context_has_attributes_that_json_has_a_form_for(context: Any) -> None:
    assert Handler(context={"function_name": "x"}).context == {"function_name": "x"}
    with pytest.raises(InvalidSpec, match="the context"):
        Handler(context=context)


@pytest.mark.parametrize("code", [0, 256])
def test_a_failure_has_an_exit_code_that_says_so(code: int) -> None:
    with pytest.raises(InvalidSpec, match="cannot fail with exit code"):
        Handler(raised=code)
    with pytest.raises(InvalidSpec, match="cannot fail with exit code"):
        Handler(valueless=code)


@pytest.mark.parametrize("name", ["", "a b", "a.b", "1a", "a\n", "é", "a" * 256, None, 5])
def test_a_handler_has_the_name_of_a_function(name: Any) -> None:
    with pytest.raises(InvalidSpec, match="name of a handler"):
        Handler(name)


@pytest.mark.parametrize(
    "more", [{"argv": ("ls",)}, {"code": "", "tty": TerminalSize()}, {"code": "", "background": True}]
)
def test_a_handler_belongs_to_code_that_is_waited_for(more: Any) -> None:
    with pytest.raises(InvalidSpec, match="a handler"):
        Command(handler=Handler(), **more)


def _fold(*events: Any) -> Result:
    return fold(
        [Started("1"), *events, Exited(Reason.EXITED, 0, duration=0.5, cpu_seconds=0.25, memory_peak=2**20)],
        engine="e",
        isolation=Isolation.PROCESS,
        enforced=(),
    )


def test_null_and_nothing_are_told_apart() -> None:
    null, nothing = _fold(Returned(None)), _fold()
    assert (null.result, nothing.result) == (None, None)
    assert (null.has_result, nothing.has_result) == (True, False)
    assert ("result" in null.to_json(), "result" in nothing.to_json()) == (True, False)
    assert _fold(Returned({"a": 1})).to_json()["result"] == {"a": 1}


def test_metrics_say_what_the_other_fields_say() -> None:
    result = _fold()
    assert result.metrics == {"duration_ms": 500.0, "cpu_time_ms": 250.0, "memory_peak_mb": 1.0}
    assert result.to_json()["metrics"] == {"durationMs": 500.0, "cpuTimeMs": 250.0, "memoryPeakMb": 1.0}
