"""What every answer has, whatever was asked."""

from __future__ import annotations

import re

import pytest

from sandlot.testing.servers import RunningServer
from tests.unit.server.talk import ask, dial, read_answer


def test_health_is_two_letters(server: RunningServer) -> None:
    answer = ask(server, "GET", "/healthz")
    assert (answer.status, answer.body) == (200, b"OK")
    assert answer.headers["content-type"].startswith("text/plain")
    assert "server" not in answer.headers
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "date" in answer.headers


def test_a_request_keeps_its_name_and_gets_one_otherwise(server: RunningServer) -> None:
    assert ask(server, "GET", "/healthz", X_Request_Id="mine-1").headers["x-request-id"] == "mine-1"
    made = ask(server, "GET", "/healthz", X_Request_Id="not mine").headers["x-request-id"]
    assert re.fullmatch("[0-9a-f]{32}", made)


@pytest.mark.parametrize(
    "target", ["/", "/nope", "/v1", "/v1/sandboxes/a/b/c", "/docs/", "//healthz", "/%00"]
)
def test_an_unknown_route_is_a_problem(server: RunningServer, target: str) -> None:
    answer = ask(server, "GET", target)
    assert answer.problem["code"] == "not_found"
    assert answer.status == 404


def test_another_method_is_told_which_there_are(server: RunningServer) -> None:
    answer = ask(server, "PATCH", "/v1/sandboxes/some")
    assert answer.status == 405
    assert answer.problem["code"] == "method_not_allowed"
    assert answer.headers["allow"] == "DELETE, GET, PUT"


def test_what_a_stranger_wrote_comes_back_escaped(server: RunningServer) -> None:
    answer = ask(server, "GET", "/%3Cscript%3E%0D%0Ax")
    assert answer.problem["instance"] == "/%3Cscript%3E%0D%0Ax"
    assert b"<script>" not in answer.body


def test_a_fault_of_ours_tells_no_more_than_its_name(server: RunningServer) -> None:
    # No route is known to fail, so look at every error a stranger can cause: none shows a path of ours.
    with dial(server) as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nbad header\r\n\r\n")
        answer = read_answer(connection)
    assert answer.status == 400
    for text in (answer.body, ask(server, "POST", "/v1/run", b"{", Content_Type="application/json").body):
        assert b"Traceback" not in text
        assert b".py" not in text


def test_the_document_lists_every_route_with_its_errors(server: RunningServer) -> None:
    import json

    document = json.loads(ask(server, "GET", "/openapi.json").body)
    assert document["openapi"] == "3.1.0"
    assert {"/healthz", "/readyz", "/metrics", "/openapi.json", "/docs", "/v1/run"} <= set(document["paths"])
    for path, item in document["paths"].items():
        for method, operation in item.items():
            if method in ("get", "put", "post", "delete"):
                problems = [code for code in operation["responses"] if int(code) >= 400 and code != "503"]
                assert problems, (method, path)
                kinds = {kind for code in problems for kind in operation["responses"][code]["content"]}
                is_foreign = not {"sandbox_runtime", "jupyter"}.isdisjoint(operation["tags"])
                wanted = "application/json" if is_foreign else "application/problem+json"
                assert kinds == {wanted}, (method, path)


def test_the_page_needs_nothing_from_elsewhere_and_runs_nothing(server: RunningServer) -> None:
    answer = ask(server, "GET", "/docs")
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in policy
    text = answer.body.decode()
    assert "<script" not in text
    assert not re.search(r"(src|href)=[\"']?(https?:)?//", text)
    assert "/v1/sandboxes/{id}" in text


def test_counters_have_few_labels(server: RunningServer) -> None:
    for number in range(5):
        ask(server, "GET", f"/v1/sandboxes/secret-{number}")
        ask(server, "GET", f"/made/up/{number}")
        ask(server, "MADEUP", "/healthz")
    text = ask(server, "GET", "/metrics").body.decode()
    assert 'sandlot_http_requests_total{method="GET",route="/v1/sandboxes/{id}",status="4xx"}' in text
    assert 'route="none"' in text
    assert "secret-" not in text
    assert "made/up" not in text
    assert "MADEUP" not in text
    assert 'sandlot_sandboxes{state="running"} 0.0' in text


def test_a_log_line_tells_the_request_and_never_its_query_or_body(server: RunningServer) -> None:
    ask(server, "GET", "/v1/sandboxes?cursor=canary", X_Request_Id="seen-1")
    ask(server, "POST", "/v1/run", b'{"code": "canary"', Content_Type="application/json")
    ask(server, "GET", "/v1/%0a%1b[2Jforged", X_Request_Id="seen-2")
    ask(server, "GET", "/metrics")
    server.heard("seen-1")
    hostile = server.heard("seen-2")
    assert all(line.startswith("{") and line.endswith("}") for line in server.said)
    assert not [line for line in server.said if "canary" in line]
    assert "\\u001b" in hostile
