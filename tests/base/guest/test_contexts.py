"""The program of a context in a real agent, with the standard library's shell, on every Python we support."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import Any, Dict, Iterator, List

import pytest

from sandlot.wire import json_object
from sandlot.wire.frames import Kind
from tests.base.guest.driver import Host

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the agent needs Linux")


class Talk:
    """A conversation with one context."""

    def __init__(self, host: Host) -> None:
        self.host = host
        # Without site no environment's IPython is found, whatever Python runs this.
        self.stream = host.open("run", code=True, context=True, stdin=True, env={"HOME": host.workspace})
        host.send(self.stream, Kind.SOURCE_END)
        self.seen = 0
        self.number = 0

    def lines(self) -> List[Dict[str, Any]]:
        """The events told since the last call that are complete."""
        text = self.host.replies[self.stream].value
        end = text.rfind(b"\n") + 1
        fresh, self.seen = text[self.seen : end], max(end, self.seen)
        return [json_object.parse(line, max_depth=64) for line in fresh.split(b"\n") if line]

    def until(self, event: str) -> List[Dict[str, Any]]:
        """Every event up to the next of that kind."""
        found: List[Dict[str, Any]] = []

        def has_come() -> bool:
            found.extend(self.lines())
            return any(each["event"] == event for each in found)

        self.host.until(has_come)
        return found

    def ask(self, do: str, **fields: Any) -> None:
        """Send a request."""
        self.number += 1
        line = json_object.render({"do": do, "id": self.number, **fields}) + b"\n"
        self.host.send(self.stream, Kind.INPUT, line)

    def run(self, code: str, **fields: Any) -> List[Dict[str, Any]]:
        """Everything a cell tells."""
        asked = {"code": code, "store": True, "silent": False, "input": False, **fields}
        self.ask("execute", **asked)
        return self.until("done")

    def reply(self, do: str, **fields: Any) -> Dict[str, Any]:
        """The answer to a question."""
        self.ask(do, **fields)
        return self.until("reply")[-1]


@pytest.fixture
def talk(tmp_path: Path) -> Iterator[Talk]:
    with Host(str(tmp_path)) as host:
        yield Talk(host)


def text_of(events: List[Dict[str, Any]]) -> str:
    """What they print."""
    return "".join(each["text"] for each in events if each["event"] == "text")


def test_it_greets_and_says_what_it_can(talk: Talk) -> None:
    (ready,) = talk.until("ready")
    assert ready["version"] == "{}.{}.{}".format(*sys.version_info[:3])
    if ready["shell"] == "plain":
        assert "magics" not in ready["features"]


def test_cells_share_names_and_tell_their_numbers(talk: Talk) -> None:
    assert talk.run("x = 41")[-1] == {"event": "done", "id": 1, "status": "ok", "count": 1}
    events = talk.run("x + 1")
    assert [each["event"] for each in events] == ["begun", "result", "done"]
    assert events[1]["data"]["text/plain"] == "42"


def test_a_cell_awaits_at_its_top_level(talk: Talk) -> None:
    assert "done" in text_of(talk.run("import asyncio\nawait asyncio.sleep(0)\nprint('done')"))


def test_expressions_are_evaluated_after_a_cell_that_ended_well(talk: Talk) -> None:
    asked = {"double": "x * 2", "none": "nothing_of_that_name"}
    events = talk.run("    x = 21\n    print(x)", expressions=asked)
    double, none = (each for each in events if each["event"] == "value")
    assert (double["name"], double["data"], double["error"]) == ("double", {"text/plain": "42"}, None)
    assert none["error"]["name"] == "NameError"
    assert events[-1]["event"] == "done"
    assert not [each for each in talk.run("1 / 0", expressions=asked) if each["event"] == "value"]


def test_an_interrupt_is_an_exception_of_the_cell(talk: Talk) -> None:
    talk.ask("execute", code="print('on')\nwhile True: pass", store=True, silent=False, input=False)
    talk.until("text")
    talk.host.post(frames_signal(talk.stream, 2))
    assert talk.until("done")[-1]["status"] == "interrupted"
    assert talk.run("1")[-1]["status"] == "ok"


def frames_signal(stream: int, number: int) -> Any:
    from sandlot.wire import frames

    return frames.json_frame(Kind.SIGNAL, stream, {"signal": number})


def test_what_was_half_imported_when_it_was_interrupted_can_be_imported(talk: Talk) -> None:
    package = Path(talk.host.workspace, "half", "deep")
    package.mkdir(parents=True)
    halt = "import os\nif not os.path.exists('again'):\n    os.mkdir('again')\n    raise KeyboardInterrupt\n"
    package.parent.joinpath("whole.py").write_text("found = 4\n")
    package.joinpath("whole.py").write_text("found = 2\n")
    package.parent.joinpath("__init__.py").write_text("from .deep import *\nfrom .whole import *\n")
    package.joinpath("__init__.py").write_text(f"from .whole import *\n{halt}sum = whole.found + 40\n")
    assert talk.run("import half")[-1]["status"] == "interrupted"
    assert text_of(talk.run("import half, os; print(half.sum, half.whole.found, os.path.sep)")) == "42 4 /\n"


def test_input_is_asked_of_the_host(talk: Talk) -> None:
    talk.ask("execute", code="print(input('name? ') + '!')", store=True, silent=False, input=True)
    asked = talk.until("ask")[-1]
    assert (asked["prompt"], asked["password"]) == ("name? ", False)
    talk.ask("answer", text="me")
    assert text_of(talk.until("done")) == "me!\n"


def test_an_exception_shows_none_of_our_frames(talk: Talk) -> None:
    talk.run("def f():\n    raise ValueError('no')")
    error = next(each for each in talk.run("f()") if each["event"] == "error")
    assert (error["name"], error["value"]) == ("ValueError", "no")
    shown = re.sub(
        r"\x1b\[[0-9;]*m", "", "".join(error["traceback"])
    )  # IPython, where there is one, colours it
    assert "raise ValueError('no')" in shown
    assert os.path.join("guest", "contexts") not in shown


def test_questions_are_answered(talk: Talk) -> None:
    talk.run("something_long = [1]")
    assert talk.reply("complete", code="something_", cursor=10)["matches"] == ["something_long"]
    assert talk.reply("inspect", code="len", cursor=3, detail=0)["found"]
    assert talk.reply("is_complete", code="if x:")["status"] == "incomplete"
    assert talk.reply("history", most=5)["entries"] == [[1, "something_long = [1]"]]
    assert "nobody knows" in talk.reply("dance")["error"]


def test_the_end_of_requests_is_the_end_of_the_program(talk: Talk) -> None:
    talk.run("import atexit; atexit.register(open, 'left', 'w')")
    talk.host.send(talk.stream, Kind.INPUT_END)
    assert talk.host.finish(talk.stream).ok["exit_code"] == 0
    assert os.path.exists(os.path.join(talk.host.workspace, "left"))


def test_a_context_has_no_terminal_and_no_argv(tmp_path: Path) -> None:
    with Host(str(tmp_path)) as host:
        assert host.ask("run", argv=["true"], context=True).error == "invalid"
        assert host.ask("run", code=True, context=True, background=True).error == "invalid"
