"""T03, T04, T07: an owner's sandboxes are nobody else's, by any verb, and one owner's load is their own."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator

import pytest

from sandlot.testing.servers import RunningServer
from tests.threats.conftest import ready_server
from tests.threats.proof import removed, wait_until
from tests.threats.raw import HANDSHAKE, Answer, Line, ask, head, streamed

pytestmark = [pytest.mark.engine, pytest.mark.timeout(60)]

_MARK = "86393"
"""Seconds the commands would sleep: no other process of this machine does."""
_SLEEP = {"cmd": ["sleep", _MARK], "timeoutSeconds": 3600}
_SSE = "text/event-stream"
_MOST_SANDBOXES, _MOST_COMMANDS, _MOST_WAITING = 4, 8, 32


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    with ready_server(
        SANDLOT_MOST_SANDBOXES_PER_OWNER=str(_MOST_SANDBOXES),
        SANDLOT_MOST_COMMANDS=str(_MOST_COMMANDS),
        SANDLOT_MOST_WAITING=str(_MOST_WAITING),
    ) as running:
        yield running


@pytest.fixture(scope="module")
def alice(server: RunningServer) -> dict[str, str]:
    return {"Authorization": f"Bearer {server.key('alice')}"}


@pytest.fixture(scope="module")
def bob(server: RunningServer) -> dict[str, str]:
    return {"Authorization": f"Bearer {server.key('bob')}"}


@pytest.fixture(scope="module")
def looking(alice: dict[str, str]) -> str:
    return alice["Authorization"].split()[1]


@pytest.fixture(autouse=True)
def nothing_of_bob(server: RunningServer, bob: dict[str, str]) -> Iterator[None]:
    yield
    assert removed(server, bob["Authorization"].split()[1]) == []


@pytest.fixture
def theirs(server: RunningServer, alice: dict[str, str]) -> Iterator[dict[str, str]]:
    """Names of what is alice's: a sandbox, a process, a streamed command, a context, a cell, a checkpoint."""
    target = "/v1/sandboxes/theirs"
    assert ask(server, "PUT", target, {"ttlSeconds": 600}, **alice).status == 200
    assert ask(server, "PUT", f"{target}/files/content?path=secret", b"of alice", **alice).status == 200
    process = ask(server, "POST", f"{target}/processes", _SLEEP, **alice).json["process"]
    with streamed(server, f"{target}/exec", _SLEEP, _SSE, **alice) as line:
        data = b""
        while not (found := re.search(rb'"exec":"([0-9a-f]+)"', data)):
            data += line.socket.recv(4096)
        body = {"code": "secret = 'of alice'", "timeoutSeconds": 600}
        cell = ask(server, "POST", f"{target}/contexts/default/run", body, Accept=_SSE, **alice).body
        told = json.loads(cell.split(b"data: ")[1].split(b"\n")[0])
        kept = ask(server, "POST", f"{target}/contexts/default/checkpoints", **alice).json
        yield {
            "id": "theirs",
            "process": process,
            "exec": found[1].decode(),
            "context": told["context"],
            "cell": told["cell"],
            "checkpoint": kept["id"],
        }
    assert ask(server, "DELETE", target, **alice).status == 204


_BODIES = {
    "/exec": {"cmd": ["true"]}, "/processes": {"cmd": ["true"]}, "/signal": {"signal": 9},
    "/mkdir": {"path": "a"}, "/move": {"path": "secret", "to": "b"},
    "/contexts": {}, "/run": {"code": "secret"}, "/answer": {"text": ""}, "/complete": {"code": "s"},
    "/inspect": {"code": "secret"}, "/is-complete": {"code": "1"},
    "/fork": b"", "/checkpoints": b"", "/rollback": {"checkpoint": "3" * 32},
}  # fmt: skip
_QUERY = "?path=secret&src=/workspace&dest=/workspace"


def _every_verb(server: RunningServer, names: dict[str, str], key: dict[str, str]) -> dict[str, Answer]:
    """What each operation on one sandbox answers to *key*, but for making it; terminals and streams too.

    Those of another dialect, which makes a sandbox where the caller has none, have tests of their own.
    """
    document = ask(server, "GET", "/openapi.json", **key).json
    answers = {}
    for path, item in document["paths"].items():
        is_native = path.startswith("/v1/") and "{id}" in path
        for verb in set(item) & {"get", "put", "post", "delete"} if is_native else ():
            if (verb, path) == ("put", "/v1/sandboxes/{id}"):
                continue
            body = next(
                (body for end, body in _BODIES.items() if path.endswith(end)), b"x" if verb != "get" else b""
            )
            answers[f"{verb} {path}"] = ask(server, verb.upper(), path.format(**names) + _QUERY, body, **key)
    target = f"/v1/sandboxes/{names['id']}"
    for place in ("/terminal", "/terminals/" + "4" * 32):
        answers[place] = ask(server, "GET", target + place, **HANDSHAKE, **key)
    for media in (_SSE, "application/x-ndjson"):
        answers[media] = ask(server, "POST", target + "/exec", {"cmd": ["true"]}, Accept=media, **key)
    return answers


def _shape(answer: Answer, names: dict[str, str]) -> object:
    """An answer without what the request itself made different."""
    told = {name: value for name, value in answer.json.items() if name not in ("requestId", "instance")}
    text = json.dumps(told)
    for name, value in sorted(names.items(), key=lambda item: -len(item[1])):
        text = re.sub(rf"'{value}'", f"<{name}>", text)
    headers = {name for name in answer.headers if name not in ("date", "x-request-id")}
    return answer.status, text, sorted(headers)


def test_t03_another_owners_sandbox_is_as_unknown_as_none_by_every_verb(
    server: RunningServer, theirs: dict[str, str], alice: dict[str, str], bob: dict[str, str]
) -> None:
    nobody = {"id": "nobody", "process": "987", "exec": "0" * 32, "context": "1" * 32, "cell": "2" * 32}
    nobody["checkpoint"] = "3" * 32
    seen = _every_verb(server, theirs, bob)
    unknown = _every_verb(server, nobody, bob)
    assert {what for what, answer in seen.items() if answer.status != 404} == set()
    assert {what: _shape(answer, theirs) for what, answer in seen.items()} == {
        what: _shape(answer, nobody) for what, answer in unknown.items()
    }
    assert len(seen) >= 37
    # Nothing happened to it meanwhile.
    kept = ask(server, "GET", f"/v1/sandboxes/theirs/contexts/{theirs['context']}/history", **alice)
    assert [each["code"] for each in kept.json["cells"]] == ["secret = 'of alice'"]
    content = ask(server, "GET", "/v1/sandboxes/theirs/files/content?path=secret", **alice)
    assert content.body == b"of alice"
    wait_until(server, _MARK, 2)
    assert ask(server, "GET", "/v1/sandboxes", **bob).json["sandboxes"] == []


def test_t03_the_same_id_is_another_sandbox_for_another_owner(
    server: RunningServer, theirs: dict[str, str], alice: dict[str, str], bob: dict[str, str]
) -> None:
    mine = ask(server, "PUT", "/v1/sandboxes/theirs", {}, **bob)
    assert mine.status == 200
    assert mine.json["podName"] != ask(server, "GET", "/v1/sandboxes/theirs", **alice).json["podName"]
    target = "/v1/sandboxes/theirs"
    assert ask(server, "GET", f"{target}/files/list", **bob).json["entries"] == []
    events = (f"/exec/{theirs['exec']}/events", f"/cells/{theirs['cell']}/events")
    for path in (
        *events,
        f"/contexts/{theirs['context']}",
        "/contexts/default",
        "/files/content?path=secret",
    ):
        assert ask(server, "GET", target + path, **bob).status == 404
    assert ask(server, "DELETE", f"{target}/exec/{theirs['exec']}", **bob).status == 404
    assert ask(server, "POST", f"{target}/exec/{theirs['exec']}/input", b"x", **bob).status == 404
    assert ask(server, "DELETE", target, **bob).status == 204
    assert ask(server, "GET", target, **alice).json["state"] == "running"
    wait_until(server, _MARK, 2)


def test_t04_names_that_are_made_here_have_128_random_bits(
    server: RunningServer, theirs: dict[str, str], alice: dict[str, str]
) -> None:
    names = {theirs["exec"]}
    for _ in range(4):
        answer = ask(
            server,
            "POST",
            "/v1/sandboxes/theirs/exec",
            {"cmd": ["true"]},
            Accept="application/x-ndjson",
            **alice,
        )
        names |= set(re.findall(r'"exec":"([0-9a-f]{32})"', answer.body.decode()))
    assert len(names) == 5
    assert len({name[:8] for name in names}) == len({name[-8:] for name in names}) == 5


def test_t07_an_owner_at_their_limits_keeps_nobody_else_from_working(
    server: RunningServer, alice: dict[str, str], bob: dict[str, str]
) -> None:
    targets = [f"/v1/sandboxes/box-{number}" for number in range(_MOST_SANDBOXES)]
    for target in targets:
        assert ask(server, "PUT", target, {}, **alice).status == 200
    refused = ask(server, "PUT", "/v1/sandboxes/one-more", {}, **alice)
    assert (refused.status, refused.code) == (429, "quota_denied")
    assert int(refused.headers["retry-after"]) > 0
    lines = []
    body = json.dumps(_SLEEP).encode()
    for number in range(_MOST_COMMANDS + _MOST_WAITING + 20):
        line = Line(server)
        line.say(
            head(
                server, "POST", targets[number % len(targets)] + "/exec", Content_Type="application/json",
                Content_Length=str(len(body)), **alice,
            ) + body
        )  # fmt: skip
        lines.append(line)
    # Of all places one owner gets seven eighths, running and waiting.
    refused_commands = len(lines) - (_MOST_COMMANDS + _MOST_WAITING) * 7 // 8
    wait_until(server, _MARK, _MOST_COMMANDS * 7 // 8)
    answered = [line.answer() for line in _answered(lines, refused_commands)]
    assert {(answer.status, answer.code) for answer in answered} == {(429, "quota_denied")}
    assert all(int(answer.headers["retry-after"]) > 0 for answer in answered)
    assert len(answered) == refused_commands
    for _ in range(5):
        assert ask(server, "POST", "/v1/run", {"cmd": ["echo", "served"]}, **bob).json["stdout"] == "served\n"
    for line in lines:
        line.vanish()
    wait_until(server, _MARK, 0)
    for target in targets:
        assert ask(server, "DELETE", target, **alice).status == 204


def _answered(lines: list[Line], least: int) -> list[Line]:
    """The lines on which an answer waits, once they are *least* and no more come for a moment."""
    deadline = time.monotonic() + 10
    found: list[Line] = []
    while len(found) < least and time.monotonic() < deadline:
        found = [line for line in lines if line.is_answered()]
    lines[0].is_answered(0.2)
    return [line for line in lines if line.is_answered()]
