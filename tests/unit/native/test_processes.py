from __future__ import annotations

import time
from typing import Any

import pytest

from tests.unit.native.calls import Calls, until


def _start(call: Calls, box: str, line: str, **more: Any) -> str:
    told = call("POST", f"{box}/processes", {"cmd": ["sh", "-c", line], **more})
    assert told.status == 201, told.body
    return f"{box}/processes/{told.json['process']}"


def test_a_process_runs_on_is_fed_and_waited_for(call: Calls, box: str) -> None:
    process = _start(call, box, "while read line; do echo got $line; done; exit 4")
    row = call("GET", process).json
    assert (row["running"], row["background"], row["exitCode"]) == (True, True, None)
    assert call("POST", f"{process}/input", b"one\n").status == 204
    until(lambda: call("GET", f"{process}/output").body == b"got one\n")
    assert call("POST", f"{process}/input?end=true", b"two\n").status == 204
    row = call("GET", f"{process}?waitSeconds=10").json
    assert (row["running"], row["exitCode"]) == (False, 4)
    assert row["id"] in [each["id"] for each in call("GET", f"{box}/processes").json["processes"]]


def test_output_is_told_from_an_offset(call: Calls, box: str) -> None:
    process = _start(call, box, "printf 0123456789")
    call("GET", f"{process}?waitSeconds=10")
    told = call("GET", f"{process}/output?offset=4")
    assert (told.body, told.headers["sandlot-next-offset"], told.headers["sandlot-dropped"]) == (
        b"456789",
        "10",
        "0",
    )
    assert told.headers["content-disposition"] == "attachment"
    assert call("GET", f"{process}/output?offset=-1").code == "invalid_spec"


def test_a_process_has_no_bound_on_its_time_unless_one_is_given(call: Calls, box: str) -> None:
    bounded = _start(call, box, "sleep 60", timeoutSeconds=0.2)
    row = call("GET", f"{bounded}?waitSeconds=10").json
    assert row["running"] is False


def test_a_wait_that_is_too_short_is_told(call: Calls, box: str) -> None:
    process = _start(call, box, "sleep 60")
    began = time.monotonic()
    assert call("GET", f"{process}?waitSeconds=0.2").code == "timed_out"
    assert time.monotonic() - began < 3
    assert call("POST", f"{process}/signal", {"signal": 9}).status == 204
    row = call("GET", f"{process}?waitSeconds=10").json
    assert (row["running"], row["signal"]) == (False, 9)


@pytest.mark.parametrize(
    "body", [{}, {"signal": 0}, {"signal": 65}, {"signal": "9"}, {"signal": 9.5}, {"signal": 9, "x": 1}]
)
def test_a_signal_that_is_none_is_refused(call: Calls, box: str, body: dict[str, Any]) -> None:
    assert call("POST", f"{box}/processes/1/signal", body).code == "invalid_spec"


def test_a_process_that_is_not_there_is_not_found(call: Calls, box: str) -> None:
    process = f"{box}/processes/12345"
    assert call("GET", process).code == "not_found"
    assert call("GET", f"{process}?waitSeconds=1").code == "not_found"
    assert call("GET", f"{process}/output").code == "not_found"
    assert call("POST", f"{process}/input", b"x").code == "not_found"
    assert call("POST", f"{process}/signal", {"signal": 15}).code == "not_found"


@pytest.mark.parametrize("query", ["waitSeconds=-1", "waitSeconds=nan", "waitSeconds=x", "waitSeconds=3601"])
def test_a_wait_that_cannot_be_is_refused(call: Calls, box: str, query: str) -> None:
    assert call("GET", f"{box}/processes/1?{query}").code == "invalid_spec"
