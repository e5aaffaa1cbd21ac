from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import PurePosixPath
from typing import Any

import pytest

from sandlot.contracts.command import Command
from sandlot.contracts.events import Event, Exited, Failed, Reason, Started, Stderr, Stdout
from sandlot.contracts.quantity import Bytes, Seconds
from sandlot.link.calls import Patience
from sandlot.link.life import Usage
from sandlot.link.places import Places
from sandlot.wire.frames import INITIAL_CREDIT, Kind, parse_json
from tests.unit.link.fake_agent import Stage, stage

COMMAND = Command(argv=("true",))


async def _all(on: Stage, command: Command = COMMAND) -> list[Event]:
    return [event async for event in on.box.run(command)]


def _end(events: list[Event]) -> Exited:
    end = events[-1]
    assert isinstance(end, Exited)
    return end


def test_a_command_is_told_as_documented_and_its_events_come_in_order() -> None:
    async def scene() -> tuple[dict[str, Any], list[Event]]:
        async with stage(env={"HOME": "/workspace"}, output_limit=100) as on:
            running = asyncio.ensure_future(_all(on, Command(argv=("sh", "-c", "x"), env={"K": "v"})))
            said = parse_json((await on.agent.frame(Kind.OPEN)).payload)
            on.agent.started(1)
            on.agent.send(Kind.OUTPUT, 1, b"out")
            on.agent.send(Kind.ERROUT, 1, b"err")
            on.agent.done(1, exit_code=3)
            return said, await running

    said, events = asyncio.run(scene())
    assert said == {
        "verb": "run",
        "argv": ["sh", "-c", "x"],
        "env": {"HOME": "/workspace", "PWD": "/workspace", "K": "v"},
        "workdir": "/workspace",
        "timeout": 30.0,
        "stdin": False,
        "tty": None,
        "output_limit": 100,
        "flood_limit": 64 * 2**20,
        "background": False,
        "last": False,
        "handler": None,
    }
    assert events[:3] == [Started("p1"), Stdout(b"out"), Stderr(b"err")]
    assert _end(events) == Exited(Reason.EXITED, 3, duration=1.5, cpu_seconds=0.5, memory_peak=4096)


def test_code_and_input_are_sent_as_credit_allows() -> None:
    text, stdin = "x = 1\n" * 100_000, bytes(INITIAL_CREDIT)

    async def scene() -> tuple[bytes, bytes]:
        async with stage() as on:
            running = asyncio.ensure_future(_all(on, Command(code=text, stdin=stdin)))
            assert parse_json((await on.agent.frame(Kind.OPEN)).payload)["code"] is True
            source, given = b"", b""
            while (frame := await on.agent.frame()).kind != Kind.INPUT_END:
                source += frame.payload if frame.kind == Kind.SOURCE else b""
                given += frame.payload if frame.kind == Kind.INPUT else b""
                if frame.payload:
                    on.agent.send(Kind.CREDIT, 1, len(frame.payload).to_bytes(4, "big"))
            on.agent.done(1)
            await running
            return source, given

    source, given = asyncio.run(scene())
    assert (source.decode(), given) == (text, stdin)


def test_an_input_that_comes_slowly_is_passed_on_as_it_comes() -> None:
    async def scene() -> list[bytes]:
        async with stage() as on:
            given: asyncio.Queue[bytes] = asyncio.Queue()

            async def slowly() -> AsyncIterator[bytes]:
                while data := await given.get():
                    yield data

            running = asyncio.ensure_future(_all(on, Command(argv=("cat",), stdin=slowly())))
            await on.agent.frame(Kind.OPEN)
            on.agent.started(1)
            received = []
            for word in (b"one", b"two"):
                given.put_nowait(word)
                received.append((await on.agent.frame(Kind.INPUT)).payload)
            on.agent.done(1)  # and the input, which never ends, is left where it is
            await running
            return received

    assert asyncio.run(scene()) == [b"one", b"two"]


def test_an_input_that_fails_kills_the_program_and_its_error_is_raised() -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield b"one"
        raise OSError("the caller's pipe broke")

    async def scene() -> None:
        async with stage() as on:
            running = asyncio.ensure_future(_all(on, Command(argv=("cat",), stdin=broken())))
            await on.agent.frame(Kind.CANCEL)
            on.agent.done(1, reason="killed", exit_code=None, signal=9)
            with pytest.raises(OSError, match="pipe broke"):
                await running
            assert on.life.kills == 0

    asyncio.run(scene())


def test_a_program_that_ends_before_its_input_was_read_is_no_error() -> None:
    async def scene() -> list[Event]:
        async with stage() as on:
            running = asyncio.ensure_future(_all(on, Command(argv=("true",), stdin=bytes(2**21))))
            await on.agent.frame(Kind.OPEN)
            on.agent.started(1)
            on.agent.done(1)
            return await running

    assert _end(asyncio.run(scene())).exit_code == 0


def test_the_host_caps_output_that_the_agent_let_through() -> None:
    async def scene() -> list[Event]:
        async with stage() as on:
            running = asyncio.ensure_future(_all(on, Command(argv=("yes",), output_limit=Bytes(10))))
            await on.agent.frame(Kind.OPEN)
            on.agent.started(1)
            on.agent.send(Kind.OUTPUT, 1, b"12345678")
            on.agent.send(Kind.OUTPUT, 1, b"12345678")
            on.agent.send(Kind.ERROUT, 1, b"fine")
            on.agent.done(1)
            return await running

    events = asyncio.run(scene())
    assert b"".join(event.data for event in events if isinstance(event, Stdout)) == b"1234567812"
    assert (_end(events).stdout_truncated, _end(events).stderr_truncated) == (True, False)


def test_a_command_that_outlives_its_timeout_costs_the_box() -> None:
    async def scene() -> tuple[list[Event], int]:
        async with stage(patience=Patience(overdue=0.2)) as on:
            running = asyncio.ensure_future(_all(on, Command(argv=("sleep",), timeout=Seconds(0.05))))
            await on.agent.frame(Kind.OPEN)
            on.agent.started(1)
            return await running, on.life.kills

    events, kills = asyncio.run(scene())
    assert (_end(events).reason, _end(events).exit_code, kills) == (Reason.TIMEOUT, 124, 1)
    assert 0.25 < _end(events).duration < 2.0


def test_a_slow_reader_is_not_taken_for_a_program_that_outlives_its_timeout() -> None:
    async def scene() -> tuple[list[Event], int]:
        async with stage(patience=Patience(overdue=0.2)) as on:
            events = []
            async with aclosing(on.box.run(Command(argv=("x",), timeout=Seconds(0.05)))) as running:
                waiting = asyncio.ensure_future(anext(running))
                await on.agent.frame(Kind.OPEN)
                on.agent.started(1)
                on.agent.done(1)
                events.append(await waiting)
                await asyncio.sleep(0.4)  # the subject: a reader slower than timeout and grace
                events += [event async for event in running]
            return events, on.life.kills

    events, kills = asyncio.run(scene())
    assert (_end(events).reason, kills) == (Reason.EXITED, 0)


def test_a_kill_counted_by_the_control_group_is_out_of_memory_once() -> None:
    async def scene() -> list[Reason]:
        async with stage() as on:
            reasons = []
            on.life.used = Usage(oom_kills=1)
            for stream in (1, 3):
                running = asyncio.ensure_future(_all(on))
                await on.agent.frame(Kind.OPEN)
                on.agent.started(stream)
                on.agent.done(stream, reason="signalled", exit_code=None, signal=9)
                reasons.append(_end(await running).reason)
            return reasons

    assert asyncio.run(scene()) == [Reason.OUT_OF_MEMORY, Reason.SIGNALLED]


def test_a_box_killed_for_memory_is_out_of_memory() -> None:
    async def scene() -> Exited:
        async with stage() as on:
            running = asyncio.ensure_future(_all(on))
            await on.agent.frame(Kind.OPEN)
            on.agent.started(1)
            on.life.die("agent", Usage(oom_kills=2, memory_peak=77, cpu_seconds=0.25))
            return _end(await running)

    end = asyncio.run(scene())
    assert (end.reason, end.exit_code, end.who) == (Reason.OUT_OF_MEMORY, 137, None)
    assert (end.memory_peak, end.cpu_seconds) == (77, 0.25)


def test_closing_the_box_ends_its_commands_and_says_who_did() -> None:
    async def scene() -> Exited:
        async with stage() as on:
            running = asyncio.ensure_future(_all(on))
            await on.agent.frame(Kind.OPEN)
            await on.box.close()
            return _end(await running)

    end = asyncio.run(scene())
    assert (end.reason, end.who) == (Reason.BOX_DIED, "host")


def test_closing_the_iterator_cancels_and_waits_for_the_end() -> None:
    async def scene() -> int:
        async with stage() as on:
            async with aclosing(on.box.run(COMMAND)) as running:
                waiting = asyncio.ensure_future(anext(running))
                await on.agent.frame(Kind.OPEN)
                on.agent.started(1)
                await waiting
                closing = asyncio.ensure_future(running.aclose())
                await on.agent.frame(Kind.CANCEL)
                assert not closing.done()
                on.agent.done(1, reason="killed", exit_code=None, signal=9)
                await closing
            return on.life.kills

    assert asyncio.run(scene()) == 0


def test_a_cancel_that_is_not_answered_costs_the_box() -> None:
    async def scene() -> int:
        async with stage(patience=Patience(cancel=0.05)) as on:
            async with aclosing(on.box.run(COMMAND)) as running:
                waiting = asyncio.ensure_future(anext(running))
                await on.agent.frame(Kind.OPEN)
                on.agent.started(1)
                await waiting
            await on.life.ended()
            return on.life.kills

    assert asyncio.run(scene()) == 1


def test_what_the_agent_refuses_is_a_failed_event_with_the_stable_code() -> None:
    async def scene() -> list[Event]:
        async with stage() as on:
            running = asyncio.ensure_future(_all(on))
            await on.agent.frame(Kind.OPEN)
            on.agent.refuse(1, "not_found", "/workspace/sub: No such file or directory")
            return await running

    assert asyncio.run(scene()) == [Failed("not_found", "/workspace/sub: No such file or directory")]


def test_a_command_too_long_for_one_frame_is_refused_before_it_is_sent() -> None:
    async def scene() -> list[Event]:
        async with stage() as on:
            return await _all(on, Command(argv=("sh", "-c", "x" * 70_000)))

    (event,) = asyncio.run(scene())
    assert isinstance(event, Failed)
    assert event.code == "invalid_spec"


def test_paths_are_translated_both_ways_where_the_workspace_is_elsewhere() -> None:
    async def scene() -> tuple[str, list[Event]]:
        async with stage(places=Places.beneath(PurePosixPath("/run/box/7"))) as on:
            running = asyncio.ensure_future(
                _all(on, Command(argv=("ls",), workdir=PurePosixPath("/workspace/sub")))
            )
            said = parse_json((await on.agent.frame(Kind.OPEN)).payload)
            on.agent.refuse(1, "not_found", "/run/box/7/workspace/sub: missing")
            return said["workdir"], await running

    workdir, events = asyncio.run(scene())
    assert workdir == "/run/box/7/workspace/sub"
    assert events == [Failed("not_found", "/workspace/sub: missing")]
