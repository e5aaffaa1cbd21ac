"""The layers together, fed by hand with routes made for the test."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.types import ASGIApp, Message, Scope
from starlette.websockets import WebSocket

from sandlot import settings
from sandlot.contracts.errors import NotFound, QuotaDenied, SandlotError
from sandlot.server import access
from sandlot.server.app import build_app
from sandlot.server.connection import Connection
from sandlot.server.dialect import Context, Dialect
from sandlot.server.gate import Access
from sandlot.server.health import Health
from sandlot.server.hosts import HostRules
from sandlot.server.keyring import KeyRing
from sandlot.server.lifecycle import Lifecycle
from sandlot.server.metrics import Metrics

SECRET = "canary-7f3a"


async def boom(_request: Request) -> Response:
    raise RuntimeError(SECRET)


async def quota(_request: Request) -> Response:
    raise QuotaDenied("you have 3 sandboxes")


async def gone(_request: Request) -> Response:
    raise ClientDisconnect


async def whose(request: Request) -> Response:
    caller = access.caller_of(request)
    return PlainTextResponse(f"{caller.owner} {caller.is_local} {request.state.traceparent}")


async def starting(request: Request) -> Response:
    access.service_of(request)
    raise AssertionError


async def broken(_request: Request) -> Response:
    async def pieces() -> Any:
        yield b"half"
        raise RuntimeError(SECRET)

    from starlette.responses import StreamingResponse

    return StreamingResponse(pieces())


async def socket_of_nobody(_socket: WebSocket) -> None:
    raise NotFound("there is no live sandbox 'a'")


async def socket_that_breaks(websocket: WebSocket) -> None:
    await websocket.accept()
    raise RuntimeError(SECRET)


ROUTES = [
    *(Route("/" + each.__name__, each) for each in (boom, quota, gone, whose, starting, broken)),
    WebSocketRoute("/socket_of_nobody", socket_of_nobody),
    WebSocketRoute("/socket_that_breaks", socket_that_breaks),
]


class OwnUser(Connection):
    """The other end of a connection, as the kernel would tell."""

    def __init__(self, told: bool, uid: int | None) -> None:
        super().__init__(None)
        self.found = told, uid

    async def user(self) -> tuple[bool, int | None]:
        return self.found


@pytest.fixture
def app(tmp_path: Path) -> ASGIApp:
    chosen = settings.load({"data_directory": str(tmp_path)}, {"HOME": "/h"}, [])
    context = Context(chosen, Metrics(), Lifecycle())
    health = Health(context.lifecycle, context.metrics, tmp_path)
    about: dict[str, Any] = {"/boom": {"get": {"responses": {}}}}
    dialect = Dialect("test", ROUTES, lambda: about, lambda: {"Test": {"type": "string"}})
    rules = HostRules(frozenset({"here"}))
    return build_app(context, [dialect], health, Access(KeyRing(chosen.keys_file), "auto", True), rules)


def sent(
    app: ASGIApp,
    path: str,
    kind: str = "http",
    headers: Sequence[tuple[bytes, bytes]] = (),
    uid: int | None = 0,
) -> list[Message]:
    """Everything the application sends for one request without a body."""
    messages: list[Message] = []
    path, _, query = path.partition("?")
    scope: Scope = {
        "type": kind,
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "headers": [(b"host", b"here"), *headers],
        "state": {"connection": OwnUser(True, uid)},
        "extensions": {"websocket.http.response": {}},
        **({"method": "GET"} if kind == "http" else {"subprotocols": []}),
    }

    waiting = [
        {"type": "websocket.connect"} if kind == "websocket" else {"type": "http.request", "body": b""}
    ]

    async def receive() -> Message:
        if not waiting:
            await asyncio.Event().wait()
        return waiting.pop()

    async def send(message: Message) -> None:
        messages.append(message)

    async def answered() -> None:
        await app(scope, receive, send)

    asyncio.run(answered())
    return messages


def told(messages: Sequence[Message]) -> dict[str, Any]:
    """The problem in *messages*, which have no more."""
    start, body = messages
    assert dict(start["headers"])[b"content-type"] == b"application/problem+json"
    problem: dict[str, Any] = json.loads(body["body"])
    assert problem["status"] == start["status"]
    return problem


def test_a_fault_of_ours_is_told_to_the_log_only(app: ASGIApp, caplog: pytest.LogCaptureFixture) -> None:
    problem = told(sent(app, "/boom", headers=[(b"x-request-id", b"r-1")]))
    assert (problem["status"], problem["code"], problem["requestId"]) == (500, "internal", "r-1")
    assert SECRET not in json.dumps(problem)
    record = next(record for record in caplog.records if record.levelno == logging.ERROR)
    assert "r-1" in record.getMessage()
    assert SECRET in str(record.exc_info)


def test_our_errors_keep_their_codes_and_headers(app: ASGIApp) -> None:
    messages = sent(app, "/quota")
    assert told(messages)["code"] == "quota_denied"
    assert (b"retry-after", b"1") in messages[0]["headers"]


def test_a_server_that_starts_says_so(app: ASGIApp) -> None:
    problem = told(sent(app, "/starting"))
    assert (problem["status"], problem["code"], problem["retryable"]) == (503, "start_failed", True)
    assert json.loads(sent(app, "/readyz")[1]["body"])["status"] == "starting"


def test_nothing_is_told_to_who_has_gone(app: ASGIApp) -> None:
    start, _body = sent(app, "/gone")
    assert start["status"] == 499


def test_an_answer_that_breaks_has_no_end(app: ASGIApp, caplog: pytest.LogCaptureFixture) -> None:
    messages = sent(app, "/broken")
    assert messages[-1]["more_body"] is True
    about = next(record for record in caplog.records if record.name == "sandlot.access")
    assert about.__dict__["about"]["broken"] is True


@pytest.fixture(autouse=True)
def _every_level(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)


def test_a_web_socket_is_denied_with_a_problem(app: ASGIApp) -> None:
    messages = sent(app, "/socket_of_nobody", "websocket")
    assert messages[0]["type"] == "websocket.http.response.start"
    assert told(messages)["code"] == "not_found"
    refused = sent(app, "/socket_of_nobody", "websocket", [(b"origin", b"http://evil")])
    assert told(refused)["code"] == "forbidden"


def test_a_web_socket_that_fails_is_closed(app: ASGIApp) -> None:
    messages = sent(app, "/socket_that_breaks", "websocket")
    assert [message["type"] for message in messages] == ["websocket.accept", "websocket.close"]
    assert messages[1]["code"] == 1011


def test_callers_of_this_machine_are_one_owner(app: ASGIApp) -> None:
    trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    given = [(b"traceparent", trace.encode())]
    assert sent(app, "/whose", headers=given)[1]["body"].decode() == f"local True {trace}"
    assert sent(app, "/whose")[1]["body"].decode() == "local True None"


@pytest.mark.parametrize("uid", [None, 54321])
def test_another_user_is_refused(app: ASGIApp, uid: int | None) -> None:
    assert told(sent(app, "/whose", uid=uid))["code"] == "forbidden"
    assert sent(app, "/healthz", uid=uid)[0]["status"] == 200


@pytest.mark.parametrize(
    "headers",
    [
        [(b"host", b"here")],  # twice
        [(b"authorization", b"Bearer sl_x")],
        [(b"authorization", b"Bearer a"), (b"authorization", b"Bearer b")],
        [(b"authorization", b"Bearer \xff\xfe")],
        [(b"authorization", b"")],
    ],
)
def test_strange_credentials_and_names_are_refused(app: ASGIApp, headers: list[tuple[bytes, bytes]]) -> None:
    assert told(sent(app, "/whose", headers=headers))["status"] in (401, 403)


def test_the_document_has_what_dialects_and_the_server_tell(app: ASGIApp) -> None:
    document = json.loads(sent(app, "/openapi.json")[1]["body"])
    assert "/boom" in document["paths"]
    assert document["paths"]["/readyz"]["get"]["operationId"] == "getReadyz"
    assert document["components"]["schemas"]["Test"] == {"type": "string"}
    page = sent(app, "/docs")[1]["body"].decode()
    assert "/metrics" in page


def test_every_error_there_is_has_an_answer(app: ASGIApp) -> None:
    del app
    from sandlot.contracts.errors import kinds
    from sandlot.server import errors

    for kind in kinds().values():
        error: SandlotError = kind("why\r\n<b>")
        response = errors.answer(error, {"type": "http", "path": "/\x00\ud800"}, "r")
        assert json.loads(bytes(response.body))["code"] == kind.code
