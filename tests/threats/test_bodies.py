"""Bodies that are too large, no JSON, or not what a route reads: refused soon and whole."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from sandlot.testing.servers import RunningServer
from tests.threats.conftest import ready_server
from tests.threats.proof import Watch, resident
from tests.threats.raw import Line, ask, head

pytestmark = [pytest.mark.engine, pytest.mark.timeout(60)]

_MIB = 2**20
_SANDBOX = "/v1/sandboxes/box"
_JSON_ROUTES = (
    ("PUT", _SANDBOX),
    ("POST", "/v1/run"),
    ("POST", _SANDBOX + "/exec"),
    ("POST", _SANDBOX + "/processes"),
    ("POST", _SANDBOX + "/processes/1/signal"),
    ("POST", _SANDBOX + "/files/mkdir"),
    ("POST", _SANDBOX + "/files/move"),
)


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    with ready_server(SANDLOT_MOST_UPLOAD="8Mi") as running:
        yield running


_UPLOADS = (
    ("POST", _SANDBOX + "/files/upload", "application/x-tar"),
    ("PUT", _SANDBOX + "/files/content?path=a", "application/octet-stream"),
)
_TEXTS = (("POST", _SANDBOX + "/exec", "application/json"), ("POST", "/v1/run", "application/json"))


def test_a01_a_body_announced_too_large_is_refused_before_it_comes(server: RunningServer, box: str) -> None:
    for method, target, kind in (*_UPLOADS, *_TEXTS):
        for size in (9 * _MIB, 3 * 2**30, 10**18):
            with Line(server) as line:
                line.say(head(server, method, target, Content_Type=kind, Content_Length=str(size)))
                answer = line.answer()
            assert (answer.status, answer.code) == (413, "too_large"), (target, size)
    assert ask(server, "GET", f"/v1/sandboxes/{box}/files/list").json["entries"] == []


@pytest.mark.parametrize(("method", "target", "kind"), [*_UPLOADS, *_TEXTS])
def test_a01_a_body_that_never_ends_is_refused_at_its_bound_and_not_kept(
    server: RunningServer, box: str, method: str, target: str, kind: str
) -> None:
    memory = resident(server)
    piece = b"10000\r\n" + b" " * 65536 + b"\r\n"
    with Line(server) as line:
        line.say(head(server, method, target, Content_Type=kind, Transfer_Encoding="chunked"))
        sent = line.flood(piece, 64 * _MIB)
        answer = line.answer()
    # Spaces are no archive, so an upload is refused for that before it is too large.
    assert answer.status == (400 if kind == "application/x-tar" else 413)
    assert sent < 32 * _MIB
    assert resident(server) - memory < 24 * _MIB
    assert ask(server, "GET", f"/v1/sandboxes/{box}/files/stat?path=a").status == 404


_NOT_JSON = {
    "nothing": b"",
    "cut": b"{",
    "a list": b"[]",
    "null": b"null",
    "a key twice": b'{"cmd": ["true"], "cmd": ["id"]}',
    "NaN": b'{"cmd": ["true"], "timeoutSeconds": NaN}',
    "infinity": b'{"cmd": ["true"], "timeoutSeconds": -Infinity}',
    "a float too large": b'{"cmd": ["true"], "timeoutSeconds": 1e400}',
    "10,000 lists deep": b'{"cmd": ' + b"[" * 10_000 + b"]" * 10_000 + b"}",
    "10,000 objects deep": b'{"cmd": ' * 10_000 + b"1" + b"}" * 10_000,
    "an integer of 500,000 digits": b'{"cmd": ["true"], "outputLimit": ' + b"9" * 500_000 + b"}",
    "no UTF-8": b'{"cmd": ["\xff"]}',
    "UTF-16": '{"cmd": ["true"]}'.encode("utf-16"),
    "half a surrogate pair": b'{"cmd": ["\\ud800"]}',
    "something after it": b'{"cmd": ["true"]} {"cmd": ["id"]}',
}


def test_a03_what_is_no_json_object_is_refused_at_once(server: RunningServer) -> None:
    wrong = []
    for what, body in _NOT_JSON.items():
        for method, target in _JSON_ROUTES:
            watch = Watch(server)
            answer = ask(server, method, target, body, Content_Type="application/json")
            # The list says 50 ms; this bound tells work on the content from a look at it on a busy machine.
            if (answer.status, answer.code) != (400, "invalid_spec") or watch.seconds > 1:
                wrong.append((what, target, answer))
    assert wrong == []


def test_a03_json_under_another_name_is_refused(server: RunningServer) -> None:
    for kind in ("", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data"):
        headers = {"Content_Type": kind} if kind else {}
        for method, target in _JSON_ROUTES:
            assert ask(server, method, target, b"{}", **headers).status == 415


_COMMAND = {"cmd": ["true"]}
_WRONG_TYPES = (
    *(("PUT", _SANDBOX, {name: []}) for name in ("ttlSeconds", "engine", "isolation", "network", "image")),
    *(("PUT", _SANDBOX, {name: "x"}) for name in ("env", "limits")),
    *(("PUT", _SANDBOX, {"limits": {name: {}}}) for name in ("memory", "cpu", "pids", "disk", "openFiles")),
    ("PUT", _SANDBOX, {"limits": {"pids": 10**30}}),
    ("PUT", _SANDBOX, {"limits": {"memory": -1}}),
    ("PUT", _SANDBOX, {"env": {"A": 1}}),
    ("POST", _SANDBOX + "/exec", {"cmd": "true"}),
    ("POST", _SANDBOX + "/exec", {"cmd": []}),
    ("POST", _SANDBOX + "/exec", {"cmd": [1]}),
    ("POST", _SANDBOX + "/exec", {"cmd": ["true"], "code": "1"}),
    ("POST", _SANDBOX + "/exec", {"code": ["print(1)"]}),
    ("POST", _SANDBOX + "/exec", {**_COMMAND, "stdin": 1}),
    ("POST", _SANDBOX + "/exec", {**_COMMAND, "stdinBase64": "?"}),
    ("POST", _SANDBOX + "/exec", {**_COMMAND, "stdinStream": "yes"}),
    ("POST", _SANDBOX + "/exec", {**_COMMAND, "tty": {"rows": 0}}),
    ("POST", _SANDBOX + "/exec", {**_COMMAND, "outputLimit": 0}),
    ("POST", _SANDBOX + "/processes", {"cmd": {"a": "b"}}),
    ("POST", _SANDBOX + "/processes/1/signal", {"signal": "9"}),
    ("POST", _SANDBOX + "/processes/1/signal", {"signal": 65}),
    ("POST", _SANDBOX + "/files/mkdir", {"path": 1}),
    ("POST", _SANDBOX + "/files/move", {"path": "a"}),
    ("POST", "/v1/run", {**_COMMAND, "files": ["a"]}),
    ("POST", "/v1/run", {**_COMMAND, "filesBase64": {"a": "?"}}),
)


def test_a03_a_field_of_another_type_is_refused(server: RunningServer, box: str) -> None:
    answers = {
        (method, target, str(body)): ask(server, method, target, body)
        for method, target, body in _WRONG_TYPES
    }
    taken = {
        what: answer
        for what, answer in answers.items()
        if (answer.status, answer.code) != (400, "invalid_spec")
    }
    assert taken == {}
    assert ask(server, "GET", f"/v1/sandboxes/{box}").status == 200


def test_a04_a_field_nobody_knows_is_refused_by_name_and_a_parameter_is_ignored(
    server: RunningServer, box: str
) -> None:
    sound: dict[str, dict[str, Any]] = {
        "exec": _COMMAND, "run": _COMMAND, "processes": _COMMAND, "signal": {"signal": 1},
        "mkdir": {"path": "a"}, "move": {"path": "a", "to": "b"}, "box": {},
    }  # fmt: skip
    for method, target in _JSON_ROUTES:
        for field in ("sudo", "mounts", "workspace", "privileged"):
            body = {**sound[target.rpartition("/")[2]], field: []}
            answer = ask(server, method, target, body)
            assert (answer.status, answer.code) == (400, "invalid_spec")
            assert repr(field) in answer.json["detail"]
    assert ask(server, "GET", f"/v1/sandboxes/{box}?nobody=knows").status == 200


def test_a07_a_length_of_time_that_is_none_is_refused(server: RunningServer, box: str) -> None:
    lengths: list[object] = [-1, 0, -0.0, 1e308, 31_622_401, "5", "NaN", True, [5]]
    for length in lengths:
        asked = {**_COMMAND, "timeoutSeconds": length}
        answers = [
            ask(server, "POST", f"/v1/sandboxes/{box}/exec", asked),
            ask(server, "POST", f"/v1/sandboxes/{box}/processes", asked),
            ask(server, "POST", "/v1/run", asked),
            ask(server, "PUT", "/v1/sandboxes/other", {"ttlSeconds": length}),
        ]
        assert [answer.code for answer in answers] == ["invalid_spec"] * 4, length
    for wait in ("-1", "1e308", "NaN", "inf", "", "5s", "3601", "0x5", "%2B5"):
        answer = ask(server, "GET", f"/v1/sandboxes/{box}/processes/1?waitSeconds={wait}")
        assert (answer.status, answer.code) == (400, "invalid_spec"), wait


def test_a07_the_shortest_and_the_longest_time_are_kept(server: RunningServer, box: str) -> None:
    target = f"/v1/sandboxes/{box}/exec"
    for shortest in (1e-320, 0.001):
        result = ask(server, "POST", target, {"cmd": ["sleep", "60"], "timeoutSeconds": shortest}).json
        assert (result["exitCode"], result["reason"]) == (124, "timeout")
    for longest in (366 * 86400, None):
        result = ask(server, "POST", target, {**_COMMAND, "timeoutSeconds": longest}).json
        assert result["reason"] == "exited"


_ODD_CODE = (
    ("print(1)\0", 1, "null bytes"),
    ("\ufeffprint('mark')", 0, "mark"),
    ("print(1)\r\nprint('lines')\r\n", 0, "lines"),
    ("def", 1, "SyntaxError"),
    ("", 0, ""),
    ("#" * 3 * _MIB + "\nprint('long')", 0, "long"),
    ("(" * 5000, 1, ""),
    ("print('\N{SNOWMAN}')", 0, "\N{SNOWMAN}"),
)


def test_a08_odd_code_has_a_defined_result(server: RunningServer, box: str) -> None:
    for code, exit_code, said in _ODD_CODE:
        result = ask(server, "POST", f"/v1/sandboxes/{box}/exec", {"code": code}).json
        assert (result["exitCode"], result["reason"]) == (exit_code, "exited"), code[:40]
        assert said in result["stdout"] + result["stderr"]


def test_a08_code_of_ten_megabytes_is_refused(server: RunningServer, box: str) -> None:
    answer = ask(server, "POST", f"/v1/sandboxes/{box}/exec", {"code": "#" * 10 * _MIB})
    assert (answer.status, answer.code) == (413, "too_large")


def test_n03_the_hosts_network_is_not_given_unless_the_operator_said_so(server: RunningServer) -> None:
    for method, target in (("POST", "/v1/run"), ("PUT", "/v1/sandboxes/a")):
        body = {"network": "full", **(_COMMAND if method == "POST" else {})}
        assert ask(server, method, target, body).code == "forbidden"
