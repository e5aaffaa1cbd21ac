"""Contexts over HTTP: state, streams and their resumption, questions, and endings."""

from __future__ import annotations

import json
import threading
from typing import Any

import pytest

from tests.unit.native.calls import NDJSON, SSE, Calls, one_event, until

ENDLESS = {"code": "while True: pass", "timeoutSeconds": None}
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR4nGNgYGBgAAAABQABpfZFQAAAAABJRU5ErkJggg=="
SHOWN = f"""
class Shown:
    def _repr_mimebundle_(self, include=None, exclude=None):
        return {{"text/html": "<b>x</b>", "image/png": "{PIXEL}", "application/json": {{"a": [1]}}}}
Shown()
"""


@pytest.fixture(scope="module")
def mine(call: Calls, box: str) -> str:
    """The path of a context."""
    told = call("POST", f"{box}/contexts", {"env": {"OF_IT": "yes"}, "workdir": "/tmp"})
    assert told.status == 201, told.body
    assert (told.json["language"], told.json["workdir"], told.json["ending"]) == ("python", "/tmp", None)
    assert "input" in told.json["facts"]["features"]
    return f"{box}/contexts/{told.json['id']}"


def ran(call: Calls, context: str, code: str, **more: Any) -> dict[str, Any]:
    """The result of a cell."""
    told = call("POST", f"{context}/run", {"code": code, **more})
    assert told.status == 200, told.body
    result: dict[str, Any] = told.json
    return result


def test_code_runs_in_a_sandbox_by_one_request_and_keeps_its_state(call: Calls, box: str) -> None:
    default = f"{box}/contexts/default"
    assert call("GET", default).code == call("GET", f"{default}/history").code == "not_found"
    first = ran(call, default, "import os; x = 41; print('hi')")
    assert (first["status"], first["executionCount"], first["stdout"], first["result"]) == (
        "ok",
        1,
        "hi\n",
        None,
    )
    second = ran(call, default, "x + 1")
    assert (second["result"]["text/plain"], second["executionCount"]) == ("42", 2)
    assert second["durationMs"] >= 0
    told = call("GET", default).json
    assert told["id"] in [each["id"] for each in call("GET", f"{box}/contexts").json["contexts"]]
    assert ran(call, f"{box}/contexts/{told['id']}", "x")["result"]["text/plain"] == "41"
    history = call("GET", f"{default}/history?most=2").json["cells"]
    assert [each["code"] for each in history] == ["x + 1", "x"]


def test_contexts_know_nothing_of_each_other(call: Calls, box: str, mine: str) -> None:
    ran(call, f"{box}/contexts/default", "only_here = 1")
    failed = ran(call, mine, "only_here")
    assert (failed["status"], failed["error"]["name"]) == ("error", "NameError")
    code = "import os; print(os.getcwd(), os.environ['OF_IT'])"
    assert ran(call, mine, code)["stdout"] == "/tmp yes\n"


def test_the_values_of_expressions_are_events(call: Calls, mine: str) -> None:
    asked = {"code": "a = 1", "expressions": {"sum": "a + 1", "none": "nothing"}}
    told = [each for each in call.events(f"{mine}/run", asked) if each["event"] == "value"]
    assert [each["name"] for each in told] == ["sum", "none"]
    assert (told[0]["data"], told[0]["error"]) == ({"text/plain": "2"}, None)
    assert told[1]["error"]["name"] == "NameError"
    assert call("POST", f"{mine}/run", {"code": "1", "expressions": {"a": 1}}).status == 400


def test_what_a_cell_shows_is_told_by_mime_type(call: Calls, mine: str) -> None:
    shown = ran(call, mine, SHOWN)["result"]
    assert (shown["text/html"], shown["image/png"]) == ("<b>x</b>", PIXEL)
    assert shown["application/json"] == {"a": [1]}


def test_events_come_while_the_cell_runs(call: Calls, mine: str) -> None:
    code = "import sys; sys.stdout.write('one\\n'); line = input('two? '); sys.stdout.write(line + '\\n');"
    body = {"code": code, "allowInput": True}
    for accept in (NDJSON, SSE):
        with call.begun("POST", f"{mine}/run", body, Accept=accept) as answer:
            assert answer.status == 200
            begun = one_event(answer)
            assert (begun["event"], begun["id"]) == ("begun", 1)
            assert mine.endswith(begun["context"])
            assert one_event(answer)["text"] == "one\n"
            asked = one_event(answer)
            assert (asked["event"], asked["prompt"], asked["password"]) == ("input", "two? ", False)
            assert call("POST", f"{mine}/answer", {"text": "two"}).status == 204
            assert one_event(answer)["text"] == "two\n"
            assert one_event(answer)["status"] == "ok"
    assert call("POST", f"{mine}/answer", {"text": "late"}).code == "conflict"


def test_a_cell_that_nobody_answers_is_not_asked(call: Calls, mine: str) -> None:
    assert ran(call, mine, "input()")["status"] == "error"
    refused = call("POST", f"{mine}/run", {"code": "input()", "allowInput": True})
    assert (refused.status, refused.code) == (422, "unsupported")


def test_a_stream_of_server_sent_events_is_resumed_without_loss(call: Calls, box: str, mine: str) -> None:
    code = "import sys\nfor i in range(3):\n    _ = sys.stdout.write(f'{i}\\n'); input()"
    body = {"code": code, "allowInput": True}
    with call.begun("POST", f"{mine}/run", body, Accept=SSE) as answer:
        events = f"{box}/cells/{one_event(answer)['cell']}/events"
        assert one_event(answer)["text"] == "0\n"
    with call.begun("GET", events, Last_Event_ID="2", Accept=SSE) as again:
        told = [one_event(again)]
        for _ in range(3):
            assert call("POST", f"{mine}/answer", {"text": ""}).status == 204
            told.append(one_event(again))
            if told[-1]["event"] == "stdout":
                told.append(one_event(again))
    assert [each["event"] for each in told] == ["input", "stdout", "input", "stdout", "input", "finished"]
    assert [each["id"] for each in told] == [3, 4, 5, 6, 7, 8]
    late = call("GET", f"{events}?after=7", Accept=NDJSON)
    assert json.loads(late.body)["status"] == "ok"
    assert call("GET", f"{events}?after=99").code == "conflict"
    assert call("GET", f"{box}/cells/{'0' * 32}/events").code == "not_found"


def test_a_stream_of_lines_cannot_be_resumed(call: Calls, box: str, mine: str) -> None:
    name = call.events(f"{mine}/run", {"code": "1"})[0]["cell"]
    assert call("GET", f"{box}/cells/{name}/events").code == "not_found"


def test_an_interrupt_keeps_the_state(call: Calls, mine: str) -> None:
    ran(call, mine, "kept = 1")
    assert call("POST", f"{mine}/interrupt").status == 204  # none runs: nothing happens
    with call.begun("POST", f"{mine}/run", ENDLESS, Accept=NDJSON) as answer:
        assert one_event(answer)["event"] == "begun"
        assert call("POST", f"{mine}/interrupt").status == 204
        events = [one_event(answer)]
        while events[-1]["event"] != "finished":
            events.append(one_event(answer))
    assert events[-1]["status"] == "interrupted"
    assert ran(call, mine, "kept")["result"]["text/plain"] == "1"


@pytest.mark.parametrize("accept", [NDJSON, "application/json"])
def test_a_client_that_goes_away_interrupts_its_cell(call: Calls, mine: str, accept: str) -> None:
    ran(call, mine, "kept = 2")
    connection = call.connection()
    body = json.dumps({**ENDLESS, "code": "import sys; began = 1\n" + str(ENDLESS["code"])})
    connection.request("POST", f"{mine}/run", body, {"Content-Type": "application/json", "Accept": accept})
    if accept == NDJSON:
        assert one_event(connection.getresponse())["event"] == "begun"
    connection.close()
    # Cells run one by one: this one has its turn when the other is over.
    assert ran(call, mine, "kept")["result"]["text/plain"] == "2"


def test_a_timeout_is_a_result(call: Calls, mine: str) -> None:
    ended = ran(call, mine, "while True: pass", timeoutSeconds=0.2)
    assert ended["status"] == "timeout"
    assert ran(call, mine, "1")["status"] == "ok"


def test_questions_are_answered(call: Calls, mine: str) -> None:
    ran(call, mine, "number_of_things = 1")
    found = call("POST", f"{mine}/complete", {"code": "number_of_th"}).json
    assert (found["matches"], found["start"], found["end"]) == (["number_of_things"], 0, 12)
    known = call("POST", f"{mine}/inspect", {"code": "len", "cursor": 2, "detail": 1}).json
    assert known["found"]
    assert "text/plain" in known["data"]
    assert call("POST", f"{mine}/is-complete", {"code": "if 1:"}).json["status"] == "incomplete"
    assert call("POST", f"{mine}/is-complete", {"code": "1"}).json == {"status": "complete", "indent": ""}
    assert call("POST", f"{mine}/complete", {"code": "a", "cursor": 2}).code == "invalid_spec"


def test_a_death_is_told_and_a_restart_follows_it(call: Calls, box: str) -> None:
    path = f"{box}/contexts/{call('POST', f'{box}/contexts', {}).json['id']}"
    assert call("GET", f"{path}?waitSeconds=0").status == 504
    died = ran(call, path, "import os; os._exit(3)")
    assert (died["status"], "3" in died["detail"]) == ("died", True)
    ended = call("GET", f"{path}?waitSeconds=20").json["ending"]
    assert (ended["end"], "3" in ended["detail"]) == ("exited", True)
    assert ran(call, path, "1")["status"] == "died"
    assert call("POST", f"{path}/is-complete", {"code": "1"}).code == "conflict"
    assert call("POST", f"{path}/restart").json["ending"] is None
    assert ran(call, path, "1")["executionCount"] == 1
    assert call("DELETE", path).status == 204
    assert call("GET", path).code == call("DELETE", path).code == "not_found"


def test_a_default_context_that_died_is_replaced(call: Calls, box: str) -> None:
    default = f"{box}/contexts/default"
    assert ran(call, default, "import os; os._exit(3)")["status"] == "died"
    before = len(call("GET", f"{box}/contexts").json["contexts"])
    assert ran(call, default, "1")["executionCount"] == 1
    assert len(call("GET", f"{box}/contexts").json["contexts"]) == before
    assert call("DELETE", default).status == 204
    assert call("GET", default).code == "not_found"


def test_requests_at_once_make_one_default_context(call: Calls) -> None:
    path = "/v1/sandboxes/at-once"
    assert call("PUT", path, {}).status == 200
    told: list[int] = []

    def add() -> None:
        told.append(ran(call, f"{path}/contexts/default", "1")["executionCount"])

    threads = [threading.Thread(target=add) for _ in range(5)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert sorted(told) == [1, 2, 3, 4, 5]
    assert len(call("GET", f"{path}/contexts").json["contexts"]) == 1
    assert call("DELETE", path).status == 204


def test_what_cannot_be_is_refused(call: Calls, box: str, mine: str) -> None:
    assert call("POST", f"{box}/contexts", {"language": "cobol"}).code == "unsupported"
    assert call("POST", f"{box}/contexts", {"workdir": "../x"}).status in (400, 403)
    assert call("POST", f"{box}/contexts", {"shell": "x"}).code == "invalid_spec"
    assert call("POST", f"{mine}/run", {"code": 1}).code == "invalid_spec"
    assert call("POST", f"{mine}/run", b"1").status == 415
    assert call("POST", f"{box}/contexts/nobody/run", {"code": "1"}).code == "not_found"
    assert call("POST", "/v1/sandboxes/nobody/contexts/default/run", {"code": "1"}).code == "not_found"
    assert call("POST", f"{box}/contexts/default/answer", {"text": "x" * 70_000}).code == "invalid_spec"


def test_what_is_more_than_one_answer_holds_is_refused_and_interrupted(call: Calls, mine: str) -> None:
    code = "from pprint import pprint\nfor i in range(10):\n    print('x' * 2**20)"
    assert call("POST", f"{mine}/run", {"code": code, "outputLimit": "16Mi"}).code == "output_too_large"
    until(lambda: ran(call, mine, "1")["status"] == "ok")
