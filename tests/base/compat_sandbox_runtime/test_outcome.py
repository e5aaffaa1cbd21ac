from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from sandlot.compat.sandbox_runtime import outcome
from sandlot.compat.sandbox_runtime.sandbox.core.errors import ExitCode
from sandlot.contracts.errors import InvalidSpec, PoolExhausted, StartFailed
from sandlot.contracts.events import Reason
from sandlot.contracts.result import Result
from sandlot.contracts.spec import Isolation

_DONE = Result(0, Reason.EXITED, b"out", b"", "e", Isolation.NAMESPACE, (), result=5, has_result=True)
_NOTHING = replace(_DONE, result=None, has_result=False)


CODES = [
    (_DONE, 0),
    (replace(_NOTHING, exit_code=1), 1),
    (replace(_NOTHING, exit_code=2), 2),
    (replace(_NOTHING, exit_code=3), 3),
    (_NOTHING, 3),
    (replace(_NOTHING, exit_code=7), 7),
    (replace(_DONE, exit_code=7), 7),
    (replace(_NOTHING, reason=Reason.TIMEOUT, exit_code=124), 124),
    (replace(_NOTHING, reason=Reason.OUT_OF_MEMORY, exit_code=137), 137),
    (replace(_NOTHING, reason=Reason.SIGNALLED, exit_code=139, signal=11), 139),
    (replace(_DONE, reason=Reason.TIMEOUT, exit_code=124), 124),
    (replace(_NOTHING, reason=Reason.BOX_DIED, exit_code=125, who="agent"), 6),
]


@pytest.mark.parametrize(("result", "code"), CODES)
def test_an_end_has_its_exit_code(result: Result, code: int) -> None:
    told = outcome.told(result, 5.0)
    assert told.exit_code == code
    assert told.is_success() == (code == 0)
    assert told.result == (5 if code == 0 else None)
    assert told.reason == result.reason.value


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        (Reason.TIMEOUT, "timed out after 2.5 seconds"),
        (Reason.OUT_OF_MEMORY, "ran out of memory"),
        (Reason.OUTPUT_LIMIT, "wrote far more than is kept"),
        (Reason.SIGNALLED, "signal 9"),
        (Reason.KILLED, "was killed"),
        (Reason.BOX_DIED, "died (keeper first)"),
        (Reason.EXITED, "ended with exit code 0 before its handler returned"),
    ],
)
def test_an_end_without_a_value_is_told_apart_in_words(reason: Reason, words: str) -> None:
    told = outcome.told(replace(_NOTHING, reason=reason, signal=9, who="keeper", stderr=b"mine"), 2.5)
    assert told.stderr.startswith("mine\nsandbox: ")
    assert words in told.stderr


def test_what_was_measured_is_told() -> None:
    told = outcome.told(replace(_DONE, duration=0.25, cpu_seconds=0.125, memory_peak=3 * 2**20), 5.0)
    assert told.metrics.to_dict() == {"duration_ms": 250.0, "cpu_time_ms": 125.0, "memory_peak_mb": 3.0}
    assert list(told.to_dict()) == ["exit_code", "stdout", "stderr", "result", "metrics"]


@pytest.mark.parametrize(
    ("code", "exit_code"), [("", 7), (" \n", 7), (None, 1), (b"def handler", 1), ("x = 1", 1)]
)
def test_what_is_no_handler_is_not_tried(code: Any, exit_code: int) -> None:
    flaw = outcome.flaw(code)
    assert flaw is not None
    assert (flaw.exit_code, flaw.reason) == (exit_code, "")


def test_code_is_not_compiled_on_the_host() -> None:
    assert outcome.flaw("def handler(e:" + "(" * 100_000) is None


@pytest.mark.parametrize(
    ("event", "seconds"),
    [
        ({"__timeout": 5}, 5),
        ({"__timeout": 0.5}, 0.5),
        ({"__timeout": 0}, 300),
        ({"__timeout": -1}, 300),
        ({"__timeout": None}, 300),
        ({"__timeout": 1e9}, 3600),
        ({}, 300),
        ([1], 300),
        (None, 300),
    ],
)
def test_an_event_says_how_long(event: Any, seconds: float) -> None:
    assert outcome.timeout_of(event, 300) == seconds


@pytest.mark.parametrize("said", ["5", True, [5]])
def test_an_unreadable_timeout_is_refused(said: Any) -> None:
    with pytest.raises(InvalidSpec, match="__timeout"):
        outcome.timeout_of({"__timeout": said}, 300)


def test_errors_of_ours_have_their_exit_codes() -> None:
    assert outcome.failed(PoolExhausted("full")).exit_code == ExitCode.NO_AVAILABLE_SANDBOX
    started = outcome.failed(StartFailed("it did not start"))
    assert (started.exit_code, started.stderr) == (6, "System error: it did not start")
