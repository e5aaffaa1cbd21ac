"""A small HTTP client of the tests' own: what it sends and gets is what is on the wire."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

NDJSON = "application/x-ndjson"
SSE = "text/event-stream"


@dataclass(frozen=True)
class Told:
    """One answer; header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def code(self) -> str:
        """The problem's code, after checking that it is one."""
        problem = self.json
        assert self.headers["content-type"] == "application/problem+json"
        assert problem["status"] == self.status
        assert problem["error"] == problem["detail"]
        assert problem["requestId"] == self.headers["x-request-id"]
        return str(problem["code"])


@dataclass
class Calls:
    """Calls to one server, each over a connection of its own."""

    url: str
    headers: dict[str, str] = field(default_factory=dict)

    def __call__(self, verb: str, path: str, body: Any = None, **headers: str) -> Told:
        with self.begun(verb, path, body, **headers) as answer:
            told = answer.read()
            return Told(answer.status, _lower(answer), told)

    @contextmanager
    def begun(
        self, verb: str, path: str, body: Any = None, **headers: str
    ) -> Iterator[http.client.HTTPResponse]:
        """The answer as soon as its head is there; leaving the block closes the connection."""
        connection = self.connection()
        try:
            data, named = _encoded(body)
            try:
                connection.request(verb, path, data, {**named, **_dashed(headers), **self.headers})
            except (BrokenPipeError, ConnectionResetError):
                pass  # refused before all of the body was sent; the answer says why
            answer = connection.getresponse()
            yield answer
            answer.close()
        finally:
            connection.close()

    def connection(self) -> http.client.HTTPConnection:
        host = urlsplit(self.url)
        return http.client.HTTPConnection(host.hostname or "", host.port, timeout=30)

    def events(self, path: str, body: Any, **headers: str) -> list[dict[str, Any]]:
        """All events of a command's NDJSON stream."""
        told = self("POST", path, body, Accept=NDJSON, **headers)
        assert told.status == 200, told.body
        return [json.loads(line) for line in told.body.splitlines() if line]


def one_event(answer: http.client.HTTPResponse) -> dict[str, Any]:
    """The next event of a stream, of either kind."""
    while line := answer.readline():
        if line.startswith((b"{", b"data: ")):
            found: dict[str, Any] = json.loads(line.removeprefix(b"data: "))
            return found
    raise AssertionError("the stream ended")


def until(claim: Callable[[], bool], seconds: float = 10.0) -> None:
    """Wait until *claim* holds; nothing announces that a process inside a sandbox is gone."""
    deadline = time.monotonic() + seconds
    while not claim():
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.02)


def _encoded(body: Any) -> tuple[Any, dict[str, str]]:
    if isinstance(body, dict):
        return json.dumps(body), {"Content-Type": "application/json"}
    return body, {}


def _dashed(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in headers.items()}


def _lower(answer: http.client.HTTPResponse) -> dict[str, str]:
    return {name.lower(): value for name, value in answer.getheaders()}
