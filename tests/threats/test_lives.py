"""Sandboxes and clients that come and go at the wrong moment: one winner, a true answer, nothing left."""

from __future__ import annotations

import json
import time
from contextlib import closing
from typing import Any

import pytest

from sandlot.client import Client
from sandlot.contracts.command import Command
from sandlot.contracts.events import Exited, Failed, Started
from sandlot.contracts.lease import State
from sandlot.contracts.quantity import Seconds
from sandlot.contracts.spec import SandboxSpec
from sandlot.testing.host_processes import descendants
from sandlot.testing.servers import RunningServer
from sandlot.testing.tars import plain
from tests.threats.proof import resident, running, wait_until
from tests.threats.raw import HANDSHAKE, Line, ask, head, streamed

pytestmark = [pytest.mark.engine, pytest.mark.timeout(60)]

_NDJSON, _SSE = "application/x-ndjson", "text/event-stream"
_MARK = "86397"
"""Seconds the commands would sleep: no other process of this machine does."""
_SLEEP = {"cmd": ["sleep", _MARK], "timeoutSeconds": 3600}
_MIB = 2**20


def test_a09_a_hundred_creations_of_one_id_make_one_sandbox(server: RunningServer, client: Client) -> None:
    before = len(descendants(server.pid))
    client.ensure("one", SandboxSpec(ttl=Seconds(600)))
    of_one = len(descendants(server.pid)) - before
    client.delete("one")
    lines = [Line(server) for _ in range(100)]
    request = (
        head(server, "PUT", "/v1/sandboxes/one", Content_Type="application/json", Content_Length="2") + b"{}"
    )
    for line in lines:
        line.say(request)
    answers = [line.answer() for line in lines]
    for line in lines:
        line.socket.close()
    assert {answer.status for answer in answers} == {200}
    assert len({answer.json["podName"] for answer in answers}) == 1
    assert [status.id for status in client.list() if status.state is not State.ENDED] == ["one"]
    assert len(descendants(server.pid)) - before <= of_one
    client.delete("one")


def test_a10_a_command_under_way_ends_with_its_sandbox_and_says_so(
    server: RunningServer, client: Client, box: str
) -> None:
    with closing(client.reach(box).run(Command(argv=("sleep", _MARK)))) as events:
        assert isinstance(next(events), Started)
        with closing(Client(server.url)) as other:
            other.delete(box)
        last = list(events)[-1]
    assert isinstance(last, (Exited, Failed))
    assert not isinstance(last, Exited) or last.exit_code != 0
    wait_until(server, _MARK, 0)
    client.ensure(box, SandboxSpec(ttl=Seconds(600)))


def test_a10_what_is_asked_of_a_deleted_sandbox_is_not_found(server: RunningServer, box: str) -> None:
    target = f"/v1/sandboxes/{box}"
    assert ask(server, "DELETE", target).status == 204
    assert [ask(server, "DELETE", target).status for _ in range(2)] == [404, 404]
    answers = [
        ask(server, "POST", target + "/touch"),
        ask(server, "POST", target + "/exec", {"cmd": ["true"]}),
        ask(server, "POST", target + "/processes", {"cmd": ["true"]}),
        ask(server, "GET", target + "/files/list"),
        ask(server, "GET", target + "/files/download"),
        ask(server, "POST", target + "/files/upload", plain("a")),
        ask(server, "GET", target + "/terminal", **HANDSHAKE),
    ]
    assert [answer.code for answer in answers] == ["not_found"] * len(answers)
    told = ask(server, "GET", target).json
    assert (told["state"], told["ending"]["reason"]) == ("ended", "deleted")
    assert ask(server, "PUT", target, {}).json["state"] == "running"


def test_a10_deletions_creations_and_commands_that_race_all_get_a_true_answer(
    server: RunningServer, box: str
) -> None:
    target = f"/v1/sandboxes/{box}"
    requests: tuple[tuple[str, str, Any], ...] = (
        ("PUT", target, {}), ("POST", target + "/exec", {"cmd": ["true"]}), ("DELETE", target, None),
        ("POST", target + "/touch", None), ("POST", target + "/files/upload", None), ("DELETE", target, None),
    ) * 10  # fmt: skip
    lines = []
    for method, path, body in requests:
        line, data = Line(server), plain("a") if path.endswith("upload") else b""
        headers = {}
        if body is not None:
            data, headers = json.dumps(body).encode(), {"Content_Type": "application/json"}
        line.say(head(server, method, path, Content_Length=str(len(data)), **headers) + data)
        lines.append(line)
    statuses = [line.answer().status for line in lines]
    for line in lines:
        line.socket.close()
    assert set(statuses) <= {200, 204, 404, 409, 503}
    assert ask(server, "PUT", target, {}).status == 200


@pytest.mark.parametrize("media", [_NDJSON, "application/json"])
def test_a11_a_command_ends_with_the_client_that_waits_for_it(
    server: RunningServer, box: str, media: str
) -> None:
    for target in (f"/v1/sandboxes/{box}/exec", "/v1/run"):
        with streamed(server, target, _SLEEP, media) as line:
            wait_until(server, _MARK, 1)
            line.vanish()
        wait_until(server, _MARK, 0)


def test_a11_a_resumable_command_outlives_its_client_and_can_be_killed(
    server: RunningServer, box: str
) -> None:
    target = f"/v1/sandboxes/{box}/exec"
    with streamed(server, target, _SLEEP, _SSE) as line:
        name = _started(line)
        line.vanish()
    assert running(server, _MARK)
    with Line(server) as line:
        line.say(head(server, "GET", f"{target}/{name}/events?after=0"))
        assert _started(line) == name
    assert ask(server, "DELETE", f"{target}/{name}").status == 204
    wait_until(server, _MARK, 0)


def test_a11_a_client_that_vanishes_in_an_upload_leaves_no_half_file(server: RunningServer, box: str) -> None:
    files = f"/v1/sandboxes/{box}/files"
    for target, data in (("/upload?dest=sub", plain("a", "b")), ("/content?path=sub/c", b"x")):
        method = "POST" if "upload" in target else "PUT"
        for announced in ({"Content_Length": str(2 * _MIB)}, {"Transfer_Encoding": "chunked"}):
            with Line(server) as line:
                line.say(head(server, method, files + target, **announced))
                line.say(data if "Content_Length" in announced else b"%x\r\n%b\r\n" % (len(data), data))
                line.vanish()
    deadline = time.monotonic() + 10
    while (left := _names(server, box)) not in ([], ["sub"]):
        assert time.monotonic() < deadline, left
    assert ask(server, "GET", files + "/list?path=sub").json.get("entries", []) == []


def test_a11_a_client_that_vanishes_in_a_download_watch_or_terminal_leaves_nothing(
    server: RunningServer, box: str
) -> None:
    fill = {"cmd": ["sh", "-c", "head -c 40000000 /dev/urandom > noise"]}
    assert ask(server, "POST", f"/v1/sandboxes/{box}/exec", fill).json["exitCode"] == 0
    for target in ("/files/download", "/files/content?path=noise", "/files/watch?recursive=true"):
        with Line(server) as line:
            line.say(head(server, "GET", f"/v1/sandboxes/{box}{target}"))
            assert line.socket.recv(1000).startswith(b"HTTP/1.1 200 ")
            line.vanish()
    with Line(server) as line:
        target = f"/v1/sandboxes/{box}/terminal?cmd=sleep&cmd={_MARK}"
        line.say(head(server, "GET", target, **HANDSHAKE))
        assert line.socket.recv(1000).startswith(b"HTTP/1.1 101 ")
        wait_until(server, _MARK, 1)
        line.vanish()
    wait_until(server, _MARK, 0)


@pytest.mark.parametrize("media", [_NDJSON, _SSE])
def test_a15_a_reader_that_stands_still_stops_the_program_and_fills_no_memory(
    server: RunningServer, box: str, media: str
) -> None:
    flood = (
        "import os\nfor n in range(10**9):\n os.write(1, b'x' * 65536)\n open('count', 'w').write(str(n))\n"
    )
    memory = resident(server)
    with streamed(server, f"/v1/sandboxes/{box}/exec", {"code": flood, "outputLimit": "1Ti"}, media) as line:
        name = _started(line)
        written = _standing_still(server, box)
        assert written < 32 * _MIB
        assert resident(server) - memory < 32 * _MIB
        assert line.socket.recv(1)  # one byte at a time changes nothing
        assert _standing_still(server, box) < 32 * _MIB
    # What was told to nobody is told to who comes back, up to a mebibyte.
    assert ask(server, "DELETE", f"/v1/sandboxes/{box}/exec/{name}").status == 204


def test_a15_a_download_that_nobody_reads_fills_no_memory(server: RunningServer, box: str) -> None:
    fill = {"cmd": ["sh", "-c", "head -c 100000000 /dev/urandom > noise"]}
    assert ask(server, "POST", f"/v1/sandboxes/{box}/exec", fill).json["exitCode"] == 0
    memory = resident(server)
    for target in ("/files/download", "/files/content?path=noise"):
        with Line(server) as line:
            line.say(head(server, "GET", f"/v1/sandboxes/{box}{target}"))
            assert line.socket.recv(1000).startswith(b"HTTP/1.1 200 ")
            for _ in range(20):  # others are served meanwhile, so the server had its turns
                assert ask(server, "GET", f"/v1/sandboxes/{box}").status == 200
            assert resident(server) - memory < 32 * _MIB


def _started(line: Line) -> str:
    """The name of the command whose events come on *line*, from the first of them."""
    data = b""
    while b'"exec":"' not in data or b"\n" not in data.partition(b'"exec":"')[2]:
        piece = line.socket.recv(4096)
        assert piece, data
        data += piece
    return data.partition(b'"exec":"')[2].partition(b'"')[0].decode()


def _standing_still(server: RunningServer, box: str) -> int:
    """How many bytes the program has written once it writes no more."""
    deadline = time.monotonic() + 20
    before, now = -1, 0
    while before != now:
        assert time.monotonic() < deadline, f"the program still writes, {now} bytes by now"
        time.sleep(0.3)  # a pause this long in a loop that writes without one means that it is stopped
        answer = ask(server, "GET", f"/v1/sandboxes/{box}/files/content?path=count")
        before, now = now, int(answer.body or b"0") * 65_536
    return now


def _names(server: RunningServer, box: str) -> list[str]:
    return [each["name"] for each in ask(server, "GET", f"/v1/sandboxes/{box}/files/list").json["entries"]]
