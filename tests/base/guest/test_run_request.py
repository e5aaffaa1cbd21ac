"""The verb `run` as a value, its limits and its outcome."""

from __future__ import annotations

from typing import Any, Dict, List, Optional

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandlot.guest.refusal import Refusal
from sandlot.guest.run_request import Meter, RunRequest, outcome

ENDED = {"by": "self", "status": 0, "cpu": 0.5, "peak": 4096, "seconds": 1.5, "leftover": False}


@pytest.mark.parametrize(
    "request_",
    [
        {},
        {"argv": []},
        {"argv": ["ls"], "code": True},
        {"argv": "ls"},
        {"argv": ["l\0s"]},
        {"argv": [1]},
        {"code": "yes"},
        {"argv": ["ls"], "env": {"A=B": "c"}},
        {"argv": ["ls"], "env": {"": "c"}},
        {"argv": ["ls"], "env": {"A": 1}},
        {"argv": ["ls"], "workdir": "relative"},
        {"argv": ["ls"], "timeout": -1},
        {"argv": ["ls"], "timeout": 1e300},
        {"argv": ["ls"], "timeout": "5"},
        {"argv": ["ls"], "timeout": True},
        {"argv": ["ls"], "tty": {"rows": 0, "columns": 80}},
        {"argv": ["ls"], "output_limit": -1},
    ],
)
def test_what_cannot_be_run_as_asked_is_refused(request_: Dict[str, Any]) -> None:
    with pytest.raises(Refusal) as caught:
        RunRequest(request_, "/workspace")
    assert caught.value.code == "invalid"


def test_defaults_are_those_of_the_box() -> None:
    request = RunRequest({"argv": ["ls"]}, "/workspace")
    assert (request.workdir, request.env, request.timeout, request.tty) == ("/workspace", {}, None, None)
    assert not request.stdin
    assert not request.background
    assert RunRequest({"code": True, "timeout": 3}, "/workspace").timeout == 3.0


@given(st.integers(0, 40), st.integers(0, 40), st.lists(st.binary(max_size=15), max_size=12))
def test_a_meter_keeps_exactly_its_limit(keep: int, drop: int, chunks: List[bytes]) -> None:
    meter = Meter(keep, drop)
    passed = b"".join(meter.take(chunk) for chunk in chunks)
    everything = b"".join(chunks)
    assert passed == everything[:keep]
    assert meter.truncated == (len(everything) > keep)
    assert meter.flooded == (len(everything) - len(passed) > drop)
    assert meter.is_spent == (len(passed) >= keep)


@given(st.lists(st.binary(max_size=15), max_size=12))
def test_a_meter_without_limits_passes_everything(chunks: List[bytes]) -> None:
    meter = Meter(None, None)
    assert [meter.take(chunk) for chunk in chunks] == chunks
    assert not meter.truncated
    assert not meter.flooded
    assert not meter.is_spent


@pytest.mark.parametrize(
    ("ended", "verdict", "expected"),
    [
        ({}, None, ("exited", 0, None)),
        ({"status": 3 << 8}, None, ("exited", 3, None)),
        ({"status": 11}, None, ("signalled", None, 11)),
        ({"status": 0x80 | 6}, None, ("signalled", None, 6)),
        ({"status": 9, "by": "timeout"}, None, ("timeout", None, 9)),
        ({"status": 9, "by": "order"}, "output_limit", ("output_limit", None, 9)),
        ({"status": 9, "by": "order"}, None, ("killed", None, 9)),
        ({"status": None, "by": "order"}, "timeout", ("timeout", None, 9)),
        # An order that came after the end changes nothing.
        ({"status": 0, "by": "self"}, "killed", ("exited", 0, None)),
    ],
)
def test_an_outcome_tells_why_and_how(
    ended: Dict[str, Any], verdict: Optional[str], expected: object
) -> None:
    found = outcome({**ENDED, **ended}, verdict, (True, False))
    assert (found["reason"], found["exit_code"], found["signal"]) == expected
    assert found["truncated"] == {"stdout": True, "stderr": False}
    assert (found["cpu_seconds"], found["memory_peak"], found["duration"]) == (0.5, 4096, 1.5)
