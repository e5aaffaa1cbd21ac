from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandlot.contracts.command import Command
from sandlot.contracts.errors import InvalidSpec
from sandlot.contracts.events import Event, Exited, Failed, Reason, Returned, Stderr
from sandlot.contracts.handler import DEEPEST_VALUE, LARGEST_VALUE, Handler
from sandlot.link.value import Value, asked, read
from sandlot.wire.frames import MAX_PAYLOAD, Kind, parse_json
from sandlot.wire.json_object import JsonError
from tests.unit.link.fake_agent import Stage, stage

CALL = Command(code="text", handler=Handler("other", [1]))


def _events(*values: bytes, command: Command = CALL, **ending: Any) -> list[Event]:
    """What is told of *command* when its agent sends *values*."""

    async def scene() -> list[Event]:
        async with stage() as on:
            return await _played(on, values, command, ending)

    return asyncio.run(scene())


async def _played(on: Stage, values: tuple[bytes, ...], command: Command, ending: Any) -> list[Event]:
    async def told() -> list[Event]:
        return [event async for event in on.box.run(command)]

    running = asyncio.ensure_future(told())
    await on.agent.frame(Kind.OPEN)
    on.agent.started(1)
    for value in values:
        on.agent.send(Kind.VALUE, 1, value)
        await on.agent.drained()
    on.agent.done(1, **ending)
    return await running


def test_a_handler_is_told_as_documented_and_its_event_follows_the_text() -> None:
    async def scene() -> tuple[dict[str, Any], bytes]:
        async with stage() as on:
            running = asyncio.ensure_future(anext(on.box.run(CALL)))
            said = parse_json((await on.agent.frame(Kind.OPEN)).payload)
            source = (await on.agent.frame(Kind.SOURCE)).payload
            on.agent.started(1)
            await running
            return said, source

    said, source = asyncio.run(scene())
    assert source == b"text[1]"
    assert said["handler"] == {
        "name": "other",
        "event": 3,
        "limit": LARGEST_VALUE,
        "depth": DEEPEST_VALUE,
        "context": {"function_name": "other", "function_version": "$LATEST"},
        "raised": 1,
        "valueless": 1,
    }


def test_what_the_caller_tells_of_the_call_goes_before_what_we_do() -> None:
    told = asked(Handler("other", context={"function_name": "f", "tenant": [7]}))
    assert told is not None
    assert told["context"] == {"function_name": "f", "function_version": "$LATEST", "tenant": [7]}


def test_a_value_comes_before_the_end() -> None:
    events = _events(b'{"a":', b"[1, null]}\n")
    assert events[1:-1] == [Returned({"a": [1, None]})]
    assert isinstance(events[-1], Exited)


def test_no_value_is_nothing_and_null_is_one() -> None:
    assert len(_events()) == 2
    assert Returned(None) in _events(b"null\n")


@pytest.mark.parametrize(
    ("received", "why"),
    [
        (b"1", "breaks off"),
        (b"1\n2\n", "more than one"),
        (b"1\n\n", "more than one"),
        (b"\n", "not JSON"),
        (b"NaN\n", "not JSON"),
        (b"\xff\n", "not JSON"),
        (b'{"a":1,"a":2}\n', "twice"),
        (b"9" * 33 + b"\n", "too long"),
        (b"1e999\n", "too large"),
        (b'"\\ud800"\n', "surrogate"),
        (b"[" * 65 + b"]" * 65 + b"\n", "nested"),
        (b"[" * 60_000 + b"\n", "nested"),
        (b"x" * (LARGEST_VALUE + 1), "longer than"),
        ("é".encode() * (LARGEST_VALUE // 3), "breaks off"),
        (b'"' + "é".encode() * (LARGEST_VALUE // 3) + b'"\n', "longer than"),
        (b"[" + b"1e9," * (LARGEST_VALUE // 5) + b"0]\n", "longer than"),
    ],
)
def test_what_is_not_one_value_is_refused(received: bytes, why: str) -> None:
    with pytest.raises(JsonError, match=why):
        read(received)


@given(st.binary(max_size=30))
def test_whatever_comes_is_a_value_or_refused(received: bytes) -> None:
    try:
        assert isinstance(read(received), Returned)
    except JsonError:
        pass


def test_a_program_whose_value_cannot_be_taken_has_failed() -> None:
    *_, said, end = _events(b"1\n2\n")
    assert said == Stderr(
        b"sandlot: what the handler returned cannot be taken: more than one was written to its channel\n"
    )
    assert isinstance(end, Exited)
    assert (end.reason, end.exit_code) == (Reason.EXITED, 1)
    end = _events(b"1\n2\n", exit_code=7)[-1]
    assert isinstance(end, Exited)
    assert end.exit_code == 7


def test_a_value_that_a_kill_cut_off_is_not_talked_about() -> None:
    events = _events(b"[1, 2", reason="timeout", exit_code=None, signal=9)
    assert [type(event) for event in events[1:]] == [Exited]


@pytest.mark.parametrize(
    ("command", "values"),
    [
        (Command(code="text"), (b"1\n",)),
        (Command(argv=("true",)), (b"1\n",)),
        (CALL, (b"1" * MAX_PAYLOAD,) * (LARGEST_VALUE // MAX_PAYLOAD + 1)),
    ],
)
def test_an_agent_that_sends_more_than_a_value_is_killed(command: Command, values: tuple[bytes, ...]) -> None:
    end = _events(*values, command=command)[-1]
    assert isinstance(end, Exited)
    assert end.reason is Reason.BOX_DIED


def test_a_command_that_did_not_run_returned_nothing() -> None:
    value = Value(Handler())
    value.add(b"1\n")
    failed = Failed("not_found", "no such directory")
    assert asyncio.run(value.concluded(failed)) == (failed,)


def test_a_handler_does_not_run_in_the_background() -> None:
    async def scene() -> None:
        async with stage() as on:
            await on.box.start(CALL)

    with pytest.raises(InvalidSpec, match="background"):
        asyncio.run(scene())
