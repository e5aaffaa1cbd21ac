from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterable
from contextlib import closing
from typing import Any

from sandlot.bench import throughput
from sandlot.bench.benchmark import Wrong
from sandlot.bench.connection import Door
from sandlot.bench.crowd import Crowd, Visit
from sandlot.bench.talk import Talk
from tests.unit.bench.server import answer, serving


def held(there: Door, visits: Iterable[Visit], most: int) -> dict[int, Any]:
    """What each visit came to, in the order in which they ended."""
    found: dict[int, Any] = {}

    async def run() -> None:
        with closing(Crowd(there)) as crowd:
            await crowd.held(visits, found.__setitem__, most=most)

    asyncio.run(run())
    return found


def asking(there: Door, path: str) -> Talk[bytes]:
    return (yield there.request("GET", path)).body


def echo(head: bytes) -> bytes:
    return answer(head.split()[1])


def test_every_visit_gets_the_answer_to_its_own_request() -> None:
    with serving(echo) as there:
        visits = [(0.0, lambda _due, number=number: asking(there, f"/{number}")) for number in range(40)]
        found = held(there, visits, 8)
    assert found == {number: b"/%d" % number for number in range(40)}


def test_no_more_are_under_way_than_allowed() -> None:
    most = threading.Semaphore(3)
    crowded: list[bytes] = []

    def reply(head: bytes) -> bytes:
        if not most.acquire(blocking=False):
            crowded.append(head)
        most.release()
        return answer(b"")

    with serving(reply) as there:
        held(there, [(0.0, lambda _due: asking(there, "/")) for _ in range(30)], 3)
    assert not crowded


def test_all_are_under_way_at_once_where_there_is_room() -> None:
    together = threading.Barrier(5)

    def reply(_head: bytes) -> bytes:
        together.wait(10)
        return answer(b"")

    with serving(reply) as there:
        assert len(held(there, [(0.0, lambda _due: asking(there, "/")) for _ in range(5)], 5)) == 5


def test_a_visit_comes_when_it_is_due_and_is_told_that_instant() -> None:
    begun = time.perf_counter()
    dues: list[float] = []

    def make(due: float, there: Door) -> Talk[bytes]:
        dues.append(due)
        return asking(there, "/")

    with serving(echo) as there:
        held(there, [(offset, lambda due: make(due, there)) for offset in (0.0, 0.05, 0.1)], 1)
    assert [round(due - dues[0], 6) for due in dues] == [0.0, 0.05, 0.1]
    assert time.perf_counter() - begun >= 0.1


def test_failures_and_broken_connections_end_only_their_own_visit() -> None:
    def reply(head: bytes) -> bytes | None:
        return None if b"/break" in head else echo(head)

    def wrong(there: Door) -> Talk[bytes]:
        yield there.request("GET", "/")
        raise Wrong("odd")

    with serving(reply) as there:
        visits: list[Visit] = [
            (0.0, lambda _due: asking(there, "/break")),
            (0.0, lambda _due: wrong(there)),
            (0.0, lambda _due: asking(there, "/well")),
        ]
        found = held(there, visits, 1)
    assert isinstance(found[0], ConnectionResetError)
    assert isinstance(found[1], Wrong)
    assert found[2] == b"/well"


def test_a_talk_goes_on_after_its_connection_broke() -> None:
    def stubborn(there: Door) -> Talk[bytes]:
        try:
            yield there.request("GET", "/break")
        except OSError:
            pass
        return (yield there.request("GET", "/again")).body

    with serving(lambda head: None if b"/break" in head else echo(head)) as there:
        assert held(there, [(0.0, lambda _due: stubborn(there))], 1) == {0: b"/again"}


def test_nobody_listening_is_a_failure_of_each() -> None:
    with serving(echo) as there:
        pass
    found = held(there, [(0.0, lambda _due: asking(there, "/")) for _ in range(2)], 2)
    assert all(isinstance(outcome, ConnectionRefusedError) for outcome in found.values())


def test_a_closed_loop_tells_its_rate_and_what_the_client_cost() -> None:
    async def taken(there: Door) -> tuple[int, dict[str, float]]:
        def timed() -> Talk[float]:
            yield there.request("GET", "/")
            return 1.0

        with closing(Crowd(there)) as crowd:
            found = await throughput.closed_loop("loop", crowd, timed).block(20)
        return len(found.times), dict(found.figures)

    with serving(echo) as there:
        count, figures = asyncio.run(taken(there))
    assert count == 20
    assert figures["perSecond"] > 0
    assert figures["clientMicroseconds"] > 0
