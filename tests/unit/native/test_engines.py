from __future__ import annotations

import asyncio
import json
import os
import re
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from starlette.types import ASGIApp, Message

from sandlot.local import LocalService
from sandlot.sandboxes.house import House
from sandlot.sandboxes.quota import Quota
from sandlot.sandboxes.sandboxes import Sandboxes
from sandlot.server.app import build_app
from sandlot.server.dialect import Context
from sandlot.server.dialects.native import routes
from sandlot.server.dialects.native.routes import operations
from sandlot.server.gate import Access
from sandlot.server.health import Health
from sandlot.server.hosts import HostRules
from sandlot.server.keyring import KeyRing
from sandlot.server.keys import made
from sandlot.server.lifecycle import Lifecycle
from sandlot.server.metrics import Metrics
from sandlot.settings import Settings
from tests.unit.local.memory import MemoryEngine
from tests.unit.native.calls import Told

CALLERS = {"me": ("read", "write"), "other": ("read", "write"), "looker": ("read",), "counter": ("metrics",)}
"""Owners, and what their keys allow."""

Ask = Callable[..., Awaitable[Told]]


def play(
    directory: Path, engine: MemoryEngine, scene: Callable[[Ask], Awaitable[None]], **house: Any
) -> None:
    """Let *scene* ask a server over *engine*, without a network between."""

    async def played() -> None:
        settings = Settings(directory, directory)
        context = Context(settings, Metrics(), Lifecycle())
        sandboxes = Sandboxes(engine, house=House(**house))
        await sandboxes.open()
        context.lifecycle.open(LocalService(sandboxes))
        health = Health(context.lifecycle, context.metrics, directory)
        ring = KeyRing(settings.keys_file)
        texts = {}
        for owner, scopes in CALLERS.items():
            key, texts[owner] = made(os.urandom(38), owner, owner, frozenset(scopes), time.time(), None)
            ring.add(key)
        access = Access(ring, "keys", is_loopback=True)
        app = build_app(context, [routes(context)], health, access, HostRules(None))

        async def ask(verb: str, path: str, body: Any = None, accept: str = "*/*", *, by: str = "me") -> Told:
            return await _asked(
                app, verb, path, body, {"accept": accept, "authorization": f"Bearer {texts[by]}"}
            )

        try:
            async with asyncio.timeout(20):
                await scene(ask)
        finally:
            await sandboxes.close()

    asyncio.run(played())


async def _asked(app: ASGIApp, verb: str, path: str, body: Any, headers: dict[str, str]) -> Told:
    path, _, query = path.partition("?")
    data = json.dumps(body).encode() if isinstance(body, dict) else body or b""
    headers = {"content-type": "application/json", **headers}
    scope = {
        "type": "http",
        "method": verb,
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
        "http_version": "1.1",
        "scheme": "http",
        "root_path": "",
        "client": None,
        "server": None,
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "extensions": {},
    }
    waiting: list[Message] = [{"type": "http.request", "body": data, "more_body": False}]
    sent: list[Message] = []

    async def receive() -> Message:
        if waiting:
            return waiting.pop()
        await asyncio.Event().wait()
        raise AssertionError

    async def send(message: Message) -> None:
        sent.append(message)

    await app(scope, receive, send)
    named = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return Told(sent[0]["status"], named, b"".join(each.get("body", b"") for each in sent[1:]))


POWERS: Sequence[tuple[str, str, Any]] = (
    ("GET", "files/stat?path=x", None),
    ("GET", "files/list", None),
    ("GET", "files/content?path=x", None),
    ("PUT", "files/content?path=x", b"x"),
    ("POST", "files/mkdir", {"path": "x"}),
    ("POST", "files/move", {"path": "x", "to": "y"}),
    ("DELETE", "files?path=x", None),
    ("GET", "files/watch", None),
    ("GET", "processes", None),
    ("POST", "processes", {"cmd": ["true"]}),
    ("GET", "processes/1", None),
    ("POST", "processes/1/signal", {"signal": 9}),
    ("POST", "processes/1/input", b"x"),
    ("GET", "processes/1/output", None),
    ("GET", "contexts", None),
    ("POST", "contexts", {}),
    ("GET", "contexts/default", None),
    ("DELETE", "contexts/default", None),
    ("POST", "contexts/default/run", {"code": "1"}),
    ("POST", "contexts/c/answer", {"text": ""}),
    ("POST", "contexts/c/interrupt", None),
    ("POST", "contexts/c/restart", None),
    ("POST", "contexts/c/complete", {"code": ""}),
    ("POST", "contexts/c/inspect", {"code": ""}),
    ("POST", "contexts/c/is-complete", {"code": ""}),
    ("GET", "contexts/c/history", None),
)


def test_what_an_engine_lacks_is_refused_and_the_rest_works(tmp_path: Path) -> None:
    async def scene(ask: Ask) -> None:
        assert (await ask("PUT", "/v1/sandboxes/a", {})).status == 200
        for verb, path, body in POWERS:
            told = await ask(verb, f"/v1/sandboxes/a/{path}", body)
            assert (told.status, told.code) == (422, "unsupported"), path
        done = await ask("POST", "/v1/sandboxes/a/exec", {"cmd": ["echo", "hi"]})
        assert (done.status, done.json["stdout"], done.json["engine"]) == (200, "hi", "memory")

    play(tmp_path, MemoryEngine(), scene)


def test_what_may_work_later_says_when(tmp_path: Path) -> None:
    async def scene(ask: Ask) -> None:
        told = await ask("PUT", "/v1/sandboxes/a", {})
        assert (told.status, told.code, told.json["retryable"]) == (503, "start_failed", True)
        assert told.headers["retry-after"].isdecimal()
        assert (await ask("GET", "/v1/sandboxes/a")).status == 404
        for accept in ("application/json", "application/x-ndjson"):
            told = await ask("POST", "/v1/run", {"cmd": ["echo"]}, accept)
            assert (told.status, told.code) == (503, "start_failed")

    play(tmp_path, MemoryEngine(failing=10), scene)


def test_one_sandbox_too_many_is_denied_and_says_when(tmp_path: Path) -> None:
    async def scene(ask: Ask) -> None:
        assert (await ask("PUT", "/v1/sandboxes/a", {})).status == 200
        told = await ask("PUT", "/v1/sandboxes/b", {})
        assert (told.status, told.code) == (429, "quota_denied")
        assert told.headers["retry-after"].isdecimal()

    play(tmp_path, MemoryEngine(), scene, quota=Quota(per_owner=1))


def test_input_is_given_to_a_program_that_reads_it_all(tmp_path: Path) -> None:
    async def scene(ask: Ask) -> None:
        await ask("PUT", "/v1/sandboxes/a", {})
        body = {"cmd": ["cat"], "stdin": "typed"}
        assert (await ask("POST", "/v1/sandboxes/a/exec", body)).json["stdout"] == "typed"
        streamed = await ask("POST", "/v1/sandboxes/a/exec", body, "application/x-ndjson")
        assert [json.loads(line)["event"] for line in streamed.body.splitlines()] == [
            "started",
            "stdout",
            "exited",
        ]

    play(tmp_path, MemoryEngine(), scene)


@pytest.mark.parametrize("cmd", [["fail"], ["echo"]])
def test_a_streamed_run_leaves_no_sandbox(tmp_path: Path, cmd: list[str]) -> None:
    engine = MemoryEngine()

    async def scene(ask: Ask) -> None:
        told = await ask("POST", "/v1/run", {"cmd": cmd}, "text/event-stream")
        assert told.status == 200
        assert (await ask("GET", "/v1/sandboxes")).json["sandboxes"] == []

    play(tmp_path, engine, scene)
    assert [box.closed for box in engine.boxes] == [1]


def test_another_owner_finds_nothing_of_mine(tmp_path: Path) -> None:
    """T03: not even that it exists."""

    async def scene(ask: Ask) -> None:
        mine = (await ask("PUT", "/v1/sandboxes/a", {})).json["podName"]
        streamed = await ask("POST", "/v1/sandboxes/a/exec", {"cmd": ["echo"]}, "text/event-stream")
        name = json.loads(streamed.body.split(b"data: ")[1].split(b"\n")[0])["exec"]
        events = f"/v1/sandboxes/a/exec/{name}/events"
        assert (await ask("GET", events)).status == 200
        rows = [(verb, f"/v1/sandboxes/a/{path}", body) for verb, path, body in POWERS]
        rows += [
            ("GET", "/v1/sandboxes/a", None),
            ("DELETE", "/v1/sandboxes/a", None),
            ("POST", "/v1/sandboxes/a/touch", None),
            ("POST", "/v1/sandboxes/a/exec", {"cmd": ["echo"]}),
            ("POST", "/v1/sandboxes/a/files/upload", b""),
            ("GET", "/v1/sandboxes/a/files/download", None),
            ("GET", events, None),
            ("DELETE", events.removesuffix("/events"), None),
            ("POST", events.replace("/events", "/input"), b"x"),
        ]
        for verb, path, body in rows:
            told = await ask(verb, path, body, by="other")
            assert (told.status, told.code) == (404, "not_found"), path
        assert (await ask("GET", "/v1/sandboxes", by="other")).json["sandboxes"] == []
        theirs = (await ask("PUT", "/v1/sandboxes/a", {}, by="other")).json["podName"]
        assert theirs != mine
        assert (await ask("GET", events, by="other")).status == 404

    play(tmp_path, MemoryEngine(), scene)


def test_a_key_opens_what_its_scopes_allow(tmp_path: Path) -> None:
    async def scene(ask: Ask) -> None:
        for row in operations():
            path = re.sub("{[a-z]+}", "a", row.path)
            for by in ("looker", "counter"):
                told = await ask(row.verb, path, {}, by=by)
                allowed = row.scope in CALLERS[by]
                assert (told.status == 403) is not allowed, (row.verb, path, by)

    play(tmp_path, MemoryEngine(), scene)
