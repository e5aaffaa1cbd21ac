from __future__ import annotations

import json
from typing import Any

import pytest

from sandlot.bench import talk
from sandlot.bench.benchmark import Wrong
from sandlot.bench.connection import Answer, Connection, door
from sandlot.bench.talk import Calls, Life, Talk
from tests.unit.bench.server import answer, serving

CALLS = Calls(door("http://127.0.0.1:1"))


def ran(stdout: str = "", code: int = 0, reason: str = "exited") -> Answer:
    body = json.dumps(
        {"exitCode": code, "reason": reason, "stdout": stdout, "stderr": "a\nno module x\n"}
    ).encode()
    return Answer(200, body, len(body))


def problem(status: int, code: str, detail: str) -> Answer:
    body = json.dumps({"code": code, "detail": detail}).encode()
    return Answer(status, body, len(body))


OK, GONE = Answer(200, b"{}", 2), Answer(204, b"", 0)


def held(talk: Talk[Any], *answers: Answer | OSError) -> tuple[list[str], Any]:
    """The request lines of *talk*, given *answers* in turn, and its value."""
    asked = [next(talk)]
    for said in answers:
        try:
            asked.append(talk.throw(said) if isinstance(said, OSError) else talk.send(said))
        except StopIteration as end:
            return [line_of(request) for request in asked], end.value
    raise AssertionError(f"{line_of(asked[-1])} was asked and not answered")


def line_of(request: bytes) -> str:
    return request.partition(b" HTTP/")[0].decode()


def test_a_one_shot_is_timed_and_its_output_looked_at() -> None:
    asked, took = held(talk.one_shot(CALLS.run("print(1)"), "1\n"), ran("1\n"))
    assert asked == ["POST /v1/run"]
    assert 0 <= took < 1000


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (ran("2\n"), "wrote '2\\\\n' instead of '1\\\\n'"),
        (ran("1\n", code=3), r"ended with 3 \(exited\): no module x"),
        (ran("1\n", reason="timeout"), r"ended with 0 \(timeout\)"),
        (Answer(200, b"[]", 2), "no result"),
        (problem(503, "pool_exhausted", "try later"), "503 pool_exhausted: try later"),
        (Answer(502, b"<html>", 6), "502 b'<html>'"),
    ],
)
def test_what_did_not_do_what_it_should_is_wrong(said: Answer, why: str) -> None:
    with pytest.raises(Wrong, match=why):
        held(talk.one_shot(CALLS.run("print(1)"), "1\n"), said)


def test_a_time_can_count_from_when_a_request_was_due() -> None:
    import time

    _, took = held(talk.one_shot(b"", "", time.perf_counter() - 5), ran())
    assert took >= 5000


def test_a_life_is_created_used_and_deleted() -> None:
    asked, found = held(talk.life(CALLS), OK, ran(), GONE)
    assert [line.split("/")[0] for line in asked] == ["PUT ", "POST ", "DELETE "]
    assert isinstance(found, Life)


def test_a_life_whose_command_failed_is_deleted_all_the_same() -> None:
    life = talk.life(CALLS)
    next(life)
    life.send(OK)
    assert life.send(ran(code=1)).startswith(b"DELETE ")
    with pytest.raises(Wrong, match="ended with 1"):
        life.send(GONE)


def test_health_is_ok_or_wrong() -> None:
    assert held(talk.health(CALLS), Answer(200, b"OK", 2))[1] >= 0
    with pytest.raises(Wrong, match="says 503"):
        held(talk.health(CALLS), Answer(503, b"", 0))


def test_an_environment_is_named_only_where_one_is_asked_for() -> None:
    assert b"environment" not in CALLS.run("pass")
    assert b'"environment": "data"' in CALLS.run("pass", "data")


def test_a_talk_is_held_on_a_connection() -> None:
    with serving(lambda _head: answer(ran("1\n").body)) as there:
        connection = Connection(there)
        assert talk.spoken(connection, talk.one_shot(Calls(there).run("print(1)"), "1\n")) > 0
        connection.close()


def test_a_connection_that_breaks_is_told_to_the_talk() -> None:
    def patient(request: bytes) -> Talk[str]:
        try:
            yield request
        except OSError as error:
            return f"heard: {error}"
        return "nothing"

    with serving(lambda _head: None) as there:
        connection = Connection(there)
        assert talk.spoken(connection, patient(there.request("GET", "/"))).startswith(
            "heard: the server hung up"
        )
