"""How a handler is called, and what its context lets it do: the decisions, without a payload."""

from __future__ import annotations

import functools
import time
from typing import Any, Dict

import pytest

from sandlot.guest.handler import Ask, Call, Context, _takes_context, rehearse
from sandlot.guest.refusal import Refusal
from sandlot.guest.run_request import RunRequest

SOUND: Dict[str, Any] = {
    "name": "handler",
    "event": 4,
    "limit": 100,
    "depth": 5,
    "context": {"a": 1},
    "raised": 2,
    "valueless": 3,
}


class Callable:
    def method(self, event: Any, context: Any) -> None:
        """Takes both."""

    def __call__(self, event: Any) -> None:
        """Takes one."""


def both(event: Any, context: Any) -> None:
    """Takes both."""


@functools.wraps(both)
def wrapped(*arguments: Any) -> None:
    """Hands on whatever it gets."""


KNOWN = {"Callable": Callable, "both": both, "functools": functools, "wrapped": wrapped}
TAKE_A_CONTEXT = """
both
wrapped
lambda event, context=None: None
lambda a, b: None
lambda a, b, c: None
Callable().method
functools.partial(lambda a, b, c: None, 1)
"""
TAKE_NONE = """
lambda event: None
lambda event, retries=3: None
lambda *arguments: None
lambda event, *, context=None: None
Callable()
functools.partial(both, 1)
len
dict
str
"""


@pytest.mark.parametrize("function", TAKE_A_CONTEXT.strip().split("\n"))
def test_a_context_is_for_those_who_need_two_arguments_or_name_it(function: str) -> None:
    assert _takes_context(eval(function, dict(KNOWN)))  # noqa: S307 - the texts above


@pytest.mark.parametrize("function", TAKE_NONE.strip().split("\n"))
def test_others_are_called_with_the_event_alone(function: str) -> None:
    assert not _takes_context(eval(function, dict(KNOWN)))  # noqa: S307 - the texts above


def test_a_context_counts_down_and_stops_at_zero() -> None:
    context = Context({}, time.monotonic() + 10)
    assert 9000 < (context.remaining_time_in_millis or 0) <= 10_000
    assert Context({}, time.monotonic() - 1).get_remaining_time_in_millis() == 0
    assert Context({}, None).remaining_time_in_millis is None


def test_a_context_can_be_read_and_nothing_else() -> None:
    context = Context({"request_id": "x"}, None)
    assert (context.request_id, repr(context)) == ("x", "Context(request_id='x')")
    assert "request_id" in dir(context)
    with pytest.raises(AttributeError, match="cannot be set"):
        context.request_id = "y"
    with pytest.raises(AttributeError, match="it has get_remaining_time_in_millis"):
        context.nothing  # noqa: B018 - asking is what is tried


def test_the_event_is_the_end_of_the_text() -> None:
    assert Ask(Call(SOUND), b"print(1)null").program == b"print(1)"


@pytest.mark.parametrize(
    ("handler", "error", "failed"),
    [
        (None, NameError, 1),
        (5, TypeError, 1),
        (lambda: None, TypeError, 2),
        (lambda _: 1 // 0, ZeroDivisionError, 2),
        (lambda _: {1}, TypeError, 3),
        (lambda _: "x" * 200, ValueError, 3),
    ],
)
def test_how_far_a_call_came_is_its_exit_code(handler: Any, error: Any, failed: int) -> None:
    ask = Ask(Call(SOUND), b"null")
    with pytest.raises(error):
        ask.value({"handler": handler})
    assert ask.failed == failed


def test_a_rehearsal_writes_nothing() -> None:
    rehearse()


def test_a_function_that_is_missing_is_named() -> None:
    with pytest.raises(NameError, match=r"no function handler\(event\)"):
        Ask(Call(SOUND), b"null").answer({})
    with pytest.raises(TypeError, match="no function that can be called"):
        Ask(Call(SOUND), b"null").answer({"handler": 5})


@pytest.mark.parametrize(
    "change",
    [
        {"name": None},
        {"event": 0},
        {"event": "4"},
        {"limit": None},
        {"depth": True},
        {"context": 5},
        {"raised": None},
    ],
)
def test_a_call_that_makes_no_sense_is_refused(change: Dict[str, Any]) -> None:
    with pytest.raises(Refusal) as refused:
        RunRequest({"code": True, "handler": {**SOUND, **change}}, "/workspace")
    assert refused.value.code == "invalid"


@pytest.mark.parametrize(
    "more", [{"argv": ["ls"]}, {"code": True, "tty": {}}, {"code": True, "background": True}]
)
def test_a_call_is_for_code_that_is_waited_for(more: Dict[str, Any]) -> None:
    with pytest.raises(Refusal, match="a handler is for code"):
        RunRequest({**more, "handler": SOUND}, "/workspace")
    assert RunRequest({"code": True}, "/workspace").call is None
