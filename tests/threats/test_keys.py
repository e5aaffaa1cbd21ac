"""T01, T02, T05, T06, T08, T09, T10: no key, no answer, and no key anywhere but where it belongs."""

from __future__ import annotations

import base64
import hmac
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from sandlot.server.keys import Key, made, opened
from sandlot.testing.host_processes import descendants
from sandlot.testing.servers import RunningServer, ServerDidNotStart, running_server
from tests.threats.conftest import ready_server
from tests.threats.raw import HANDSHAKE, Answer, Line, ask, head

pytestmark = [pytest.mark.engine, pytest.mark.timeout(60)]

_MIB = 2**20
_JWT = "eyJhbGciOiJub25lIiwidHlwIjoiSldUIiwia2lkIjoiLi4vLi4vLi4vZGV2L251bGwifQ.eyJzdWIiOiJhZG1pbiJ9."


_ANY = (
    ("GET", "/v1/sandboxes"),
    ("GET", "/v1/nowhere"),
    ("PUT", "/v1/sandboxes/a"),
    ("POST", "/v1/run"),
    ("POST", "/v1/sandboxes/a/exec"),
    ("POST", "/v1/sandboxes/a/files/upload"),
)


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    with ready_server("--allow-network") as running:
        yield running


@pytest.fixture(scope="module")
def key(server: RunningServer) -> str:
    return server.key("first", "read", "write", owner="alice")


@pytest.fixture(scope="module")
def looking(key: str) -> str:
    """The key by which the proof looks at sandboxes."""
    return key


def _bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def _wrong(server: RunningServer, key: str) -> dict[str, dict[str, str]]:
    """Credentials that open nothing."""
    number, secret = key.split("_")[1], key.split("_", 2)[2]
    expired, revoked = server.key("short", expires="1ms"), server.key("revoked")
    server.revoke(revoked)
    basic = base64.b64encode(f"{number}:{secret}".encode()).decode()
    return {
        "none": {},
        "empty": {"Authorization": ""},
        "no secret": _bearer(""),
        "another secret": _bearer(f"sl_{number}_{'A' * 43}"),
        "another id": _bearer(f"sl_{'0' * 12}_{secret}"),
        "cut": _bearer(key[:-1]),
        "longer": _bearer(key + "A"),
        "in capitals": _bearer(key.upper()),
        "a space that is none after it": _bearer(key + "\xa0"),
        "two of them": _bearer(f"{key}, {key}"),
        "expired": _bearer(expired),
        "revoked": _bearer(revoked),
        "JWT of no algorithm": _bearer(_JWT),
        "basic": {"Authorization": f"Basic {basic}"},
        "no scheme": {"Authorization": key},
        "a cookie": {"Cookie": f"Authorization=Bearer {key}"},
        "another header": {"X_Api_Key": key, "Proxy_Authorization": f"Bearer {key}"},
        "forwarded": {"X_Forwarded_For": "127.0.0.1", "X_Real_Ip": "127.0.0.1", "Forwarded": "for=localhost"},
    }


def test_t01_without_a_valid_key_everything_is_refused_before_its_body_is_read(
    server: RunningServer, key: str
) -> None:
    answers: dict[str, Answer] = {}
    for what, credentials in _wrong(server, key).items():
        for method, target in _ANY:
            with Line(server) as line:  # the body that is announced never comes
                size = {} if method == "GET" else {"Content_Length": str(3 * _MIB)}
                line.say(head(server, method, target, Content_Type="application/json", **credentials, **size))
                answers[f"{what}: {method} {target}"] = line.answer()
        answers[f"{what}: terminal"] = ask(
            server, "GET", "/v1/sandboxes/a/terminal", **HANDSHAKE, **credentials
        )
    taken = {what: answer for what, answer in answers.items() if answer.status != 401}
    assert taken == {}
    assert {answer.code for answer in answers.values()} == {"unauthorized"}
    assert {answer.headers["www-authenticate"] for answer in answers.values()} == {"Bearer"}
    assert len({answer.json["detail"] for answer in answers.values()}) == 1


def test_t01_a_key_in_the_query_is_refused_even_if_it_is_right(server: RunningServer, key: str) -> None:
    for query in (
        f"access_token={key}",
        f"key={key}",
        f"x={key}",
        f"x={key.replace('_', '%5F')}",
        f"api_key={key}",
    ):
        for credentials in ({}, _bearer(key)):
            assert ask(server, "GET", f"/v1/sandboxes?{query}", **credentials).status == 401
        assert ask(server, "GET", f"/v1/sandboxes/a/terminal?{query}", **HANDSHAKE).status == 401


def test_t02_every_text_costs_one_comparison_of_whole_digests() -> None:
    key, text = made(bytes(range(38)), "name", "owner", frozenset({"read"}), 0.0, None)
    _, number, secret = text.split("_", 2)
    texts = [
        text,
        f"sl_{number}_{'A' * 43}",
        f"sl_{'f' * 12}_{secret}",
        "",
        "sl_",
        text[:-1],
        "x" * 10_000,
        _JWT,
    ]
    compared = [_comparisons(each, key) for each in texts]
    assert compared == [[(64, 64)]] * len(texts)
    assert [opened(each, {key.id: key}, 1.0) for each in texts] == [key] + [None] * (len(texts) - 1)


def _comparisons(text: str, key: Key) -> list[tuple[int, int]]:
    """The lengths of what is compared in constant time for *text*, as the interpreter tells."""
    found: list[tuple[int, int]] = []

    def watch(frame: FrameType, event: str, argument: Any) -> None:
        if event == "c_call" and argument is hmac.compare_digest:
            found.append((64, len(frame.f_locals["key"].hash)))

    sys.setprofile(watch)
    try:
        opened(text, {key.id: key}, 1.0)
    finally:
        sys.setprofile(None)
    return found


def test_t05_a_program_finds_no_credential_and_gets_in_by_none(server: RunningServer, key: str) -> None:
    number = key.split("_")[1]
    search = (
        f"grep -rla {number} /workspace /tmp /dev/shm /etc /run /home /root /var 2>/dev/null;"
        f"cat /proc/[0-9]*/environ /proc/[0-9]*/cmdline 2>/dev/null | grep -ac 'sl_{number[:6]}'; env"
    )
    asked: dict[str, Any] = {"cmd": ["sh", "-c", search], "network": "full"}
    said = ask(server, "POST", "/v1/run", asked, **_bearer(key)).json["stdout"]
    # The one process that holds the first digits is the search itself.
    assert said.splitlines()[0] in ("0", "1")
    assert key not in said
    program = (
        "import urllib.request, urllib.error\n"
        f"for path in ('/v1/sandboxes', '/metrics', '/docs'):\n"
        "    try:\n"
        f"        print(urllib.request.urlopen('{server.url}' + path, timeout=5).status)\n"
        "    except urllib.error.HTTPError as error:\n"
        "        print(error.code)\n"
    )
    asked = {"code": program, "network": "full"}
    result = ask(server, "POST", "/v1/run", asked, **_bearer(key)).json
    assert result["stdout"].split() == ["401"] * 3, result


def test_t06_what_tells_about_the_server_needs_a_key(server: RunningServer, key: str) -> None:
    watching = server.key("watching", "metrics")
    for target in ("/metrics", "/docs", "/openapi.json"):
        assert ask(server, "GET", target).status == 401
    assert ask(server, "GET", "/metrics", **_bearer(key)).code == "forbidden"
    assert ask(server, "GET", "/metrics", **_bearer(watching)).status == 200
    assert ask(server, "GET", "/v1/sandboxes", **_bearer(watching)).code == "forbidden"
    assert ask(server, "PUT", "/v1/sandboxes/a", {}, **_bearer(watching)).code == "forbidden"
    assert set(ask(server, "GET", "/readyz").json) == {"status"}
    for target in (
        "/admin",
        "/debug",
        "/debug/pprof",
        "/redoc",
        "/console",
        "/.env",
        "/server-status",
        "/v1/keys",
    ):
        assert ask(server, "GET", target).status == 401
        assert ask(server, "GET", target, **_bearer(key)).status == 404


def test_t06_a_key_that_reads_changes_nothing(server: RunningServer) -> None:
    reading = server.key("reading", "read", owner="alice")
    document = ask(server, "GET", "/openapi.json", **_bearer(reading)).json
    for path, item in document["paths"].items():
        for verb in set(item) - {"get"}:
            target = path.format(
                id="a", exec="e", process="p", path="f", context="c", cell="d", checkpoint="k"
            )
            answer = ask(server, verb.upper(), target, {}, **_bearer(reading))
            assert (answer.status, answer.json["code"]) == (403, "forbidden"), (verb, path)
    terminal = ask(server, "GET", "/v1/sandboxes/a/terminal", **HANDSHAKE, **_bearer(reading))
    assert terminal.code == "forbidden"


def test_t08_names_and_pages_that_are_not_ours_are_refused(server: RunningServer, key: str) -> None:
    port = server.url.rpartition(":")[2]
    hosts = (
        "evil.example", f"evil.example:{port}", "127.0.0.1.nip.io", "localhost.evil.example", "127.0.0.1:1",
        f"localhost.:{port}", "0.0.0.0", "[::ffff:127.0.0.1]", "2130706433", f"127.1:{port}", "",
    )  # fmt: skip
    for host in hosts:
        assert ask(server, "GET", "/v1/sandboxes", Host=host, **_bearer(key)).code == "forbidden"
        assert ask(server, "GET", "/v1/sandboxes/a/terminal", **{**HANDSHAKE, "Host": host}).status == 403
    for origin in (
        "http://evil.example",
        "null",
        f"http://localhost:{port}0",
        "file://",
        f"https://127.0.0.1:{port}.evil",
    ):
        for target in ("/v1/sandboxes", "/healthz"):
            answer = ask(server, "GET", target, Origin=origin, **_bearer(key))
            assert answer.code == "forbidden", origin
        assert ask(server, "GET", "/v1/sandboxes/a/terminal", **HANDSHAKE, Origin=origin).status == 403
        preflight = ask(
            server, "OPTIONS", "/v1/run", Origin=origin, Access_Control_Request_Method="POST",
            Access_Control_Request_Headers="content-type",
        )  # fmt: skip
        assert preflight.status == 403
        assert not [name for name in preflight.headers if name.startswith("access-control-")]


def test_t09_a_key_stands_in_no_log_error_process_or_file(server: RunningServer, key: str) -> None:
    secret = key.split("_", 2)[2]
    asked = {"cmd": ["sh", "-c", "env; cat /proc/self/cmdline"], "env": {"A": "b"}}
    answers = [
        ask(server, "POST", "/v1/run", asked, **_bearer(key)),
        ask(server, "GET", f"/v1/{key}", **_bearer(key)),
        ask(server, "GET", f"/v1/sandboxes/{key}", **_bearer(key)),
        ask(server, "GET", f"/v1/sandboxes?x={key}", **_bearer(key)),
        ask(server, "GET", "/v1/sandboxes", Authorization=f"Bearer {key} x"),
        ask(server, "GET", f"/v1/sandboxes/a/terminal?cmd={key}", **HANDSHAKE, **_bearer(key)),
        ask(
            server,
            "GET",
            "/v1/sandboxes/a/terminal",
            **HANDSHAKE,
            Sec_WebSocket_Protocol=f"sandlot.key.{key}",
        ),
    ]
    ask(server, "GET", "/healthz", X_Request_Id="t09-last")
    server.heard("t09-last")
    # A path is the caller's own: who writes a key there gets it back, and nobody else does.
    assert not [answer for answer in (answers[0], *answers[3:]) if secret.encode() in answer.body]
    assert not [line for line in server.said if secret in line]
    for pid in (server.pid, *(process.pid for process in descendants(server.pid))):
        for name in ("cmdline", "environ"):
            assert secret.encode() not in Path(f"/proc/{pid}/{name}").read_bytes()
    kept = [path for path in server.directory.rglob("*") if path.is_file() and path.stat().st_size < _MIB]
    assert kept
    assert not [path for path in kept if secret.encode() in path.read_bytes()]
    stored = json.loads((server.directory / "data" / "keys.json").read_text())
    assert all(len(each["hash"]) == 64 for each in stored["keys"])
    assert (server.directory / "data" / "keys.json").stat().st_mode & 0o077 == 0


def test_t10_the_usual_place_is_loopback_and_another_one_needs_keys() -> None:
    for flags in (("--host", "0.0.0.0"), ("--host", "::", "--auth", "local")):
        with pytest.raises(ServerDidNotStart, match="key"), running_server(*flags):
            pass
    with running_server(listen=("--port", "0")) as running:
        assert running.url.startswith("http://127.0.0.1:")
