"""Both clients against a server that is a script: what they send, and what they make of the answers."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Any, Callable, List

import pytest

from sandlot.client.pieces import Pieces
from sandlot.contracts.command import Command
from sandlot.contracts.errors import (
    ConnectionLost,
    Forbidden,
    InvalidSpec,
    NotFound,
    OutputTooLarge,
    SandlotError,
    Unauthorized,
)
from sandlot.contracts.events import Exited, Reason, Started, Stdout
from sandlot.contracts.lease import EndReason
from sandlot.contracts.service import RunRequest
from sandlot.contracts.spec import Isolation, SandboxSpec
from sandlot.transport.memory import Script, response
from sandlot.wire import json_object
from sandlot.wire.events import ndjson
from sandlot.wire.problems import problem, status_of
from tests.base.client.twins import BEHIND, STATUS, TOLD_STATUS, Twin, said

PATH = PurePosixPath("/workspace/a")
ENDED = {**json_object.parse(TOLD_STATUS), "state": "ended"}
ENDING = {"reason": "out_of_memory", "at": "2026-01-01T00:00:00Z", "detail": "why"}
BEGUN = ndjson(1, Started("1"), exec="e1")
DONE = ndjson(3, Exited(Reason.EXITED, 0), **BEHIND)


def refused(error: SandlotError) -> bytes:
    return said(status_of(error), problem(error, "r1"))


def streamed(*lines: bytes) -> bytes:
    return response(200, b"".join(lines), content_type="application/x-ndjson")


def broken(*lines: bytes) -> List[bytes]:
    """A stream whose connection ends before its body does."""
    return [b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"] + [
        b"%x\r\n%s\r\n" % (len(x), x) for x in lines
    ]


@pytest.mark.parametrize(
    ("ask", "answer", "value"),
    [
        (lambda client: client.ensure("box", SandboxSpec()), response(200, TOLD_STATUS), STATUS),
        (lambda client: client.status("box"), response(200, TOLD_STATUS), STATUS),
        (lambda client: client.touch("box"), response(200, TOLD_STATUS), STATUS),
        (lambda client: client.delete("box"), response(204), None),
        (lambda client: client.list(), said(200, {"sandboxes": [], "next": None}), ()),
    ],
)
def test_a_service_is_asked_over_http(
    twin: Twin, ask: Callable[[Any], Any], answer: bytes, value: Any
) -> None:
    client = twin.client(Script(answer))
    assert twin.wait(ask(client)) == value
    twin.wait(client.close())


def test_a_list_is_all_pages_of_the_states_asked_for(twin: Twin) -> None:
    def page(following: Any, *names: str) -> bytes:
        told = [{**json_object.parse(TOLD_STATUS), "id": name} for name in names]
        return said(200, {"sandboxes": told, "next": following})

    for flags, states in (({}, "running%2Cstopped"), ({"ended": True}, "running%2Cstopped%2Cended")):
        script = Script(page("b", "a", "b"), page("d", "c", "d"), page(None, "e"))
        found = twin.wait(twin.client(script).list(**flags))
        assert [status.id for status in found] == ["a", "b", "c", "d", "e"]
        where = f"/v1/sandboxes?limit=1000&state={states}"
        assert [each.target for each in script.asked] == [where, where + "&cursor=b", where + "&cursor=d"]


@pytest.mark.parametrize(
    "error", [NotFound("no"), Unauthorized("who"), Forbidden("no"), ConnectionLost("gone")]
)
def test_a_refusal_is_raised_as_itself(twin: Twin, error: SandlotError) -> None:
    with pytest.raises(type(error)) as raised:
        twin.wait(twin.client(Script(refused(error))).status("box"))
    assert raised.value.message.startswith(error.message)


def test_a_box_is_reached_unless_it_has_ended(twin: Twin) -> None:
    script = Script(response(200, TOLD_STATUS), said(200, {**ENDED, "ending": ENDING}), said(200, ENDED))
    client = twin.client(script)
    box = twin.wait(client.reach("box"))
    assert (box.engine, box.isolation, box.enforced) == ("memory", Isolation.VM, ("x",))
    with pytest.raises(NotFound, match="out_of_memory"):
        twin.wait(client.reach("box"))
    with pytest.raises(NotFound, match="has ended"):
        twin.wait(client.reach("box"))


def test_a_run_is_one_request_and_gives_its_result(twin: Twin) -> None:
    script = Script(streamed(BEGUN, ndjson(2, Stdout(b"out")), DONE))
    request = RunRequest(Command(argv=("cat",), stdin=Pieces([b"in", b"put"])), SandboxSpec(), {"a": b"1"})
    result = twin.wait(twin.client(script).run(request))
    assert (result.stdout, result.engine, result.enforced) == (b"out", "other", ("y",))
    (asked,) = script.asked
    assert (asked.method, asked.target) == ("POST", "/v1/run")
    told = json_object.parse(asked.body)
    assert (told["stdin"], told["files"]) == ("input", {"a": "1"})


def test_a_run_refuses_an_input_that_no_request_carries(twin: Twin) -> None:
    request = RunRequest(Command(argv=("cat",), stdin=Pieces([bytes(2**20)] * 3)))
    with pytest.raises(InvalidSpec, match="make a sandbox"):
        twin.wait(twin.client(Script()).run(request))


def test_a_command_tells_its_events_and_the_box_behind_it(twin: Twin) -> None:
    box = twin.box(Script(streamed(BEGUN, b"\n", ndjson(2, Stdout(b"out")), DONE)))
    events = twin.all(box.run(Command(argv=("echo",))))
    assert events == [Started("1"), Stdout(b"out"), Exited(Reason.EXITED, 0)]
    assert (box.engine, box.isolation, box.enforced, box.failover) == (
        "other",
        Isolation.NAMESPACE,
        ("y",),
        ("z",),
    )


def test_an_end_is_never_invented(twin: Twin) -> None:
    box = twin.box(Script(broken(BEGUN, ndjson(2, Stdout(b"out"))), streamed(BEGUN)))
    for _ in range(2):
        with pytest.raises(ConnectionLost):
            twin.all(box.run(Command(argv=("echo",))))


def test_a_connection_lost_after_the_end_is_no_loss(twin: Twin) -> None:
    box = twin.box(Script(broken(BEGUN, DONE)))
    assert twin.all(box.run(Command(argv=("echo",))))[-1] == Exited(Reason.EXITED, 0)


def test_leaving_early_ends_the_request(twin: Twin) -> None:
    box = twin.box(Script(broken(BEGUN, ndjson(2, Stdout(b"out")))))
    assert twin.some(box.run(Command(argv=("yes",))), 1) == [Started("1")]


def test_files_are_read_written_and_listed(twin: Twin) -> None:
    script = Script(
        response(200, b"content"),
        said(200, {"bytes": 7}),
        said(200, {"entries": []}),
        said(200, {"name": "a", "path": "/a", "kind": "file", "size": 1, "mode": 420, "mtime": 1}),
        response(204),
        response(204),
        response(204),
    )
    box = twin.box(script)
    assert b"".join(twin.all(box.read(PATH))) == b"content"
    assert twin.wait(box.write(PATH, twin.stream([b"con", b"tent"]))) == 7
    assert twin.all(box.list(PATH)) == []
    assert twin.wait(box.stat(PATH))["size"] == 1
    for change in (box.mkdir(PATH), box.move(PATH, PATH), box.remove(PATH)):
        assert twin.wait(change) is None


def test_trees_are_streamed_both_ways(twin: Twin) -> None:
    box = twin.box(Script(said(200, {"dest": "/"}), response(200, b"tar"), refused(NotFound("nothing"))))
    twin.wait(box.put(PATH, twin.stream([b"t", b"ar"])))
    assert b"".join(twin.all(box.get(PATH))) == b"tar"
    with pytest.raises(NotFound):
        twin.all(box.get(PATH))


def test_processes_are_started_fed_and_waited_for(twin: Twin) -> None:
    row = {"id": "7", "argv": ["ls"], "running": False, "exitCode": 0}
    answers = [said(201, {"process": "7"}), said(200, {"processes": [row]}), response(204), response(204)]
    box = twin.box(Script(*answers, said(200, row), response(200, b"out", sandlot_next_offset="3")))
    assert twin.wait(box.start(Command(argv=("ls",)))) == "7"
    assert twin.wait(box.processes())[0]["exit_code"] == 0
    twin.wait(box.signal("7", 15))
    twin.wait(box.feed("7", b"x", end=True))
    assert twin.wait(box.wait("7", 1))["running"] is False
    assert twin.wait(box.output("7")) == (b"out", 3, 0)


def test_changes_come_as_they_happen(twin: Twin) -> None:
    change = {"path": "/a", "kind": "created"}
    box = twin.box(Script(broken(ndjson(1, change))))
    assert twin.some(box.watch(PATH), 1) == [change]


def test_the_end_of_a_box_is_waited_for(twin: Twin) -> None:
    ended = {**ENDED, "state": "stopped", "ending": ENDING}
    box = twin.box(
        Script(response(200, TOLD_STATUS), said(200, ended), refused(NotFound("gone")), said(200, ENDED))
    )
    assert twin.wait(box.ended()).reason is EndReason.OUT_OF_MEMORY
    assert twin.wait(box.ended()).reason is EndReason.DELETED
    assert twin.wait(box.ended()).reason is EndReason.BOX_DIED


def test_closing_a_box_ends_it_once(twin: Twin) -> None:
    box = twin.box(Script(response(204), refused(NotFound("gone"))))
    twin.wait(box.close())
    twin.wait(box.close())


def test_an_answer_without_end_is_refused(twin: Twin) -> None:
    head = b"HTTP/1.1 200 OK\r\ncontent-length: 300000000\r\n\r\n"
    with pytest.raises(OutputTooLarge):
        twin.wait(twin.client(Script([head, *[bytes(2**22)] * 70])).status("box"))
