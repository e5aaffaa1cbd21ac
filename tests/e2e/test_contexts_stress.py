"""Contexts under strain, over `sandlot serve`: much output, many contexts, and who is gone in mid-cell."""

from __future__ import annotations

import json
import os
import re
import signal
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator
from http.client import HTTPResponse
from pathlib import Path
from typing import Any

import pytest

from sandlot.settings import load
from sandlot.testing.host_processes import descendants
from sandlot.testing.servers import RunningServer, running_server
from tests.unit.local.machine import obstacle
from tests.unit.native.calls import NDJSON, SSE, Calls, one_event

pytestmark = pytest.mark.engine

AT_ONCE = 50
TOLD_WITHIN = 0.1
"""Seconds in which a death is told; the machine does other things too, so of several the quickest counts."""


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    if why := obstacle():
        pytest.skip(f"no box can be started here: {why}")
    with tempfile.TemporaryDirectory(prefix="sandlot-test-") as name:
        _lend("default", Path(name) / "data" / "environments")
        with running_server("--workspaces", "memory", directory=Path(name)) as running:
            yield running


def _lend(environment: str, place: Path) -> None:
    """Let the server have the environment of this machine, if it has one."""
    source = load().data_directory / "environments" / environment
    place.mkdir(parents=True)
    if source.is_dir():
        (place / environment).symlink_to(source)


@pytest.fixture(scope="module")
def call(server: RunningServer) -> Calls:
    return Calls(server.url)


@pytest.fixture(scope="module", params=["plain", "ipython"])
def box(call: Calls, request: pytest.FixtureRequest) -> Iterator[str]:
    """The path of a sandbox whose contexts have that shell."""
    path = f"/v1/sandboxes/strained-{request.param}"
    made = call("PUT", path, {"environment": "system" if request.param == "plain" else "default"})
    if made.status == 404:
        pytest.skip("there is no environment `default` here; `make run` builds it")
    assert made.status == 200, made.body
    yield path
    call("DELETE", path)


@pytest.fixture(scope="module")
def mine(call: Calls, box: str) -> str:
    """The path of a context."""
    told = call("POST", f"{box}/contexts", {}).json
    if box.endswith("ipython") and told["facts"]["shell"] != "ipython":
        pytest.skip("the environment `default` has no IPython")
    return f"{box}/contexts/{told['id']}"


def cell(call: Calls, context: str, code: str, **more: Any) -> list[dict[str, Any]]:
    """All events of a cell."""
    events = call.events(f"{context}/run", {"code": code, "timeoutSeconds": 40, **more})
    assert events[-1]["event"] == "finished"
    return events


def written(events: list[dict[str, Any]]) -> str:
    """What a cell printed."""
    return "".join(each["text"] for each in events if each["event"] == "stdout")


def to_end(answer: HTTPResponse) -> Iterator[dict[str, Any]]:
    """The events up to the last."""
    while True:
        event = one_event(answer)
        yield event
        if event["event"] == "finished":
            return


def test_half_a_million_lines_come_complete_and_in_order(call: Calls, mine: str) -> None:
    """A hundred in each print; the conformance suite prints as many one by one as there is time for."""
    code = "for n in range(0, 500_000, 100): print('\\n'.join(map(str, range(n, n + 100))))"
    events = cell(call, mine, code, outputLimit="64Mi")
    assert (events[-1]["status"], events[-1]["droppedBytes"]) == ("ok", 0)
    assert written(events) == "".join(f"{number}\n" for number in range(500_000))


def test_half_a_million_characters_in_one_line_come_complete(call: Calls, mine: str) -> None:
    events = cell(call, mine, "print('é' * 500_000)", outputLimit="64Mi")
    assert written(events) == "é" * 500_000 + "\n"


def test_a_hundred_timed_prints_arrive_as_they_happen(call: Calls, mine: str) -> None:
    """Each line is the clock at its printing, and the clock is the same for all of this machine."""
    code = "import time\nfor _ in range(100):\n    print(time.monotonic_ns())\n    time.sleep(0.005)"
    ages: list[float] = []
    body = {"code": code}
    with call.begun("POST", f"{mine}/run", body, Accept=NDJSON) as answer:
        for event in to_end(answer):
            now = time.monotonic_ns()
            ages += [(now - int(line)) / 1e9 for line in event.get("text", "").split()]
    assert len(ages) == 100
    # In one lump at the end they would be a quarter of a second old, and more.
    assert statistics.median(ages) < 0.05
    assert ages[0] < 0.25


def test_a_cell_of_ten_thousand_lines_runs(call: Calls, mine: str) -> None:
    code = "\n".join(f"value_{number} = {number}" for number in range(10_000))
    assert cell(call, mine, f"{code}\nvalue_0 + value_9999")[-2]["data"]["text/plain"] == "9999"
    found = cell(call, mine, code.replace("value_7000 = 7000", "1 / 0"))
    assert "7001" in "".join(found[-2]["traceback"])


def test_fifty_contexts_live_and_work_at_once(call: Calls, box: str) -> None:
    told: dict[int, str] = {}

    def live(number: int) -> None:
        path = f"{box}/contexts/{call('POST', f'{box}/contexts', {}).json['id']}"
        cell(call, path, f"mine = {number}")
        arrived.wait(timeout=40)  # all of them are up
        told[number] = written(cell(call, path, "print(mine)"))
        call("DELETE", path)

    arrived = threading.Barrier(AT_ONCE)
    threads = [threading.Thread(target=live, args=[number]) for number in range(AT_ONCE)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert told == {number: f"{number}\n" for number in range(AT_ONCE)}


@pytest.mark.parametrize(
    "code",
    [
        "while True: pass",
        "while True:\n    try: print(end='')\n    except Exception: pass",
        "import time; time.sleep(60)",
        "import re; re.match('(a+)+$', 'a' * 50 + 'b')",
        "import threading; threading.Event().wait()",
        "import subprocess; subprocess.run(['sleep', '60'])",
        "import asyncio; await asyncio.sleep(60)",
        "import asyncio; await asyncio.sleep(0)\nwhile True: pass",
    ],
    ids=["loop", "prints", "sleep", "C code", "lock", "child", "await", "step"],
)
def test_an_interrupt_ends_it_at_once_and_keeps_the_state(call: Calls, mine: str, code: str) -> None:
    with call.begun(
        "POST", f"{mine}/run", {"code": f"kept = 5\nprint('now')\n{code}"}, Accept=NDJSON
    ) as answer:
        first = [one_event(answer) for _ in range(2)]
        assert [each["event"] for each in first] == ["begun", "stdout"], first
        begun = time.monotonic()
        assert call("POST", f"{mine}/interrupt").status == 204
        *before, end = to_end(answer)
        took = time.monotonic() - begun
    assert end["status"] == "interrupted", before
    assert took < 1.5  # before the server would have lost its patience
    assert written(cell(call, mine, "print(kept)")) == "5\n"


def test_an_interrupt_at_any_moment_of_an_await_ends_it_and_the_next_one_works(call: Calls, box: str) -> None:
    """It may come while asyncio is imported, between the steps of its loop, and within one."""
    path = f"{box}/contexts/{call('POST', f'{box}/contexts', {}).json['id']}"
    body = {"code": "print('now')\nawait __import__('asyncio').sleep(60)", "timeoutSeconds": 5}
    for _ in range(30):
        with call.begun("POST", f"{path}/run", body, Accept=NDJSON) as answer:
            assert [one_event(answer)["event"] for _ in range(2)] == ["begun", "stdout"]
            assert call("POST", f"{path}/interrupt").status == 204
            *before, end = to_end(answer)
        assert end["status"] == "interrupted", before
    call("DELETE", path)


def test_an_interpreter_that_is_killed_in_mid_cell_is_told_of_at_once(
    server: RunningServer, call: Calls, box: str
) -> None:
    path = f"{box}/contexts/{call('POST', f'{box}/contexts', {}).json['id']}"
    code = "import os\nprint(f\"{os.getpid()} {os.stat('/proc/self/ns/pid').st_ino}\")\nwhile True: pass"
    took: list[float] = []
    for _ in range(3):
        with call.begun("POST", f"{path}/run", {"code": code}, Accept=NDJSON) as answer:
            one_event(answer)
            os.kill(_on_host(server, one_event(answer)["text"]), signal.SIGKILL)
            begun = time.monotonic()
            *_, end = to_end(answer)
            took.append(time.monotonic() - begun)
        assert (end["status"], "signal 9" in end["detail"]) == ("died", True)
        assert call("GET", path).json["ending"]["end"] == "exited"
        assert call("POST", f"{path}/restart").json["ending"] is None
    assert min(took) < TOLD_WITHIN
    call("DELETE", path)


def _on_host(server: RunningServer, told: str) -> int:
    """The process that calls itself *told* in its namespace, as this machine calls it."""
    inner, namespace = (int(word) for word in told.split())
    for process in descendants(server.pid):
        status = Path(f"/proc/{process.pid}/status").read_text(encoding="utf-8")
        named = re.search(r"^NSpid:.*\t(\d+)$", status, re.MULTILINE)
        if named and int(named[1]) == inner and os.stat(f"/proc/{process.pid}/ns/pid").st_ino == namespace:
            return process.pid
    raise AssertionError(f"nobody is {told!r}")


def test_a_client_that_is_gone_in_mid_flood_interrupts_its_cell_alone(call: Calls, mine: str) -> None:
    cell(call, mine, "kept = 6")
    with call.begun("POST", f"{mine}/run", {"code": "while True: print('x' * 100)"}, Accept=NDJSON) as answer:
        assert [one_event(answer)["event"] for _ in range(2)] == ["begun", "stdout"]
    assert written(cell(call, mine, "print(kept)")) == "6\n"


def test_a_client_that_comes_back_again_and_again_misses_nothing(call: Calls, box: str, mine: str) -> None:
    """The cell tells more than the server keeps, so it waits for its reader meanwhile."""
    body = {"code": "for n in range(1500): print(f'{n:1000}')", "outputLimit": "64Mi"}
    told: list[dict[str, Any]] = []
    with call.begun("POST", f"{mine}/run", body, Accept=SSE) as answer:
        told.append(one_event(answer))
        events = f"{box}/cells/{told[0]['cell']}/events"
    while told[-1]["event"] != "finished":
        with call.begun("GET", events, Last_Event_ID=str(told[-1]["id"])) as answer:
            for event in to_end(answer):
                told.append(event)
                if len(told) % 7 == 0:
                    break
    assert [each["id"] for each in told] == list(range(1, len(told) + 1))
    assert written(told) == "".join(f"{number:1000}\n" for number in range(1500))
    assert (
        json.loads(call("GET", events, Last_Event_ID=str(told[-2]["id"]), Accept=NDJSON).body)["status"]
        == "ok"
    )
