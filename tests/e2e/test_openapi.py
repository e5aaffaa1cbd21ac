"""The document of the API is true: what it allows is served, what it forbids is refused, and nothing fails.

Half of the requests that name a sandbox name one that lives, so that more than "not found" is tried.
"""

from __future__ import annotations

import time
import zlib
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.config import SchemathesisConfig
from schemathesis.core.transport import Response
from schemathesis.pytest.lazy import get_all_tests
from starlette.routing import WebSocketRoute

from sandlot.server.control import router
from sandlot.server.dialect import Context, dialects
from sandlot.server.health import Health
from sandlot.server.lifecycle import Lifecycle
from sandlot.server.metrics import Metrics
from sandlot.server.openapi import document
from sandlot.settings import load
from sandlot.testing.servers import RunningServer, running_server

pytestmark = [pytest.mark.engine, pytest.mark.timeout(1800)]

_LIVE = "live"
_TICKING = 'i=0; while :; do i=$((i+1)); echo $i; echo $i > tick; sleep 0.05; done'
_STREAMED_SECONDS = 20.0
"""How long a streamed command without a reader is used: the server kills it after thirty seconds."""
_ENDLESS = "/files/watch"


class Stage:
    """A sandbox that lives, with a file, a process and a streamed command, whatever requests do to it."""

    def __init__(self, server: RunningServer, key: str | None) -> None:
        self.url = server.url
        self.headers = {} if key is None else {"Authorization": f"Bearer {key}"}
        self.session = requests.Session()
        self._pod = ""
        self._names: dict[str, str] = {"id": _LIVE}
        self._streamed = 0.0

    def ask(self, method: str, path: str, **more: Any) -> requests.Response:
        """One request outside of the play."""
        headers = {**self.headers, **more.pop("headers", {})}
        return self.session.request(method, self.url + path, headers=headers, timeout=20, **more)

    def aim(self, case: schemathesis.Case) -> None:
        """Let every other request that may succeed meet what lives."""
        meta = case.meta
        if "{id}" not in case.path or meta is None or meta.is_negative_at("path"):
            return
        if zlib.crc32(repr((case.path_parameters, case.query, case.body)).encode()) % 2:
            return
        names = self._alive()
        for name in case.path_parameters:
            case.path_parameters[name] = names[name]

    def _alive(self) -> dict[str, str]:
        told = self.ask("PUT", f"/v1/sandboxes/{_LIVE}", json={"ttlSeconds": 600})
        assert told.status_code == 200, told.text
        if told.json()["podName"] != self._pod:
            self._pod, self._streamed = told.json()["podName"], 0.0
            self._start(_TICKING)
            self._names["process"] = self._start(_TICKING)
            self.ask("PUT", f"/v1/sandboxes/{_LIVE}/files/content?path=0", data=b"0123456789")
        if time.monotonic() - self._streamed > _STREAMED_SECONDS:
            self._names["exec"] = self._stream()
            self._streamed = time.monotonic()
        return self._names

    def _start(self, program: str) -> str:
        started = self.ask("POST", f"/v1/sandboxes/{_LIVE}/processes", json={"cmd": ["sh", "-c", program]})
        return str(started.json()["process"])

    def _stream(self) -> str:
        """A command whose events are streamed to nobody."""
        asked = {"cmd": ["sh", "-c", _TICKING], "stdinStream": True}
        headers = {"Accept": "text/event-stream"}
        path = f"/v1/sandboxes/{_LIVE}/exec"
        with self.ask("POST", path, json=asked, headers=headers, stream=True) as stream:
            for line in stream.iter_lines():
                if line.startswith(b"data:"):
                    return str(requests.models.complexjson.loads(line[5:])["exec"])
        raise AssertionError(stream.status_code)

    def tidy(self, case: schemathesis.Case, response: Response) -> None:
        """End what a request has begun: a thousand of them share the machine."""
        if case.method == "PUT" and case.path.endswith("{id}") and response.status_code == 200:
            name = response.json()["id"]
            if name != _LIVE:
                self.ask("DELETE", f"/v1/sandboxes/{name}")
        if response.status_code == 201:
            path = f"/v1/sandboxes/{_LIVE}/processes/{response.json()['process']}/signal"
            self.ask("POST", path, json={"signal": 9})

    def close(self) -> None:
        """Delete every sandbox there is."""
        while names := [each["id"] for each in self.ask("GET", "/v1/sandboxes?state=running,stopped").json()["sandboxes"]]:
            for name in names:
                self.ask("DELETE", f"/v1/sandboxes/{name}")
        self.session.close()


@pytest.fixture(scope="module", params=["keyless", "with a key"])
def stage(request: pytest.FixtureRequest) -> Iterator[Stage]:
    with running_server() as server:
        key = server.key("fuzz", "read", "write", "metrics") if request.param != "keyless" else None
        made = Stage(server, key)
        try:
            yield made
        finally:
            made.close()


@pytest.fixture(scope="module")
def api(stage: Stage, request: pytest.FixtureRequest) -> schemathesis.BaseSchema:
    told = stage.ask("GET", "/openapi.json").json()
    if stage.headers:
        told["security"] = [{"key": []}]
    config = SchemathesisConfig.from_dict(
        {
            "base-url": stage.url,
            "max-stream-events": 3,
            "generation": {
                "max-examples": request.config.getoption("--examples"),
                "deterministic": True,
                "database": "none",
            },
        }
    )
    return schemathesis.openapi.from_dict(told, config=config)


def _operations() -> list[tuple[str, str]]:
    """Every verb of every path in the document of a server with all dialects."""
    context = Context(load(), Metrics(), Lifecycle())
    found = dialects(context)
    health = Health(context.lifecycle, context.metrics, context.settings.data_directory)
    routes = [route for dialect in found for route in dialect.routes]
    routes += router(health, dict).routes
    told = document(routes, found)["paths"]
    return [(verb.upper(), path) for path, item in told.items() for verb in item]


@pytest.mark.parametrize(("verb", "path"), _operations())
def test_an_operation_does_what_the_document_says(
    verb: str, path: str, api: schemathesis.BaseSchema, stage: Stage
) -> None:
    def play(case: schemathesis.Case) -> None:
        stage.aim(case)
        headers = dict(stage.headers)
        if case.path.endswith(_ENDLESS):
            headers["Accept"] = "text/event-stream"
        response = case.call_and_validate(headers=headers, session=stage.session)
        stage.tidy(case, response)

    (found,) = get_all_tests(
        schema=api.include(method=verb, path=path),
        test_func=play,
        settings=settings(deadline=None, suppress_health_check=list(HealthCheck)),
        given_kwargs=None,
    )
    _, test = found.ok()
    test()
