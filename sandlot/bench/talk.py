"""What is said to the server, without saying it: a talk yields requests and is sent their answers (pure).

Whoever drives a talk decides on which connection and beside how many others it happens: `spoken` on one,
`crowd.Crowd` on many. A talk reads the clock itself, right before a request and right after its answer.
"""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from .benchmark import Wrong, elapsed
from .connection import Answer, Door, Line

Value = TypeVar("Value")
Talk = Generator[bytes, Answer, Value]

TTL = 3600
"""Seconds of lease: the sandboxes of a bench end even when nobody is left to end them."""

TRUE: Mapping[str, Any] = {"cmd": ["/bin/true"]}
ECHO: Mapping[str, Any] = {"cmd": ["/bin/echo", "benchmark"]}
ECHOED = "benchmark\n"


@dataclass(frozen=True, slots=True)
class Calls:
    """The requests that the server at *door* understands."""

    door: Door

    def health(self) -> bytes:
        """GET /healthz."""
        return self.door.request("GET", "/healthz")

    def run(self, code: str, environment: str | None = None) -> bytes:
        """POST /v1/run of Python *code*."""
        return self._json("POST", "/v1/run", {"code": code, **_named(environment)})

    def create(self, name: str, environment: str | None = None) -> bytes:
        """PUT of the sandbox *name*."""
        return self._json("PUT", f"/v1/sandboxes/{name}", {"ttlSeconds": TTL, **_named(environment)})

    def execute(self, name: str, command: Mapping[str, Any]) -> bytes:
        """POST of *command* to the sandbox *name*."""
        return self._json("POST", f"/v1/sandboxes/{name}/exec", command)

    def context(self, name: str) -> bytes:
        """POST of a context in the sandbox *name*."""
        return self._json("POST", f"/v1/sandboxes/{name}/contexts", {})

    def cell(self, name: str, context: str, code: str) -> bytes:
        """POST of a cell of *code* to a context of the sandbox *name*."""
        return self._json("POST", f"/v1/sandboxes/{name}/contexts/{context}/run", {"code": code})

    def close(self, name: str, context: str) -> bytes:
        """DELETE of a context of the sandbox *name*."""
        return self.door.request("DELETE", f"/v1/sandboxes/{name}/contexts/{context}")

    def delete(self, name: str) -> bytes:
        """DELETE of the sandbox *name*."""
        return self.door.request("DELETE", f"/v1/sandboxes/{name}")

    def _json(self, method: str, target: str, value: Mapping[str, Any]) -> bytes:
        return self.door.request(method, target, json.dumps(value).encode())


def _named(environment: str | None) -> dict[str, str]:
    return {} if environment is None else {"environment": environment}


def new_name() -> str:
    """An id for a sandbox that nobody has used."""
    return f"bench-{secrets.token_hex(8)}"


def accepted(answer: Answer) -> Any:
    """The JSON of an answer that says yes, None without a body. Raises Wrong for a problem."""
    if answer.status >= 300:
        raise Wrong(f"{answer.status} {_problem(answer.body)}")
    return json.loads(answer.body) if answer.body else None


def printed(answer: Answer, expected: str | None = None) -> dict[str, Any]:
    """The result of a command that ended with 0 and wrote *expected*. Raises Wrong otherwise."""
    result = accepted(answer)
    if not isinstance(result, dict):
        raise Wrong(f"the answer is no result: {answer.body[:80]!r}")
    if result.get("exitCode") != 0 or result.get("reason") != "exited":
        last = str(result.get("stderr", "")).strip().rpartition("\n")[2]
        raise Wrong(f"the command ended with {result.get('exitCode')} ({result.get('reason')}): {last}")
    if expected is not None and result.get("stdout") != expected:
        raise Wrong(f"the command wrote {str(result.get('stdout'))[:60]!r} instead of {expected!r}")
    return result


def health(calls: Calls) -> Talk[float]:
    """Milliseconds of a GET of /healthz."""
    request = calls.health()
    begun = time.perf_counter()
    answer = yield request
    took = elapsed(begun)
    if answer.status != 200:
        raise Wrong(f"/healthz says {answer.status}")
    return took


def one_shot(request: bytes, expected: str, since: float | None = None) -> Talk[float]:
    """Milliseconds from *since* (default: the sending) to the result of *request*, which is *expected*."""
    begun = time.perf_counter() if since is None else since
    answer = yield request
    took = elapsed(begun)
    printed(answer, expected)
    return took


def live_command(request: bytes) -> Talk[float]:
    """Milliseconds of a command in a sandbox that is up."""
    begun = time.perf_counter()
    answer = yield request
    took = elapsed(begun)
    printed(answer)
    return took


def created(calls: Calls, name: str) -> Talk[float]:
    """Milliseconds that the creation of the sandbox *name* takes."""
    request = calls.create(name)
    begun = time.perf_counter()
    answer = yield request
    took = elapsed(begun)
    accepted(answer)
    return took


def deleted(calls: Calls, name: str) -> Talk[float]:
    """Milliseconds that the deletion of the sandbox *name* takes."""
    request = calls.delete(name)
    begun = time.perf_counter()
    answer = yield request
    took = elapsed(begun)
    accepted(answer)
    return took


@dataclass(frozen=True, slots=True)
class Life:
    """A sandbox's life in milliseconds."""

    create: float
    execute: float
    delete: float


def life(calls: Calls) -> Talk[Life]:
    """A sandbox that is created, runs one command and is deleted, also when the command failed."""
    name = new_name()
    create = yield from created(calls, name)
    try:
        execute = yield from live_command(calls.execute(name, TRUE))
    except Wrong:
        yield from deleted(calls, name)
        raise
    return Life(create, execute, (yield from deleted(calls, name)))


def spoken(connection: Line, talk: Talk[Value]) -> Value:
    """What *talk* comes to on *connection*. Raises what the talk raises, OSError among it."""
    step: Callable[[], bytes] = lambda: next(talk)  # noqa: E731 - replaced below, by the next step
    while True:
        try:
            request = step()
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]
        step = _next_step(connection, talk, request)


def _next_step(connection: Line, talk: Talk[Value], request: bytes) -> Callable[[], bytes]:
    try:
        answer = connection.exchange(request)
    except OSError as error:
        failure = error  # the name in the except clause ends with it
        return lambda: talk.throw(failure)
    return lambda: talk.send(answer)


def _problem(body: bytes) -> str:
    """The code and the detail of a problem document (RFC 9457), or the bytes themselves."""
    try:
        problem = json.loads(body)
        return f"{problem['code']}: {problem['detail']}"[:200]
    except (ValueError, LookupError, TypeError):
        return repr(body[:200])
