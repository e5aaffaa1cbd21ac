from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from typing import Any

import pytest

from sandlot.testing.host_processes import descendants
from sandlot.testing.servers import RunningServer
from tests.unit.native.calls import NDJSON, Calls, Told, until

TRACE = "00-" + "a" * 32 + "-" + "b" * 16 + "-01"


def _running(call: Calls, box: str) -> list[Any]:
    rows = call("GET", f"{box}/processes").json["processes"]
    return [row["argv"] for row in rows if row["running"]]


def test_a_command_is_answered_as_noxrunner_expects(call: Calls, box: str) -> None:
    body = {
        "cmd": ["sh", "-c", "echo out; echo err >&2; exit 3"],
        "workdir": "/workspace",
        "timeoutSeconds": 30,
    }
    told = call("POST", f"{box}/exec", body, User_Agent="Python-urllib/3.11", Connection="close")
    assert told.status == 200
    assert (told.json["exitCode"], told.json["stdout"], told.json["stderr"]) == (3, "out\n", "err\n")
    assert isinstance(told.json["durationMs"], int)


@pytest.mark.parametrize(
    ("command", "reason", "code"),
    [
        ({"cmd": ["no-such-program"]}, "exited", 127),
        ({"cmd": ["sleep", "60"], "timeoutSeconds": 0.2}, "timeout", 124),
        ({"cmd": ["sh", "-c", "kill -9 $$"]}, "signalled", 137),
        ({"code": "raise SystemExit(44)"}, "exited", 44),
    ],
)
def test_a_command_that_goes_wrong_is_a_result(
    call: Calls, box: str, command: Mapping[str, Any], reason: str, code: int
) -> None:
    told = call("POST", f"{box}/exec", dict(command))
    assert (told.status, told.json["reason"], told.json["exitCode"]) == (200, reason, code)


def test_output_that_is_no_text_comes_as_bytes_too(call: Calls, box: str) -> None:
    told = call("POST", f"{box}/exec", {"cmd": ["printf", r"\377a"]}).json
    assert (told["stdout"], told["stdoutBase64"]) == ("�a", "/2E=")
    assert "stderrBase64" not in told


def test_input_variables_and_directory_reach_the_program(call: Calls, box: str) -> None:
    body = {
        "cmd": ["sh", "-c", "cat; echo $COLOUR; pwd"],
        "stdin": "typed\n",
        "env": {"COLOUR": "red"},
        "workdir": "/tmp",
    }
    assert call("POST", f"{box}/exec", body).json["stdout"] == "typed\nred\n/tmp\n"


def test_shell_characters_reach_no_shell(call: Calls, box: str) -> None:
    """A05."""
    body = {"cmd": ["printf", "%s|%s", "$(id)", "`id`; id && id"], "env": {"X": "$(id)"}}
    assert call("POST", f"{box}/exec", body).json["stdout"] == "$(id)|`id`; id && id"


def test_output_is_cut_at_its_limit_and_said_to_be(call: Calls, box: str) -> None:
    told = call(
        "POST", f"{box}/exec", {"cmd": ["sh", "-c", "yes | head -c 100000"], "outputLimit": 1000}
    ).json
    assert len(told["stdout"]) == 1000
    assert told["truncated"] == {"stdout": True, "stderr": False}


def test_more_output_than_one_answer_holds_is_refused(call: Calls, box: str) -> None:
    flood = {"cmd": ["sh", "-c", "yes | head -c 20000000"], "outputLimit": "64Mi"}
    assert call("POST", f"{box}/exec", flood).code == "output_too_large"
    assert call("POST", "/v1/run", flood).code == "unsupported"


def test_the_trace_of_the_caller_reaches_the_program(call: Calls, box: str) -> None:
    body: dict[str, Any] = {"cmd": ["sh", "-c", "echo $TRACEPARENT"]}
    assert call("POST", f"{box}/exec", body, Traceparent=TRACE).json["stdout"] == TRACE + "\n"
    assert call("POST", "/v1/run", body, Traceparent=TRACE).json["stdout"] == TRACE + "\n"
    assert call("POST", f"{box}/exec", body, Traceparent="00-junk").json["stdout"] == "\n"
    assert call("POST", f"{box}/exec", body).json["stdout"] == "\n"
    own = {**body, "env": {"TRACEPARENT": "mine"}}
    assert call("POST", f"{box}/exec", own, Traceparent=TRACE).json["stdout"] == "mine\n"


def test_a_run_has_a_sandbox_of_its_own_that_is_gone_afterwards(call: Calls) -> None:
    before = call("GET", "/v1/sandboxes").json
    body = {"cmd": ["cat", "in/a", "b"], "files": {"in/a": "text "}, "filesBase64": {"b": "/2I="}}
    told = call("POST", "/v1/run", body)
    assert (told.status, told.json["stdoutBase64"]) == (200, "dGV4dCD/Yg==")
    told_as = [each.get("text") or each.get("base64") for each in call.events("/v1/run", body)[1:-1]]
    assert told_as in (["text ", "/2I="], ["dGV4dCD/Yg=="])
    until(lambda: bool(call("GET", "/v1/sandboxes").json == before))


def test_a_streamed_run_tells_the_box_at_its_end(call: Calls) -> None:
    events = call.events("/v1/run", {"code": "print(6 * 7)"})
    assert [each["event"] for each in events] == ["started", "stdout", "exited"]
    assert events[-1]["engine"] == "zygote"
    assert "exec" not in events[0]


@pytest.mark.parametrize("path", ["exec", "run"])
@pytest.mark.parametrize("accept", ["application/json", NDJSON])
def test_a_client_that_leaves_kills_its_command(
    call: Calls, box: str, server: RunningServer, path: str, accept: str
) -> None:
    """A11."""
    marker = f"31.{len(path)}{len(accept)}"
    body = json.dumps({"cmd": ["sleep", marker], "timeoutSeconds": None})
    leaving = call.connection()
    leaving.request(
        "POST",
        f"{box}/exec" if path == "exec" else "/v1/run",
        body,
        {"Content-Type": "application/json", "Accept": accept},
    )
    if path == "exec":
        until(lambda: ["sleep", marker] in _running(call, box))
    else:
        until(lambda: _lives(server, marker))
    leaving.close()
    until(lambda: not _lives(server, marker))
    until(
        lambda: not [each for each in call("GET", "/v1/sandboxes").json["sandboxes"] if "run-" in each["id"]]
    )


def _lives(server: RunningServer, marker: str) -> bool:
    """Whether the server has a program with that argument somewhere."""
    return any(marker in process.words for process in descendants(server.pid))


def test_a_command_in_a_sandbox_that_is_deleted_meanwhile_has_an_end(call: Calls) -> None:
    """A10."""
    path = "/v1/sandboxes/deleted-meanwhile"
    call("PUT", path, {})
    told: list[Told] = []
    body = {"cmd": ["sleep", "60"], "timeoutSeconds": None}
    running = threading.Thread(target=lambda: told.append(call("POST", f"{path}/exec", body)))
    running.start()
    until(lambda: bool(_running(call, path)))
    assert call("DELETE", path).status == 204
    running.join(10)
    assert (told[0].status, told[0].json["reason"]) == (200, "box_died")
    assert call("DELETE", path).code == "not_found"


@pytest.mark.parametrize(
    "body",
    [
        '{"cmd":[]}',
        '{"cmd":"ls"}',
        '{"cmd":["a"],"code":"b"}',
        "{}",
        '{"cmd":[""]}',
        '{"cmd":["a\\u0000"]}',
        '{"cmd":[1]}',
        '{"cmd":["a"],"timeoutSeconds":0}',
        '{"cmd":["a"],"timeoutSeconds":-1}',
        '{"cmd":["a"],"timeoutSeconds":1e308}',
        '{"cmd":["a"],"timeoutSeconds":NaN}',
        '{"cmd":["a"],"timeoutSeconds":"5"}',
        '{"cmd":["a"],"workdir":"../x"}',
        '{"cmd":["a"],"workdir":"/a/../b"}',
        '{"cmd":["a"],"stdin":"a","stdinBase64":"YQ=="}',
        '{"cmd":["a"],"stdinBase64":"*"}',
        '{"cmd":["a"],"env":{"A\\u0000":"b"}}',
        '{"cmd":["a"],"tty":{"rows":0}}',
        '{"cmd":["a"],"shell":true}',
        '{"cmd":["\\ud800"]}',
        '{"cmd":["a"],"cmd":["b"]}',
        "[]",
        '"x"',
        "{",
        "",
        "null",
    ],
)
def test_a_command_that_is_none_is_refused(call: Calls, box: str, body: str) -> None:
    """A03, A04, A07."""
    assert call("POST", f"{box}/exec", body, Content_Type="application/json").code == "invalid_spec"


def test_input_by_requests_needs_a_stream(call: Calls, box: str) -> None:
    assert call("POST", f"{box}/exec", {"cmd": ["cat"], "stdinStream": True}).code == "unsupported"
    assert call("POST", "/v1/run", {"cmd": ["cat"], "stdinStream": True}).code == "invalid_spec"
