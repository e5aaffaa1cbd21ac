from __future__ import annotations

from typing import Any, AsyncIterator, List

import pytest

from sandlot.contracts.command import Command, TerminalSize
from sandlot.contracts.errors import (
    ConnectionLost,
    InvalidSpec,
    NotFound,
    SandlotError,
    TimedOut,
    Unsupported,
)
from sandlot.contracts.events import Exited, Reason, Started, Stdout
from sandlot.contracts.service import RunRequest
from sandlot.wire import json_object
from sandlot.wire.events import ndjson
from sandlot.wire.flows import commands, files, processes, sandboxes, terminals
from sandlot.wire.flows.exchange import Answer, Ask, Flow, Stream
from sandlot.wire.http import Head
from sandlot.wire.problems import problem, status_of
from sandlot.wire.websocket import Close
from tests.base.wire.operations import OPERATIONS, PATH, STATUS, TOLD_STATUS, Operation

of_each = pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
BEHIND = {"engine": "memory", "isolation": "vm", "enforced": ["x"], "failover": ["y"]}
NEVER = Command(argv=("sh",), timeout=None)


async def _words() -> AsyncIterator[bytes]:
    yield b"words"


def driven(flow: Flow[Any], *answers: Answer) -> Any:
    """What *flow* returns when it is given *answers*."""
    next(flow)
    try:
        for answer in answers:
            flow.send(answer)
    except StopIteration as end:
        return end.value
    raise AssertionError("the flow asks for more")


def answered(error: SandlotError) -> Answer:
    return Answer(Head(status_of(error)), json_object.render(problem(error, "r1")))


def fed(stream: Stream[Any], *pieces: bytes, status: int = 200) -> List[Any]:
    """The items of *stream* when it is answered with *pieces*."""
    items = stream.items(Head(status))
    found = [item for piece in pieces for item in items.feed(piece)]
    items.finish()
    return found


@of_each
def test_each_operation_asks_what_the_api_says(operation: Operation) -> None:
    ask: Ask = next(operation.flow())
    request = ask.request
    assert (request.method, request.target) == operation.asked
    has_json = request.headers.get("Content-Type") == "application/json"
    assert (json_object.parse(request.body) if has_json else None) == operation.said
    assert not (ask.has_content and request.body)


@of_each
def test_each_operation_understands_its_answer(operation: Operation) -> None:
    answer = Answer(Head(operation.status, operation.headers), operation.body)
    assert driven(operation.flow(), answer) == operation.value


@of_each
def test_each_operation_raises_what_the_server_says(operation: Operation) -> None:
    with pytest.raises(NotFound, match="no such thing"):
        driven(operation.flow(), answered(NotFound("no such thing")))


@pytest.mark.parametrize("body", [b"<html>", b"{}", b'{"id":5}', b'{"entries":5}'])
@pytest.mark.parametrize(
    "operation",
    [each for each in OPERATIONS if isinstance(each.told, dict) and each.value],
    ids=lambda operation: operation.name,
)
def test_nonsense_is_the_servers_fault(operation: Operation, body: bytes) -> None:
    with pytest.raises(ConnectionLost, match="cannot be understood"):
        driven(operation.flow(), Answer(Head(operation.status), body))


def test_a_list_is_read_to_its_last_page() -> None:
    def page(cursor: Any, *statuses: Any) -> Answer:
        return Answer(Head(200), json_object.render({"sandboxes": list(statuses), "next": cursor}))

    flow = sandboxes.listing()
    next(flow)
    second = flow.send(page("c/1", TOLD_STATUS))
    assert second.request.target.endswith("&cursor=c%2F1")
    with pytest.raises(StopIteration) as end:
        flow.send(page(None, {**TOLD_STATUS, "id": "a"}))
    assert [status.id for status in end.value.value] == ["a", "box"]
    assert driven(sandboxes.listing(), page("again", TOLD_STATUS), page("again")) == (STATUS,)


def test_waiting_is_asked_for_again_until_it_has_an_end() -> None:
    patience = answered(TimedOut("still running"))
    row = Answer(Head(200), json_object.render({"id": "7", "argv": [], "running": False}))
    assert driven(processes.wait("box", "7"), patience, patience, row)["id"] == "7"
    with pytest.raises(TimedOut, match="still running"):
        driven(processes.wait("box", "7", 40), patience, patience)
    with pytest.raises(NotFound):
        driven(processes.wait("box", "7"), answered(NotFound("gone")))


def test_counts_in_headers_are_checked() -> None:
    answer = Answer(Head(200, {"sandlot-next-offset": "-1"}))
    with pytest.raises(ConnectionLost, match="sandlot-next-offset"):
        driven(processes.output("box", "7"), answer)
    assert driven(processes.output("box", "7", 2), Answer(Head(200), b"abc")) == (b"abc", 5, 0)


def test_what_cannot_be_asked_is_refused_before_anything_is_sent() -> None:
    background = Command(argv=("ls",), background=True)
    with pytest.raises(InvalidSpec, match="use start"):
        commands.execute("box", background)
    for wrong in (
        Command(code=""),
        Command(argv=("sh",)),
        Command(argv=("sh",), timeout=None, env={"A": "1"}),
    ):
        with pytest.raises(Unsupported, match="terminal"):
            terminals.opening("box", wrong)
    with pytest.raises(InvalidSpec, match="by feed"):
        next(processes.start("box", Command(argv=("cat",), stdin=_words())))
    with pytest.raises(InvalidSpec, match="count bytes"):
        files.content("box", PATH, -1)


def test_events_amount_to_a_result() -> None:
    lines = [
        ndjson(1, Started("1"), exec="e1"),
        b"\n",
        ndjson(2, Stdout(b"out")),
        ndjson(3, Exited(Reason.EXITED, 3), **BEHIND),
    ]
    received = fed(commands.run(RunRequest(Command(code="x"))), *lines)
    result = commands.result(received)
    assert (result.stdout, result.exit_code, result.engine, result.failover) == (b"out", 3, "memory", ("y",))
    assert commands.execution_of(received[0]) == "e1"
    with pytest.raises(ConnectionLost):
        commands.execution_of(received[1])


def test_a_failed_run_raises_its_error() -> None:
    lines = b'{"event":"failed","code":"unsupported","message":"no"}\n'
    with pytest.raises(Unsupported, match="no"):
        commands.result(fed(commands.execute("box", NEVER), lines))


def test_an_end_is_never_invented() -> None:
    begun = ndjson(1, Started("1"), exec="e1")
    with pytest.raises(ConnectionLost, match="before the command did"):
        fed(commands.execute("box", NEVER), begun)
    with pytest.raises(ConnectionLost, match="which engine"):
        commands.result([])
    with pytest.raises(ConnectionLost, match="which engine"):
        commands.result(fed(commands.execute("box", NEVER), ndjson(1, Exited(Reason.EXITED, 0))))
    with pytest.raises(ConnectionLost, match="cannot be understood"):
        fed(commands.execute("box", NEVER), b"<html>\n")


def test_kinds_of_event_that_are_unknown_are_passed_over() -> None:
    end = ndjson(2, Exited(Reason.EXITED, 0), **BEHIND)
    assert len(fed(commands.execute("box", NEVER), b'{"event":"cheered"}\n', end)) == 1


@pytest.mark.parametrize(
    ("offset", "length", "asked", "status", "found"),
    [
        (0, None, None, 200, b"0123456789"),
        (3, None, "bytes=3-", 206, b"0123456789"),
        (3, 4, "bytes=3-6", 206, b"0123"),
        (3, 4, "bytes=3-6", 200, b"3456"),
        (0, 0, "bytes=0-0", 206, b""),
        (99, 4, "bytes=99-102", 416, b""),
        (99, 4, "bytes=99-102", 200, b""),
    ],
)
def test_a_range_is_what_was_asked_for(
    offset: int, length: Any, asked: Any, status: int, found: bytes
) -> None:
    stream = files.content("box", PATH, offset, length)
    assert stream.request.headers.get("Range") == asked
    assert status in stream.accepted
    assert b"".join(fed(stream, b"01234", b"56789", status=status)) == found


def test_changes_are_told_and_an_end_is_not_silent() -> None:
    change = {"path": "/workspace/a", "kind": "created"}
    items = files.watch("box", PATH, recursive=True).items(Head(200))
    assert items.feed(ndjson(1, change) + b'\n{"event":"cheered"}\n') == [change]
    with pytest.raises(NotFound, match="gone"):
        items.feed(b'{"event":"failed","code":"not_found","message":"gone"}\n')
    with pytest.raises(ConnectionLost, match="watch anew"):
        items.finish()
    with pytest.raises(ConnectionLost, match="kind"):
        items.feed(b'{"event":"change","path":"/a","kind":"eaten"}\n')


def test_an_archive_is_passed_on_as_it_comes() -> None:
    assert fed(files.download("box", PATH), b"a", b"b") == [b"a", b"b"]


def test_a_terminal_is_opened_resized_and_understood() -> None:
    command = Command(argv=("sh", "-i"), timeout=None, tty=TerminalSize(30, 100))
    where = "/v1/sandboxes/box/terminal?cmd=sh&cmd=-i&workdir=%2Fworkspace&rows=30&columns=100"
    assert terminals.opening("box", command).target == where
    assert terminals.resizing(TerminalSize(1, 2)) == '{"resize":{"rows":1,"columns":2}}'
    assert terminals.event_of(b"$ ") == Stdout(b"$ ")
    assert terminals.event_of('{"event":"started","process":"1"}') == Started("1")
    assert terminals.event_of('{"event":"cheered"}') is None
    with pytest.raises(ConnectionLost):
        terminals.event_of("\ud800")
    assert [len(piece) for piece in terminals.slices(bytes(70_000))] == [65_536, 4464]
    assert "1011" in terminals.broken(Close(1011, "why"))
    assert "before the command did" in terminals.broken(None)


def test_a_terminal_is_taken_up_where_its_client_was() -> None:
    command = Command(argv=("sh",), timeout=None)
    assert terminals.opening("box", command, is_kept=True).target.endswith("&resume=true")
    assert terminals.resuming("box", "a1", 7).target == "/v1/sandboxes/box/terminals/a1?after=7"
    assert terminals.name_in('{"event":"started","process":"1","terminal":"a1"}') == "a1"
    for other in (b'{"terminal":"a1"}', '{"event":"started"}', '{"terminal":5}'):
        assert terminals.name_in(other) == ""
    assert terminals.missed_in('{"event":"resumed","terminal":"a1","after":7,"missed":3}') == 3
    for wrong in (None, b"$ ", '{"event":"resumed"}', '{"event":"resumed","missed":-1}', '{"missed":1}'):
        with pytest.raises(ConnectionLost):
            terminals.missed_in(wrong)
    lost = [None, Close(1006), Close(1012), Close(1000), Close(4001), Close(1008)]
    assert [terminals.is_lost(each) for each in lost] == [True, True, True, False, False, False]


def test_long_input_travels_in_pieces() -> None:
    assert [len(piece) for piece in commands.slices(bytes(300_000))] == [262_144, 37_856]
