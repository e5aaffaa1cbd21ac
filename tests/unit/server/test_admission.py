"""Who is let in: Host, Origin, keys, and users of this machine, each against a running server."""

from __future__ import annotations

import base64
import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from sandlot.testing.servers import RunningServer, ServerDidNotStart, running_server
from tests.unit.server.talk import ask, dial, read_answer

EVERY_ROUTE = [
    ("GET", "/metrics"),
    ("GET", "/docs"),
    ("GET", "/openapi.json"),
    ("GET", "/v1/sandboxes"),
    ("POST", "/v1/run"),
    ("GET", "/v1/sandboxes/a/files/watch?path=/workspace"),
    ("GET", "/nope"),
]


def handshake(server: RunningServer, *lines: str, target: str = "/v1/sandboxes/a/terminal?cmd=sh") -> int:
    """The status of a WebSocket's handshake."""
    key = base64.b64encode(os.urandom(16)).decode()
    head = [
        f"GET {target} HTTP/1.1",
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        f"Sec-WebSocket-Key: {key}",
        *lines,
    ]
    if not any(line.lower().startswith("host:") for line in lines):
        head.append("Host: " + server.url.removeprefix("http://"))
    with dial(server) as connection:
        connection.sendall("\r\n".join([*head, "", ""]).encode())
        return read_answer(connection).status


@pytest.mark.parametrize(("method", "target"), EVERY_ROUTE)
def test_a_foreign_host_is_refused_on_every_route(server: RunningServer, method: str, target: str) -> None:
    answer = ask(server, method, target, Host="evil.example")
    assert (answer.status, answer.problem["code"]) == (403, "forbidden")


@pytest.mark.parametrize(("method", "target"), [*EVERY_ROUTE, ("GET", "/healthz"), ("GET", "/readyz")])
def test_a_foreign_page_is_refused_on_every_route(server: RunningServer, method: str, target: str) -> None:
    answer = ask(server, method, target, Origin="https://evil.example")
    assert (answer.status, answer.problem["code"]) == (403, "forbidden")
    assert not [name for name in answer.headers if name.startswith("access-control")]


def test_a_page_that_reaches_this_server_by_a_name_of_its_own_learns_nothing(server: RunningServer) -> None:
    told = json.loads(ask(server, "GET", "/readyz", Host="evil.example").body)
    assert list(told) == ["status"]
    assert "checks" in json.loads(ask(server, "GET", "/readyz").body)


def test_a_page_of_this_server_is_let_in(server: RunningServer) -> None:
    assert ask(server, "GET", "/v1/sandboxes", Origin=server.url).status == 200


def test_a_web_socket_obeys_the_same_rules(server: RunningServer) -> None:
    assert handshake(server, "Origin: https://evil.example") == 403
    assert handshake(server, "Host: evil.example") == 403
    assert handshake(server, "Authorization: Bearer sl_wrong") == 401
    assert handshake(server, target="/v1/sandboxes/a/terminal?key=sl_wrong") == 401
    assert handshake(server, target="/nope") in (403, 404)


def test_the_body_of_a_refused_request_is_not_read(server: RunningServer) -> None:
    head = b"PUT /v1/sandboxes/a HTTP/1.1\r\nHost: evil.example\r\nContent-Length: 100000000\r\n\r\n"
    with dial(server) as connection:
        connection.sendall(head)
        answer = read_answer(connection)
    assert answer.status == 403
    assert answer.headers["connection"] == "close"


def test_a_key_in_a_query_is_burnt(server: RunningServer) -> None:
    for query in (
        "?key=x",
        "?token=x",
        "?a=b&access_token=x",
        "?path=sl_0123456789ab_x",
        "?p=%73l_0123456789ab_",
    ):
        assert ask(server, "GET", "/v1/sandboxes" + query).status == 401


def test_the_first_key_makes_keys_necessary_and_each_opens_what_it_may() -> None:
    with running_server() as server:
        assert ask(server, "GET", "/v1/sandboxes").status == 200
        reader, watcher = server.key("reader", "read"), server.key("watcher", "metrics")
        bare = ask(server, "GET", "/v1/sandboxes")
        assert (bare.status, bare.headers["www-authenticate"]) == (401, "Bearer")
        assert ask(server, "GET", "/healthz").status == 200
        assert list(json.loads(ask(server, "GET", "/readyz").body)) == ["status"]
        known = json.loads(ask(server, "GET", "/readyz", Authorization=f"Bearer {reader}").body)
        assert set(known) == {"status", "checks", "version", "engine", "isolation"}
        assert ask(server, "GET", "/v1/sandboxes", Authorization=f"Bearer {reader}").status == 200
        assert ask(server, "GET", "/docs", Authorization=f"bearer  {reader}").status == 200
        denied = ask(server, "DELETE", "/v1/sandboxes/a", Authorization=f"Bearer {reader}")
        assert denied.problem["code"] == "forbidden"
        assert ask(server, "GET", "/metrics", Authorization=f"Bearer {reader}").status == 403
        assert ask(server, "GET", "/metrics", Authorization=f"Bearer {watcher}").status == 200
        assert ask(server, "GET", "/v1/sandboxes", Authorization=f"Bearer {watcher}").status == 403
        assert handshake(server, f"Sec-WebSocket-Protocol: sandlot.terminal.v1, sandlot.key.{reader}") == 403
        assert handshake(server, f"Sec-WebSocket-Protocol: sandlot.key.{reader[:-1]}x") == 401
        server.revoke(reader)
        told = {
            (answer.status, answer.problem["detail"])
            for answer in (
                ask(server, "GET", "/v1/sandboxes"),
                ask(server, "GET", "/v1/sandboxes", Authorization=f"Bearer {reader}"),
                ask(server, "GET", "/v1/sandboxes", Authorization="Bearer sl_000000000000_" + "A" * 43),
                ask(server, "GET", "/v1/sandboxes", Authorization="Bearer x"),
                ask(server, "GET", "/v1/sandboxes", Authorization="Basic eDp5"),
                ask(server, "POST", "/v1/run", b"{" * 100),
            )
        }
        assert len(told) == 1
        assert not [line for line in server.said if reader.split("_", 2)[2] in line]


def test_a_key_that_has_run_out_opens_nothing() -> None:
    with running_server("--auth", "keys") as server:
        short = server.key("short", expires="1ms")
        assert ask(server, "GET", "/v1/sandboxes", Authorization=f"Bearer {short}").status == 401
        assert ask(server, "GET", "/v1/sandboxes").status == 401


@pytest.mark.parametrize(
    "flags", [("--host", "0.0.0.0"), ("--host", "::"), ("--host", "0.0.0.0", "--auth", "local")]
)
def test_no_server_for_others_starts_without_keys(flags: tuple[str, ...]) -> None:
    with pytest.raises(ServerDidNotStart, match="sandlot key create"), running_server(*flags):
        pass


def test_a_server_for_others_is_called_by_any_name_or_by_those_that_are_listed(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    with running_server(directory=tmp_path) as local:
        key = f"Bearer {local.key('first')}"
    flags = ("--host", "0.0.0.0")
    with running_server(*flags, directory=tmp_path) as server:
        assert ask(server, "GET", "/v1/sandboxes", Authorization=key, Host="box.example").status == 200
        assert ask(server, "GET", "/v1/sandboxes").status == 401
    with running_server(*flags, "--allow-host", "box.example", directory=tmp_path) as server:
        assert ask(server, "GET", "/v1/sandboxes", Authorization=key, Host="box.example:99").status == 200
        assert ask(server, "GET", "/v1/sandboxes", Authorization=key, Host="evil.example").status == 403
        assert ask(server, "GET", "/healthz", Host="10.0.0.1:8080").status == 200


_AS_NOBODY = """
import http.client, os, sys
os.setgid(65534); os.setuid(65534)
host, target = sys.argv[1:]
connection = http.client.HTTPConnection(host, timeout=20)
connection.request("GET", target)
print(connection.getresponse().status)
"""


@pytest.mark.root
@pytest.mark.linux
@pytest.mark.skipif(os.geteuid() != 0, reason="needs uid 0 to become somebody else")
def test_another_user_of_this_machine_needs_a_key(server: RunningServer) -> None:
    def status(target: str) -> int:
        words = [sys.executable, "-c", _AS_NOBODY, server.url.removeprefix("http://"), target]
        return int(subprocess.run(words, capture_output=True, check=True).stdout)

    assert status("/v1/sandboxes") == 403
    assert status("/nope") == 403
    assert status("/healthz") == 200


@pytest.mark.linux
def test_a_caller_who_hangs_up_at_once_is_nobody(server: RunningServer) -> None:
    # Its socket is shown as root's then; were it believed, any user could send requests blindly.
    with dial(server) as connection:
        connection.sendall(
            b"PUT /v1/sandboxes/blind HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            b"Content-Length: 2\r\nX-Request-Id: blind-1\r\n\r\n{}"
        )
    assert " 200" not in server.heard("blind-1")
    assert ask(server, "GET", "/v1/sandboxes/blind").status == 404


def test_a_unix_socket_is_for_its_user_alone(tmp_path: Path) -> None:
    path = tmp_path / "s.sock"
    with running_server(listen=("--unix", str(path))) as server:
        assert server.url == f"unix://{path}"
        assert path.stat().st_mode & 0o777 == 0o600
        assert ask(server, "GET", "/v1/sandboxes").status == 200
        assert ask(server, "GET", "/v1/sandboxes", Origin="http://evil.example").status == 403
    assert not path.exists()


def test_a_socket_may_be_handed_over() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.set_inheritable(True)
        descriptor = listener.fileno()
        with running_server(listen=("--fd", str(descriptor)), pass_fds=(descriptor,)) as server:
            assert server.url == f"http://127.0.0.1:{listener.getsockname()[1]}"
            assert ask(server, "GET", "/healthz").status == 200
