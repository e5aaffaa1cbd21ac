"""`print` of a cell is the interpreter's own, but for one write where that has several."""

from __future__ import annotations

import builtins
import io
import os
import sys
from collections.abc import Callable
from typing import Any

import pytest

from sandlot.guest.contexts.channel import Channel
from sandlot.guest.contexts.outlet import Outlet
from sandlot.guest.contexts.printing import _print
from sandlot.guest.contexts.streams import Written
from sandlot.wire import json_object

_own: Callable[..., None] = builtins.print


def _told(work: Callable[[], Any]) -> list[tuple[str, str]]:
    """The streams and texts that *work* tells."""
    near, far = os.pipe()
    try:
        outlet = Outlet(Channel(-1, far, -1))
        kept, sys.stdout = sys.stdout, Written(outlet, "stdout", 1)
        try:
            work()
        finally:
            sys.stdout = kept
        os.close(far)
        with open(near, "rb") as lines:
            told = [json_object.parse(line) for line in lines]
    except BaseException:
        os.close(near)
        raise
    return [(each["stream"], each["text"]) for each in told]


class Odd:
    def __str__(self) -> str:
        return "odd"


@pytest.mark.parametrize(
    ("values", "how"),
    [
        ((), {}),
        ((1,), {}),
        (("a", 2, None, Odd()), {}),
        (("a", "b"), {"sep": "", "end": ""}),
        (("a", "b"), {"sep": None, "end": None, "flush": True}),
        (("\ud800", "ä"), {"sep": "\n"}),
    ],
)
def test_it_prints_what_the_interpreters_own_prints(values: tuple[Any, ...], how: dict[str, Any]) -> None:
    own, ours = io.StringIO(), io.StringIO()
    _own(*values, file=own, **how)
    _print(*values, file=ours, **how)
    assert ours.getvalue() == own.getvalue()
    told = _told(lambda: _print(*values, **how))
    assert [stream for stream, _ in told] == ["stdout"] * bool(own.getvalue())
    text = own.getvalue().encode("utf-8", "backslashreplace").decode()
    assert "".join(each for _, each in told) == text


def test_a_print_is_told_in_one_piece_and_in_order() -> None:
    def work() -> None:
        _print("a", 1)
        sys.stdout.write("b")
        _print("c", end="")

    assert _told(work) == [("stdout", "a 1\n"), ("stdout", "b"), ("stdout", "c")]


@pytest.mark.parametrize("how", [{"sep": 1}, {"end": b""}, {"colour": "red"}])
def test_what_the_interpreters_own_refuses_is_refused(how: dict[str, Any]) -> None:
    for each in (_own, _print):
        with pytest.raises(TypeError, match=r"sep|end|colour"):
            _told(lambda each=each: each("a", **how))  # type: ignore[misc] # mypy has no name for it


def test_it_says_of_itself_what_the_interpreters_own_says() -> None:
    for name in ("__name__", "__qualname__", "__module__"):
        assert getattr(_print, name) == getattr(_own, name)
