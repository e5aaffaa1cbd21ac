from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import cast

import pytest

from sandlot.bench import catalogue, private_server, session, target, tti
from sandlot.bench.benchmark import Stage, Wrong
from sandlot.bench.connection import Answer, Connection
from sandlot.bench.session import Effort
from sandlot.bench.talk import Calls, spoken
from sandlot.contracts.service import Service
from tests.unit.bench.test_talk import CALLS, GONE, OK, held, problem, ran
from tests.unit.local.machine import obstacle

IDENTITY = "pid1 5\nboot b\ncgroup 0::/\nmnt:[1]\npid:[2]\nuts:[3]\n"


def launched(*answers: Answer | OSError) -> tuple[list[str], tti.Iteration]:
    asked, found = held(tti.launch(CALLS, time.perf_counter()), *answers)
    return [line.split(" ")[0] for line in asked], found


def test_a_launch_is_created_used_looked_at_and_destroyed() -> None:
    asked, found = launched(OK, ran("benchmark\n"), ran(IDENTITY), GONE)
    assert asked == ["PUT", "POST", "POST", "DELETE"]
    assert found.error is None
    assert found.created is not None
    assert found.first is not None
    assert found.whole is not None
    assert found.created <= found.first <= found.whole
    assert found.identity == tuple(IDENTITY.splitlines())


def test_a_mark_of_an_earlier_user_fails_the_iteration() -> None:
    asked, found = launched(OK, ran("benchmark\n"), ran(f"used /var/tmp/.sandlot-bench\n{IDENTITY}"), GONE)
    assert asked[-1] == "DELETE"
    assert (found.first, found.whole) == (None, None)
    assert found.error == "Wrong: the sandbox was used before: /var/tmp/.sandlot-bench"


@pytest.mark.parametrize(
    ("answers", "error"),
    [
        ((problem(503, "start_failed", "no"), GONE), "Wrong: 503 start_failed: no"),
        ((OK, ran("other\n"), GONE), "Wrong: the command wrote 'other\\n' instead of 'benchmark\\n'"),
        ((OSError("broken"), GONE), "OSError: broken"),
    ],
)
def test_a_failure_is_told_and_never_tried_again(answers: tuple[Answer | OSError, ...], error: str) -> None:
    asked, found = launched(*answers)
    assert (found.error, found.first) == (error, None)
    assert asked.count("PUT") == 1
    assert asked[-1] == "DELETE"


def test_a_destruction_that_fails_is_not_counted() -> None:
    _, found = launched(OK, ran("benchmark\n"), ran(IDENTITY), problem(500, "internal", "no"))
    assert (found.destroyed, found.error) == (None, None)


def test_only_what_three_or_more_told_alike_is_told() -> None:
    assert tti.repeats([("mnt:[1]", "boot x"), ("mnt:[1]", "boot x"), ("mnt:[2]", "boot x")]) == {
        "bootRepeated": 3.0
    }
    assert tti.repeats([]) == {}


def test_a_round_counts_to_the_first_command_and_its_launches_to_the_look() -> None:
    found = tti.summed(
        [
            tti.Iteration(0.0, 3.0, 5.0, 9.0, 1.0),
            tti.Iteration(10.0, 4.0, 6.0, 8.0, 2.0),
            tti.Iteration(20.0, error="timed_out: late"),
        ],
        overlap=True,
    )
    assert (found.times, found.errors) == ((5.0, 6.0), ("timed_out: late",))
    assert [each.tti for each in found.launches] == [9.0, 8.0, None]
    assert found.figures == {"createMs": 3.0, "destroyMs": 1.0, "wallClockMs": 16.0}


def test_what_was_used_is_wrong_and_the_rest_is_its_identity() -> None:
    assert tti.unused("boot x\n") == ("boot x",)
    with pytest.raises(Wrong, match="used before: /tmp/a /tmp/b"):
        tti.unused("used /tmp/a\nused /tmp/b\nboot x\n")


@pytest.mark.linux
@pytest.mark.engine
@pytest.mark.needs_engine("bubblewrap")
def test_a_sandbox_that_is_used_twice_is_caught() -> None:
    pytest.importorskip("uvicorn")
    cause = obstacle()
    if cause is not None:
        pytest.skip(f"bubblewrap does not work here: {cause}")

    async def twice() -> list[tti.Iteration]:
        async with (
            private_server.running() as server,
            target.reached(server.url, None, None, is_needed=True, progress=lambda _text: None) as reached,
        ):
            assert reached.door is not None
            assert reached.facts is not None
            connection, calls = Connection(reached.door), Calls(reached.door)
            started = spoken(connection, tti.started(calls, "same", time.perf_counter()))
            looks = [tti.finished(calls, "same", started) for _ in range(2)]
            # Both look before either destroys: the second is what a reused sandbox would show.
            requests = [next(look) for look in looks]
            said = [connection.exchange(request) for request in requests]
            found = []
            for look, answer in zip(looks, said, strict=True):
                try:
                    look.send(answer)
                    look.send(GONE)
                except StopIteration as end:
                    found.append(end.value)
            connection.exchange(calls.delete("same"))
            connection.close()
            return found

    first, second = asyncio.run(twice())
    assert first.error is None
    assert {line.split(":")[0].split(" ")[0] for line in first.identity} == {
        "pid1", "boot", "cgroup", "mnt", "pid", "uts",
    }  # fmt: skip
    assert second.error is not None
    assert second.error.startswith("Wrong: the sandbox was used before: /tmp/.sandlot-bench")


def test_the_way_of_a_line_is_not_measured_between_two_clocks(tmp_path: Path) -> None:
    nobody: object = None
    stage = Stage(tmp_path, cast("Service", nobody), is_near=False)
    (found,) = asyncio.run(
        session.measured(catalogue.named(["print-to-byte"]), stage, Effort(rounds=1), lambda _text: None)
    )
    assert found.skipped is not None
    assert "clocks of two machines differ" in found.skipped
