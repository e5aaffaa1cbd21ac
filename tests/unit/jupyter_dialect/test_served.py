from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from sandlot.jupyter.message import LARGEST_HEADER
from sandlot.server.dialects.jupyter.frames import V1
from sandlot.testing.servers import running_server
from tests.unit.jupyter_dialect.talk import kernel, talk
from tests.unit.native.calls import Calls, until

pytestmark = pytest.mark.engine


@pytest.fixture(scope="module")
def shared(call: Calls) -> Iterator[str]:
    with kernel(call, env={"KERNEL_MARK": "seen"}) as name:
        yield name


@pytest.mark.parametrize("offers", [None, V1])
def test_a_cell_runs_in_both_subprotocols(call: Calls, shared: str, offers: str | None) -> None:
    with talk(call, shared, offers=offers) as mine:
        assert mine.socket.subprotocol == offers
        told = mine.run("import os; print('x'); os.environ['KERNEL_MARK']")
        kinds = [each.kind for each in told if each.kind != "stream"]
        assert kinds == ["status", "execute_input", "execute_result", "status", "execute_reply"]
        assert told[-1].content["status"] == "ok"
        assert mine.text("print('x')") == "x\n"


def test_the_kernels_model_tells_what_happens_to_it(call: Calls, shared: str) -> None:
    with talk(call, shared) as mine:
        mine.run("1")
        until(lambda: call("GET", f"/api/kernels/{shared}").json["connections"] == 1)
        assert shared in [each["id"] for each in call("GET", "/api/kernels").json]
        assert call("GET", "/api").json["version"]
        assert call("GET", "/api/kernelspecs").json["default"] == "python3"
        assert call("GET", "/api/kernelspecs/python").json["spec"]["language"] == "python"
        assert call("GET", "/api/kernelspecs/none").status == 404


def test_questions_about_code_are_answered(call: Calls, shared: str) -> None:
    rows: list[tuple[str, dict[str, Any], str, Any]] = [
        ("complete", {"code": "impo", "cursor_pos": 4}, "matches", ["import"]),
        ("is_complete", {"code": "if x:"}, "status", "incomplete"),
        ("inspect", {"code": "len", "cursor_pos": 3, "detail_level": 0}, "found", True),
        ("history", {"hist_access_type": "search", "pattern": "six = *"}, "status", "ok"),
        ("comm_info", {}, "comms", {}),
        ("kernel_info", {}, "implementation", "sandlot"),
    ]
    with talk(call, shared) as mine:
        reply = mine.run("six = 6", user_expressions={"seven": "six + 1"})[-1].content
        assert reply["user_expressions"]["seven"]["data"] == {"text/plain": "7"}
        for name, asked, field, wanted in rows:
            mine.send(f"{name}_request", asked)
            found = mine.until(f"{name}_reply")[-1].content
            assert found[field] == wanted, found
            assert name != "history" or found["history"][-1][2] == "six = 6"


def test_a_cell_that_writes_much_is_told_whole(call: Calls, shared: str) -> None:
    with talk(call, shared, offers=V1) as mine:
        assert mine.text("print('x' * 500_000)") == "x" * 500_000 + "\n"
        assert mine.text("for i in range(20_000): print(i)") == "".join(f"{i}\n" for i in range(20_000))
        assert mine.text("\n".join(f"a{i} = {i}" for i in range(10_000)) + "\na9999") == "9999"


def test_input_is_asked_and_answered(call: Calls, shared: str) -> None:
    with talk(call, shared) as mine:
        mine.send("execute_request", {"code": "input('name? ')", "allow_stdin": True})
        assert mine.until("input_request")[-1].content == {"prompt": "name? ", "password": False}
        mine.send("input_reply", {"value": "Ada"}, "stdin")
        assert mine.until("execute_result")[-1].content["data"] == {"text/plain": "'Ada'"}


def test_an_interrupt_by_either_door_keeps_the_state(call: Calls, shared: str) -> None:
    with talk(call, shared) as mine:
        for interrupt in (
            lambda: mine.send("interrupt_request", {}, "control"),
            lambda: call("POST", f"/api/kernels/{shared}/interrupt"),
        ):
            mine.send("execute_request", {"code": "kept = 5\nprint('on')\nwhile True: pass"})
            mine.until("stream")
            interrupt()
            assert mine.until("execute_reply")[-1].content["ename"] == "KeyboardInterrupt"
            assert mine.text("kept") == "5"


def test_a_client_that_comes_back_finds_the_cell_it_left(call: Calls, shared: str) -> None:
    with talk(call, shared, query="?session_id=mine") as mine:
        code = "import time\nprint('begun')\nwhile not os.path.exists('go'): time.sleep(.01)\nprint('done')"
        asked = mine.send("execute_request", {"code": f"import os\n{code}"})
        mine.until("stream")
    with talk(call, shared, query="?session_id=other") as other, talk(call, shared) as nameless:
        assert call("GET", f"/api/kernels/{shared}").json["execution_state"] == "busy"
        box = call("GET", f"/api/kernels/{shared}").json["sandbox"]
        assert call("POST", f"/v1/sandboxes/{box}/exec", {"cmd": ["touch", "go"]}).status == 200
        for each in (other, nameless):
            idle = each.until("status")[-1]
            assert (idle.content["execution_state"], idle.parent_header["msg_id"]) == ("idle", asked)
    with talk(call, shared, query="?session_id=mine") as mine:
        told = mine.until("execute_reply")
        assert "done" in "".join(each.content.get("text", "") for each in told)
        assert told[-1].parent_header["msg_id"] == asked


def test_an_interpreter_that_dies_is_started_anew_and_told(call: Calls) -> None:
    with kernel(call) as name, talk(call, name) as mine:
        assert mine.run("import os; os._exit(3)")[-1].content["ename"] == "KernelDied"
        told = [each.content["execution_state"] for each in mine.until("status")]
        while told[-1] != "idle":
            told.append(mine.until("status")[-1].content["execution_state"])
        assert told == ["restarting", "starting", "idle"]
        assert mine.text("6 * 7") == "42"


def test_restart_and_shutdown_are_told(call: Calls) -> None:
    with kernel(call) as name, talk(call, name) as mine:
        mine.run("x = 1")
        assert call("POST", f"/api/kernels/{name}/restart", {}).json["id"] == name
        assert mine.run("x")[-1].content["ename"] == "NameError"
        mine.send("shutdown_request", {"restart": True}, "control")
        while mine.until("status")[-1].content["execution_state"] != "starting":
            continue
        assert mine.text("1 + 1") == "2"
        mine.send("shutdown_request", {"restart": False}, "control")
        mine.until("shutdown_reply")
        with pytest.raises(ConnectionClosed):
            mine.until("never")
        until(lambda: call("GET", f"/api/kernels/{name}").status == 404)


def test_a_kernel_in_a_sandbox_of_the_caller_leaves_it(call: Calls) -> None:
    assert call("PUT", "/v1/sandboxes/lab", {}).status == 200
    with (
        kernel(call, sandbox="lab") as first,
        kernel(call, sandbox="lab") as second,
        talk(call, first) as one,
        talk(call, second) as two,
    ):
        one.run("open('shared', 'w').write('both')")
        assert two.text("open('shared').read()") == "'both'"
        assert two.run("x = 1")[-1].content["status"] == "ok"
        assert one.run("x")[-1].content["status"] == "error"
    assert call("GET", "/v1/sandboxes/lab").json["state"] == "running"
    assert call("GET", "/v1/sandboxes/lab/contexts").json["contexts"] == []
    assert call("DELETE", "/v1/sandboxes/lab").status == 204
    assert call("POST", "/api/kernels", {"sandbox": "lab"}).status == 404


def test_a_kernel_ends_with_its_sandbox_and_its_clients_are_told(call: Calls) -> None:
    with kernel(call) as name, talk(call, name) as mine:
        mine.run("1")
        box = call("GET", f"/api/kernels/{name}").json["sandbox"]
        assert call("DELETE", f"/v1/sandboxes/{box}").status == 204
        assert mine.until("status")[-1].content["execution_state"] == "dead"
        with pytest.raises(ConnectionClosed):
            mine.hear()
        gone = call("GET", f"/api/kernels/{name}")
        assert gone.status == 404
        assert {"message", "reason"} <= set(gone.json)
        assert call("DELETE", f"/api/kernels/{name}").status == 404


def test_a_connected_client_renews_the_lease_of_its_kernel(call: Calls) -> None:
    assert call("PUT", "/v1/sandboxes/short", {"ttlSeconds": 2}).status == 200
    with kernel(call, sandbox="short") as name, talk(call, name):
        active = call("GET", "/v1/sandboxes/short").json["expiresAt"]
        until(lambda: call("GET", "/v1/sandboxes/short").json["expiresAt"] != active)
    until(lambda: call("GET", f"/api/kernels/{name}").status == 404)


@pytest.mark.parametrize(
    "frame",
    [
        "{",
        "[]",
        b"\x00\x00\x00\x01",
        json.dumps({"channel": "iopub", "header": {"msg_id": "1", "msg_type": "x"}}),
        json.dumps({"channel": "nowhere", "header": {"msg_id": "1", "msg_type": "x"}}),
        json.dumps({"header": {"msg_id": "1", "msg_type": "x", "more": "x" * LARGEST_HEADER}}),
        '{"header": ' + "[" * 100 + "]" * 100 + "}",
    ],
)
def test_what_is_no_message_closes_the_connection_with_the_reason(
    call: Calls, shared: str, frame: str | bytes
) -> None:
    with talk(call, shared) as mine:
        mine.socket.send(frame)
        with pytest.raises(ConnectionClosed) as closed:
            mine.until("never")
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1008
        assert closed.value.rcvd.reason


def test_a_message_that_is_too_large_closes_the_connection(call: Calls, shared: str) -> None:
    with talk(call, shared) as mine:
        mine.send("execute_request", {"code": "#" * 2**20})
        with pytest.raises(ConnectionClosed) as closed:
            mine.until("never")
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1009


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"name": 3}, 400),
        ({"name": "No Kernel"}, 400),
        ({"sandbox": "../x"}, 400),
        ({"sandbox": "none"}, 404),
    ],
)
def test_what_can_be_no_kernel_is_refused_in_jupyters_words(
    call: Calls, body: dict[str, Any], status: int
) -> None:
    told = call("POST", "/api/kernels", body)
    assert told.status == status, told.body
    assert {"message", "reason", "code"} <= set(told.json)


def test_a_kernel_that_cannot_be_made_leaves_no_sandbox(call: Calls) -> None:
    before = len(call("GET", "/v1/sandboxes").json["sandboxes"])
    assert call("POST", "/api/kernels", {"name": "fortran"}).status >= 400
    assert len(call("GET", "/v1/sandboxes").json["sandboxes"]) == before


def test_a_connection_needs_a_kernel(call: Calls) -> None:
    with pytest.raises(InvalidStatus) as refused, talk(call, "none"):
        pass
    assert refused.value.response.status_code == 404


def test_no_page_of_another_origin_reaches_a_kernel(call: Calls, shared: str) -> None:
    page = Calls(call.url, {"Origin": "http://evil.example"})
    with pytest.raises(InvalidStatus) as refused, talk(page, shared):
        pass
    assert refused.value.response.status_code == 403
    assert page("POST", "/api/kernels", {}).status == 403


def test_keys_open_kernels_to_their_owners_only_and_a_server_that_stops_says_so() -> None:
    with running_server("--auth", "keys", "--workspaces", "memory") as server:
        ada, eve = server.key("ada", owner="ada"), server.key("eve", owner="eve")
        reader = server.key("reader", "read", owner="ada")
        mine, other = Calls(server.url, {"Authorization": f"token {ada}"}), Calls(server.url)
        for path in ("/api", "/api/kernels", f"/api/kernels?token={ada}"):
            refused_words = other("GET", path)
            assert (refused_words.status, refused_words.json["code"]) == (401, "unauthorized")
            assert refused_words.json["message"]
        other.headers["Authorization"] = "token "
        assert other("GET", "/api/kernels").status == 401
        with kernel(mine) as name:
            with talk(mine, name) as words:
                assert words.text("1 + 1") == "2"
            with talk(Calls(server.url), name, offers=f"sandlot.key.{ada}") as words:
                assert words.text("1 + 1") == "2"
            for key, status in ((eve, 404), (reader, 200)):
                other.headers["Authorization"] = f"Bearer {key}"
                assert other("GET", f"/api/kernels/{name}").status == status
            assert other("DELETE", f"/api/kernels/{name}").status == 403
            with pytest.raises(InvalidStatus) as refused, talk(other, name):
                pass
            assert refused.value.response.status_code == 403
        name = mine("POST", "/api/kernels", {}).json["id"]
        with talk(mine, name) as words:
            words.send("execute_request", {"code": "print(1)\nwhile True: pass"})
            words.until("stream")
            server.process.terminate()
            with pytest.raises(ConnectionClosed) as closed:
                words.until("never")
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 1012
