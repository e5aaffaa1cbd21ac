from __future__ import annotations

import json
import threading
import time

import pytest

from sandlot.testing.servers import RunningServer
from tests.unit.native.calls import Calls, Told

DEEP = '{"env":' * 10_000 + "{}" + "}" * 10_000
WIDE = '{"cmd":[' + ",".join(['"a"'] * 900_000) + ",1]}"
LONG = '{"cmd":["true"],"timeoutSeconds":' + "9" * 1_000_000 + "}"


@pytest.mark.parametrize(
    "body", [DEEP, WIDE, LONG, '{"cmd":["' + "\\u0000" * 600_000 + '"]}', "[" * 4_000_000]
)
def test_json_made_to_be_slow_is_refused_and_holds_up_nobody(call: Calls, box: str, body: str) -> None:
    """A03."""
    told: list[Told] = []
    sending = threading.Thread(
        target=lambda: told.append(call("POST", f"{box}/exec", body, Content_Type="application/json"))
    )
    sending.start()
    while sending.is_alive():
        began = time.monotonic()
        assert call("GET", "/healthz").status == 200
        assert time.monotonic() - began < 0.5
    sending.join()
    assert told[0].code == "invalid_spec"


def test_json_that_is_too_long_is_refused(call: Calls, box: str) -> None:
    """A01."""
    told = call("POST", f"{box}/exec", '{"code":"' + "x" * 5_000_000 + '"}', Content_Type="application/json")
    assert (told.status, told.code) == (413, "too_large")


@pytest.mark.parametrize(
    "media",
    ["", "text/plain", "application/x-www-form-urlencoded", "application/jsonp", "multipart/form-data"],
)
def test_a_body_of_another_type_is_refused(call: Calls, box: str, media: str) -> None:
    for verb, path in (
        ("PUT", box),
        ("POST", f"{box}/exec"),
        ("POST", "/v1/run"),
        ("POST", f"{box}/files/mkdir"),
    ):
        assert call(verb, path, b"{}", Content_Type=media).status == 415


@pytest.mark.parametrize(
    "media", ["application/json", "Application/JSON; charset=utf-8", "application/json;x=y"]
)
def test_json_is_taken_with_any_parameters(call: Calls, box: str, media: str) -> None:
    assert call("POST", f"{box}/exec", b'{"cmd":["true"]}', Content_Type=media).status == 200


@pytest.mark.parametrize(
    "code",
    ["print(1)\0", "\ufeffprint('bom')", "print('cr')\r\nprint('lf')", "print(", "# " + "x" * 3_000_000],
)
def test_odd_code_has_a_defined_result(call: Calls, box: str, code: str) -> None:
    """A08."""
    told = call("POST", f"{box}/exec", {"code": code})
    assert (told.status, told.json["reason"]) == (200, "exited")


def test_what_a_stranger_wrote_is_escaped_in_the_log(call: Calls, box: str, server: RunningServer) -> None:
    """A18."""
    name = "%1b[31mred%0aline"
    call("GET", f"/v1/sandboxes/{name}")
    call("GET", f"{box}/files/stat?path={name}")
    server.heard("red")
    lines = [line for line in server.said if "red" in line]
    for line in lines:
        assert "\x1b" not in line
        json.loads(line)


def test_variables_of_the_loader_reach_only_the_program(call: Calls, box: str, server: RunningServer) -> None:
    """A12."""
    env = {
        "LD_PRELOAD": "/workspace/evil.so",
        "PYTHONSTARTUP": "/workspace/evil.py",
        "PATH": "/workspace",
        "BASH_ENV": "x",
    }
    told = call("POST", f"{box}/exec", {"cmd": ["/bin/sh", "-c", "echo $PATH"], "env": env})
    assert told.json["stdout"] == "/workspace\n"
    assert call("GET", "/healthz").body == b"OK"
    assert server.process.poll() is None


@pytest.mark.parametrize("verb", ["PATCH", "HEAD", "OPTIONS", "TRACE", "BREW"])
def test_a_verb_that_a_path_lacks_is_refused_with_those_it_has(call: Calls, box: str, verb: str) -> None:
    told = call(verb, box)
    assert told.status in (400, 405)
    if told.status == 405:
        assert told.headers["allow"] == "DELETE, GET, PUT"
