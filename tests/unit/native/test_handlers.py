"""Handlers over HTTP: a function's event in, its value out, apart from what the program prints."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.native.calls import NDJSON, Calls

GIVE_BACK = "def handler(event):\n    print('{}')\n    return event"
LARGE = {"text": "\u00e9" * 100_000, "rows": list(range(100_000))}


@pytest.fixture(params=["run", "exec"])
def path(request: pytest.FixtureRequest, box: str) -> str:
    return "/v1/run" if request.param == "run" else f"{box}/exec"


@pytest.mark.parametrize("event", [None, 5, "\U0001f600", {"a": [1.5, None]}, LARGE])
def test_an_event_comes_back_as_the_result(call: Calls, path: str, event: Any) -> None:
    told = call("POST", path, {"code": GIVE_BACK, "handler": "handler", "event": event}).json
    assert (told["result"], told["exitCode"], told["stdout"]) == (event, 0, "{}\n")
    assert set(told["metrics"]) == {"durationMs", "cpuTimeMs", "memoryPeakMb"}
    assert told["metrics"]["memoryPeakMb"] > 1


def test_a_large_event_and_its_value_are_streamed_too(call: Calls, path: str) -> None:
    event = "x" * 2**20
    events = call.events(path, {"code": GIVE_BACK, "handler": "handler", "event": event})
    assert [each["event"] for each in events] == ["started", "stdout", "returned", "exited"]
    assert events[2]["value"] == event


def test_a_handler_that_fails_has_no_result(call: Calls, path: str) -> None:
    told = call("POST", path, {"code": "def handler(event): return {1}", "handler": "handler"}).json
    assert (told["exitCode"], told["reason"], "result" in told) == (1, "exited", False)
    assert "TypeError" in told["stderr"]


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ({"code": GIVE_BACK, "event": 1}, "needs field handler"),
        ({"cmd": ["ls"], "handler": "handler"}, "code, not argv"),
        ({"code": GIVE_BACK, "handler": "a.b"}, "name of a handler"),
        ({"code": GIVE_BACK, "handler": "handler", "tty": {}}, "no terminal"),
        ({"code": GIVE_BACK, "handler": "handler", "event": "x" * 2**21}, "at most"),
    ],
)
def test_what_makes_no_sense_is_refused(call: Calls, path: str, body: dict[str, Any], why: str) -> None:
    told = call("POST", path, body)
    assert (told.status, told.code) == (400, "invalid_spec")
    assert why in told.json["detail"]


@pytest.mark.parametrize("event", [b"NaN", b'{"a":1,"a":2}', b"[" * 80 + b"]" * 80, b"9" * 40])
def test_an_event_that_is_no_strict_json_is_refused(call: Calls, path: str, event: bytes) -> None:
    body = b'{"code":"","handler":"handler","event":' + event + b"}"
    assert call("POST", path, body, Content_Type="application/json", Accept=NDJSON).status == 400


def test_a_handler_does_not_run_in_the_background(call: Calls, box: str) -> None:
    told = call("POST", f"{box}/processes", {"code": GIVE_BACK, "handler": "handler"})
    assert (told.status, told.code) == (400, "invalid_spec")
