"""Cells over a WebSocket: in order, told as in a stream, ended with their client, and bounded."""

from __future__ import annotations

import json
import os
import signal
import socket as sockets
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from sandlot.server.dialects.native.cells_ahead import MOST_AHEAD
from sandlot.testing.servers import RunningServer, running_server
from tests.unit.native.calls import Calls, until

ENDLESS = "while True: pass"


class Talk:
    """A connection; what came of each cell is kept apart."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.told: list[dict[str, Any]] = []

    def run(self, name: str, code: str, **more: Any) -> None:
        self.say(cell=name, code=code, **more)

    def say(self, **message: Any) -> None:
        self.socket.send(json.dumps(message))

    def until(self, event: str, name: str) -> dict[str, Any]:
        """The next *event* of the cell *name*."""
        while True:
            for told in self.told:
                if (told["event"], told["cell"]) == (event, name):
                    self.told.remove(told)
                    return told
            self.told += [json.loads(line) for line in self._message().splitlines() if line]

    def ended(self, name: str) -> str:
        """How the cell *name* ended: its status, or the code of the error."""
        while True:
            for told in self.told:
                if told["cell"] == name and told["event"] in ("finished", "failed"):
                    return str(told.get("status") or told["code"])
            self.told += [json.loads(line) for line in self._message().splitlines() if line]

    def of(self, name: str) -> list[dict[str, Any]]:
        """All that was told of the cell *name*, which ends."""
        self.ended(name)
        return [each for each in self.told if each["cell"] == name]

    def code(self) -> int:
        """The code that the server closes with."""
        try:
            while True:
                self.socket.recv(timeout=10)
        except ConnectionClosed:
            return self.socket.close_code or 0

    def _message(self) -> str:
        message = self.socket.recv(timeout=10)
        assert isinstance(message, str)
        return message


@contextmanager
def talk(url: str, context: str, **more: Any) -> Iterator[Talk]:
    with connect(f"{url.replace('http', 'ws', 1)}{context}/channel", **more) as socket:
        yield Talk(socket)


@pytest.fixture(scope="module")
def mine(call: Calls, box: str) -> str:
    """The path of a context."""
    return f"{box}/contexts/{call('POST', f'{box}/contexts', {}).json['id']}"


@pytest.fixture
def cells(server: RunningServer, mine: str) -> Iterator[Talk]:
    with talk(server.url, mine) as found:
        yield found


def test_cells_sent_ahead_run_in_order_and_are_told_as_in_a_stream(
    call: Calls, server: RunningServer, mine: str
) -> None:
    with talk(server.url, mine, subprotocols=["sandlot.cells.v1"]) as cells:
        assert cells.socket.subprotocol == "sandlot.cells.v1"
        cells.run("a", "x = 1; print('hi')")
        cells.run("b", "1 / 0")
        cells.run("c", "x + 1")
        first, last = cells.of("a"), cells.of("c")
        assert cells.ended("b") == "error"
    assert {each["context"] for each in (first[0], last[0])} == {mine.rpartition("/")[2]}
    assert "".join(each["text"] for each in first if each["event"] == "stdout") == "hi\n"
    assert [each["event"] for each in last] == ["begun", "result", "finished"]
    assert [each["id"] for each in last] == [1, 2, 3]
    streamed = call.events(f"{mine}/run", {"code": "x + 1"})
    passing = ("cell", "executionCount", "durationMs")
    for one, other in zip(last, streamed, strict=True):
        assert {**one, **dict.fromkeys(passing)} == {**other, **dict.fromkeys(passing)}


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/v1/sandboxes/nobodys/contexts/default", 404),
        ("/v1/sandboxes/-/contexts/default", 400),
        ("BOX/contexts/nobodys", 404),
        ("BOX/contexts/a%2Fb", 404),
    ],
)
def test_what_is_wrong_from_the_start_is_told_before_the_handshake_ends(
    server: RunningServer, box: str, path: str, status: int
) -> None:
    with pytest.raises(InvalidStatus) as refused, talk(server.url, path.replace("BOX", box)):
        pass
    answer = refused.value.response
    assert (answer.status_code, json.loads(answer.body or b"")["status"]) == (status, status)


def test_a_cell_is_given_the_line_that_it_asks_for(cells: Talk) -> None:
    cells.run("a", "line = input('name? ')\nprint(line)", allowInput=True)
    assert cells.until("input", "a")["prompt"] == "name? "
    cells.say(cell="a", answer="Ada")
    assert cells.ended("a") == "ok"
    cells.say(cell="a", answer="too late")
    cells.say(cell="nobody", answer="of none")
    cells.run("a", "print(line)")  # a name is free when its cell is over
    assert cells.until("stdout", "a")["text"].startswith("Ada")


def test_an_interrupt_ends_the_cell_that_it_names_and_no_other(
    call: Calls, cells: Talk, server: RunningServer, mine: str
) -> None:
    cells.run("runs", f"kept = 1\n{ENDLESS}", timeoutSeconds=None)
    cells.run("waits", "kept = 2")
    cells.run("last", "kept")
    cells.until("begun", "runs")
    cells.say(cell="waits", interrupt=True)
    assert cells.ended("waits") == "interrupted"
    with talk(server.url, mine) as others:
        others.run("theirs", "kept = 3")  # its turn in the context comes after ours
        others.say(cell="theirs", interrupt=True)
        assert [each["event"] for each in others.of("theirs")] == ["finished"]
        others.run("after", "kept")
        cells.say(cell="runs", interrupt=True)
        assert (cells.ended("runs"), cells.ended("last"), others.ended("after")) == (
            "interrupted",
            "ok",
            "ok",
        )
    assert cells.until("result", "last")["data"] == {"text/plain": "1"}
    assert call("POST", f"{mine}/run", {"code": "kept"}).json["result"]["text/plain"] == "1"


def test_what_cannot_run_is_told_of_its_cell_alone(cells: Talk) -> None:
    cells.run("a", "1", expressions={"a": 1})
    cells.run("b", "1", colour="red")
    cells.run("c", "1")
    assert [cells.ended(name) for name in "abc"] == ["invalid_spec", "invalid_spec", "ok"]
    assert "colour" in cells.of("b")[0]["message"]


@pytest.mark.parametrize(
    "message",
    ["junk", "{}", '{"cell": ""}', '{"cell": "a", "interrupt": 1}', b"{}", '{"cell":"a","code":""}' * 2],
)
def test_what_is_no_message_closes_the_connection(server: RunningServer, mine: str, message: Any) -> None:
    with talk(server.url, mine) as cells:
        cells.socket.send(message)
        assert cells.code() == 1008


def test_a_name_that_is_taken_closes_the_connection(server: RunningServer, mine: str) -> None:
    with talk(server.url, mine) as cells:
        cells.run("a", "input()", allowInput=True)
        cells.run("a", "1")
        assert cells.code() == 1008


@pytest.mark.parametrize("way", ["a word", "none"])
def test_a_client_that_goes_away_interrupts_its_cell_and_takes_those_ahead_with_it(
    call: Calls, server: RunningServer, mine: str, way: str
) -> None:
    with talk(server.url, mine) as cells:
        cells.run("a", f"kept = 'a'\n{ENDLESS}", timeoutSeconds=None)
        cells.run("b", "kept = 'b'")
        cells.until("begun", "a")
        if way == "none":
            cells.socket.socket.shutdown(sockets.SHUT_RDWR)
    # Cells run one by one: this one has its turn when the others are over.
    assert call("POST", f"{mine}/run", {"code": "kept"}).json["result"]["text/plain"] == "'a'"


def test_one_cell_too_many_is_refused_and_the_others_run(cells: Talk) -> None:
    cells.run("first", "input()", allowInput=True)
    cells.until("input", "first")
    for number in range(MOST_AHEAD + 1):
        cells.run(str(number), "1")
    assert cells.ended(str(MOST_AHEAD)) == "conflict"
    cells.say(cell="first", answer="")
    assert cells.ended(str(MOST_AHEAD - 1)) == "ok"


def test_a_client_that_does_not_read_stops_its_cell_and_misses_nothing(
    call: Calls, server: RunningServer, box: str, mine: str
) -> None:
    shows = "display({'text/plain': 'x' * 200_000}, raw=True); open('/workspace/shown', 'w').write(str(n))"
    with talk(server.url, mine, max_queue=1) as cells:
        cells.run("a", f"for n in range(200):\n    {shows}")
        cells.until("begun", "a")
        seen: list[bytes] = []

        def stands_still() -> bool:
            seen.append(call("GET", f"{box}/files/content?path=shown").body)
            return len(seen) > 20 and len(set(seen[-20:])) == 1

        until(stands_still)
        assert int(seen[-1]) < 150  # what is on its way is bounded, in bytes
        assert sum(each["event"] == "display" for each in cells.of("a")) == 200


def test_a_default_context_that_died_is_replaced_and_another_one_is_not(
    call: Calls, server: RunningServer, box: str
) -> None:
    with talk(server.url, f"{box}/contexts/default") as cells:
        cells.run("a", "import os; os._exit(3)")
        cells.run("b", "6 * 7")
        assert (cells.ended("a"), cells.ended("b")) == ("died", "ok")
        assert cells.of("a")[0]["context"] != cells.of("b")[0]["context"]
    path = f"{box}/contexts/{call('POST', f'{box}/contexts', {}).json['id']}"
    with talk(server.url, path) as cells:
        cells.run("a", "import os; os._exit(3)")
        cells.run("b", "1")
        assert (cells.ended("a"), cells.ended("b")) == ("died", "died")
        assert call("POST", f"{path}/restart").status == 200
        cells.run("c", "1")
        assert cells.ended("c") == "ok"
        assert call("DELETE", path).status == 204
        cells.run("d", "1")
        assert cells.ended("d") == "not_found"


def test_cells_end_with_their_sandbox(call: Calls, server: RunningServer) -> None:
    path = "/v1/sandboxes/cells-deleted"
    call("PUT", path, {})
    with talk(server.url, f"{path}/contexts/default") as cells:
        cells.run("a", ENDLESS)
        cells.until("begun", "a")
        call("DELETE", path)
        assert cells.ended("a") == "died"
        cells.run("b", "1")
        assert cells.ended("b") == "not_found"


def test_a_server_that_stops_lets_cells_end_and_closes_idle_connections_at_once() -> None:
    with running_server("--workspaces", "memory") as server:
        assert Calls(server.url)("PUT", "/v1/sandboxes/s", {}).status == 200
        with talk(server.url, "/v1/sandboxes/s/contexts/default") as busy:
            with talk(server.url, "/v1/sandboxes/s/contexts/default") as idle:
                busy.run("a", "input()\nprint('done')", allowInput=True)
                busy.until("input", "a")
                os.kill(server.pid, signal.SIGTERM)
                assert idle.code() == 1012
            busy.run("b", "1")
            assert busy.ended("b") == "start_failed"
            busy.say(cell="a", answer="")
            assert busy.ended("a") == "ok"
            assert busy.code() == 1012
        assert server.stop() == 0
