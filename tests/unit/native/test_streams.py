from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from sandlot.testing.servers import RunningServer
from tests.unit.native.calls import NDJSON, SSE, Calls, one_event, until

COUNTING = {"cmd": ["sh", "-c", "for i in 1 2 3 4 5 6; do echo $i; sleep 0.1; done"]}
SLEEPING = {"cmd": ["sleep", "60"], "timeoutSeconds": None}
ENDLESS = {"cmd": ["yes", "x" * 60], "timeoutSeconds": None, "outputLimit": "1Gi"}


def _ended(call: Calls, box: str) -> bool:
    return not [row for row in call("GET", f"{box}/processes").json["processes"] if row["running"]]


def _resident(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096


def test_events_come_while_the_program_runs(call: Calls, box: str) -> None:
    for accept in (NDJSON, SSE):
        with call.begun("POST", f"{box}/exec", COUNTING, Accept=accept) as answer:
            assert answer.status == 200
            assert (answer.getheader("content-type") or "").startswith(accept)
            assert answer.getheader("cache-control") == "no-store"
            began = time.monotonic()
            assert one_event(answer)["event"] == "started"
            assert one_event(answer)["text"] == "1\n"
            assert time.monotonic() - began < 0.5
            rest = [one_event(answer) for _ in range(6)]
        assert rest[-1]["event"] == "exited"
        assert [each["id"] for each in rest] == [3, 4, 5, 6, 7, 8]


def test_a_stream_of_server_sent_events_is_resumed_without_loss(call: Calls, box: str) -> None:
    with call.begun("POST", f"{box}/exec", COUNTING, Accept=SSE) as answer:
        events = f"{box}/exec/{one_event(answer)['exec']}/events"
        assert one_event(answer)["text"] == "1\n"
    rest = call("GET", events, Last_Event_ID="2", Accept=SSE)
    assert (rest.status, rest.headers["content-type"].partition(";")[0]) == (200, SSE)
    told = [json.loads(line[6:]) for line in rest.body.splitlines() if line.startswith(b"data: ")]
    assert [each["id"] for each in told] == [3, 4, 5, 6, 7, 8]
    assert told[-1]["exitCode"] == 0
    again = call("GET", f"{events}?after=7", Accept=NDJSON)
    assert [json.loads(line)["id"] for line in again.body.splitlines()] == [8]
    assert call("GET", f"{events}?after=8", Accept=NDJSON).body == b""


@pytest.mark.parametrize(
    ("query", "headers", "code"),
    [
        ("?after=99", {}, "conflict"),
        ("", {"Last_Event_ID": "99"}, "conflict"),
        ("?after=-1", {}, "invalid_spec"),
        ("?after=x", {}, "invalid_spec"),
        ("", {"Last_Event_ID": "x"}, "invalid_spec"),
        ("", {"Last_Event_ID": "9" * 40}, "invalid_spec"),
    ],
)
def test_an_event_that_was_never_told_cannot_be_gone_on_from(
    call: Calls, box: str, query: str, headers: dict[str, str], code: str
) -> None:
    with call.begun("POST", f"{box}/exec", {"cmd": ["true"]}, Accept=SSE) as answer:
        name = one_event(answer)["exec"]
        answer.read()
    assert call("GET", f"{box}/exec/{name}/events{query}", **headers).code == code


def test_a_stream_is_found_by_its_own_sandbox_and_name_only(call: Calls, box: str) -> None:
    with call.begun("POST", f"{box}/exec", {"cmd": ["true"]}, Accept=SSE) as answer:
        name = one_event(answer)["exec"]
    assert call("GET", f"/v1/sandboxes/other/exec/{name}/events").code == "not_found"
    assert call("GET", f"{box}/exec/{'0' * 32}/events").code == "not_found"
    assert call("DELETE", f"{box}/exec/{'0' * 32}").code == "not_found"
    assert call("POST", f"{box}/exec/{'0' * 32}/input", b"x").code == "not_found"
    assert call("GET", f"{box}/exec/../events").code == "invalid_spec"


def test_a_stream_of_lines_cannot_be_resumed(call: Calls, box: str) -> None:
    name = call.events(f"{box}/exec", {"cmd": ["true"]})[0]["exec"]
    assert call("GET", f"{box}/exec/{name}/events").code == "not_found"


def test_input_comes_by_requests_and_is_taken_before_they_are_answered(call: Calls, box: str) -> None:
    with call.begun("POST", f"{box}/exec", {"cmd": ["cat"], "stdinStream": True}, Accept=NDJSON) as answer:
        path = f"{box}/exec/{one_event(answer)['exec']}/input"
        for text in ("one\n", "two\n"):
            assert call("POST", path, text.encode()).status == 204
            assert one_event(answer)["text"] == text
        assert call("POST", path + "?end=true", b"three").status == 204
        assert one_event(answer)["text"] == "three"
        assert one_event(answer)["event"] == "exited"
    assert call("POST", path, b"late").status == 204


def test_input_for_a_command_that_takes_none_is_refused(call: Calls, box: str) -> None:
    with call.begun("POST", f"{box}/exec", SLEEPING, Accept=NDJSON) as answer:
        path = f"{box}/exec/{one_event(answer)['exec']}/input"
        assert call("POST", path, b"x").code == "conflict"


def test_a_streamed_command_is_killed_by_request(call: Calls, box: str) -> None:
    with call.begun("POST", f"{box}/exec", SLEEPING, Accept=SSE) as answer:
        path = f"{box}/exec/{one_event(answer)['exec']}"
        assert call("DELETE", path).status == 204
        end = one_event(answer)
    assert (end["event"], end["reason"], end["exitCode"]) == ("exited", "killed", 137)
    assert _ended(call, box)
    assert call("DELETE", path).status == 204


def test_a_command_that_cannot_start_is_a_problem_not_a_stream(call: Calls, box: str) -> None:
    body: dict[str, Any] = {"cmd": ["true"], "workdir": "/nowhere"}
    told = call("POST", f"{box}/exec", body, Accept=NDJSON)
    assert told.code == call("POST", f"{box}/exec", body).code == "not_found"
    assert call("POST", "/v1/sandboxes/nobodys/exec", SLEEPING, Accept=SSE).code == "not_found"


@pytest.mark.parametrize("accept", [NDJSON, SSE])
def test_a_reader_that_stands_still_costs_bounded_memory(
    call: Calls, box: str, server: RunningServer, accept: str
) -> None:
    """A15, R05."""
    before = _resident(server.pid)
    with call.begun("POST", f"{box}/exec", ENDLESS, Accept=accept) as answer:
        name = one_event(answer)["exec"]
        deadline = time.monotonic() + 1
        while time.monotonic() < deadline:
            assert call("GET", "/healthz").status == 200
        assert _resident(server.pid) - before < 16 * 2**20
        assert len(answer.read(5_000_000)) == 5_000_000
    if accept == SSE:
        assert call("DELETE", f"{box}/exec/{name}").status == 204
    until(lambda: _ended(call, box))
