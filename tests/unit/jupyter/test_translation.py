from __future__ import annotations

from typing import Any

import pytest

from sandlot.contracts.cells import (
    Begun,
    Cell,
    CellEvent,
    CellStatus,
    Cleared,
    Displayed,
    Evaluated,
    Finished,
    InputAsked,
    Raised,
    Resulted,
    Streamed,
    StreamName,
    Suggested,
)
from sandlot.contracts.contexts import Completions, ContextFacts, HistoryEntry, Inspection
from sandlot.contracts.errors import InvalidSpec
from sandlot.jupyter import answered, asked, told
from sandlot.jupyter.history import history_reply
from sandlot.jupyter.message import LARGEST_HEADER, message_from

_CELL = Cell("1 + 1")
_PNG = {"image/png": "aGk="}
_HEADER = {"msg_id": "1", "msg_type": "execute_request"}


@pytest.mark.parametrize(
    ("event", "kind", "content"),
    [
        (Begun(3), "execute_input", {"code": "1 + 1", "execution_count": 3}),
        (Streamed(StreamName.STDERR, "oh"), "stream", {"name": "stderr", "text": "oh"}),
        (Displayed(_PNG), "display_data", {"data": _PNG, "metadata": {}, "transient": {}}),
        (
            Displayed(_PNG, {"image/png": {"width": 3}}, "d", update=True),
            "update_display_data",
            {"data": _PNG, "metadata": {"image/png": {"width": 3}}, "transient": {"display_id": "d"}},
        ),
        (Resulted(_PNG, {}, 3), "execute_result", {"data": _PNG, "metadata": {}, "execution_count": 3}),
        (Raised("E", "v", ("a\n", "b")), "error", {"ename": "E", "evalue": "v", "traceback": ["a", "b"]}),
        (Cleared(wait=True), "clear_output", {"wait": True}),
    ],
)
def test_an_event_is_one_message(event: CellEvent, kind: str, content: dict[str, Any]) -> None:
    found = told.telling_of(event, _CELL)
    assert found == told.Telling(kind, content)


def test_what_is_told_elsewhere_is_not_told_on_iopub() -> None:
    assert told.telling_of(InputAsked("?"), _CELL) is None
    assert told.telling_of(Finished(CellStatus.OK), _CELL) is None
    assert told.telling_of(Begun(1), Cell("x", silent=True)) is None


@pytest.mark.parametrize(
    ("status", "raised", "name"),
    [
        (CellStatus.OK, None, None),
        (CellStatus.ERROR, Raised("KeyError", "k"), "KeyError"),
        (CellStatus.ERROR, None, "Error"),
        (CellStatus.INTERRUPTED, None, "KeyboardInterrupt"),
        (CellStatus.TIMEOUT, None, "TimedOut"),
        (CellStatus.DIED, Raised("KeyError", "k"), "KernelDied"),
    ],
)
def test_a_cell_that_did_not_end_well_says_why(
    status: CellStatus, raised: Raised | None, name: str | None
) -> None:
    outcome = told.Outcome(1)
    if raised is not None:
        outcome.add(raised)
    outcome.add(Finished(status, 2, detail="because"))
    assert (None if outcome.failure is None else outcome.failure.name) == name
    reply = outcome.reply
    assert reply["status"] == ("ok" if name is None else "error")
    assert reply["execution_count"] == 2


def test_pages_suggestions_and_values_come_with_the_reply() -> None:
    outcome = told.Outcome(0)
    for event in (
        Displayed({"text/plain": "old"}, paged=True),
        Displayed({"text/plain": "help"}, paged=True),
        Suggested("x = 1", replace=True),
        Evaluated("a", {"text/plain": "1"}),
        Evaluated("b", error=Raised("NameError", "b", ("NameError: b\n",))),
        Finished(CellStatus.OK, 3),
    ):
        assert told.telling_of(event, _CELL) is None
        outcome.add(event)
    assert outcome.reply == {
        "status": "ok",
        "execution_count": 3,
        "payload": [
            {"source": "page", "data": {"text/plain": "help"}, "start": 0},
            {"source": "set_next_input", "text": "x = 1", "replace": True},
        ],
        "user_expressions": {
            "a": {"status": "ok", "data": {"text/plain": "1"}, "metadata": {}},
            "b": {"status": "error", "ename": "NameError", "evalue": "b", "traceback": ["NameError: b"]},
        },
    }


def test_kernel_info_names_the_language_as_editors_know_it() -> None:
    found = answered.kernel_info_reply(ContextFacts("python", "3.12.1", "ipython", "9.1", ("magics",)), "1.0")
    assert found["status"] == "ok"
    assert found["language_info"] == {
        "name": "python",
        "version": "3.12.1",
        "mimetype": "text/x-python",
        "file_extension": ".py",
        "pygments_lexer": "ipython3",
        "codemirror_mode": {"name": "ipython", "version": 3},
        "nbconvert_exporter": "python",
    }
    plain = answered.language_info(ContextFacts("python", "3.12.1", "plain"))
    assert plain["pygments_lexer"] == "python3"
    assert answered.language_info(ContextFacts("bash", "5.2", "bash"))["file_extension"] == ".sh"
    assert answered.language_info(ContextFacts("logo", "1", "logo"))["mimetype"] == "text/plain"


def test_completions_tell_types_where_notebooks_look() -> None:
    found = answered.complete_reply(
        Completions(("int",), 0, 2, {"types": [{"text": "int", "type": "class"}]})
    )
    assert found["metadata"] == {"_jupyter_types_experimental": [{"text": "int", "type": "class"}]}
    assert (found["cursor_start"], found["cursor_end"]) == (0, 2)
    assert not answered.inspect_reply(Inspection(found=False))["found"]


@pytest.mark.parametrize(
    ("content", "told_codes"),
    [
        ({"hist_access_type": "tail", "n": 2}, ["b", "a"]),
        ({"hist_access_type": "tail", "n": 0}, []),
        ({"hist_access_type": "range", "session": 1, "start": 1, "stop": 3}, ["a", "b"]),
        ({"hist_access_type": "range", "session": 7, "start": 1}, []),
        ({"hist_access_type": "search", "pattern": "a*"}, ["a", "a"]),
        ({"hist_access_type": "search", "pattern": "*", "unique": True}, ["b", "a"]),
        ({"hist_access_type": "search", "pattern": "*", "n": 1}, ["a"]),
    ],
)
def test_history_is_the_part_that_is_asked(content: dict[str, Any], told_codes: list[str]) -> None:
    kept = (HistoryEntry(1, "a"), HistoryEntry(2, "b"), HistoryEntry(3, "a"))
    assert [row[2] for row in history_reply(kept, content)["history"]] == told_codes
    assert all(row[2][1] is None for row in history_reply(kept, {**content, "output": True})["history"])


@pytest.mark.parametrize(
    "content",
    [
        {"hist_access_type": "all"},
        {"n": -1},
        {"n": True},
        {"hist_access_type": "search", "pattern": "*" * 99},
    ],
)
def test_history_that_cannot_be_asked_is_refused(content: dict[str, Any]) -> None:
    with pytest.raises(InvalidSpec):
        history_reply((), content)


def test_a_cursor_beyond_the_code_is_its_end() -> None:
    assert asked.question_from({"code": "abc", "cursor_pos": 9, "detail_level": 4}) == asked.Question(
        "abc", 3, 1
    )
    assert asked.question_from({"code": "abc"}).cursor == 3


@pytest.mark.parametrize(
    ("channel", "parts"),
    [
        ("heartbeat", {"header": _HEADER}),
        (["shell"], {"header": _HEADER}),
        ("shell", {}),
        ("shell", {"header": []}),
        ("shell", {"header": {"msg_id": "1"}}),
        ("shell", {"header": {**_HEADER, "msg_id": 1}}),
        ("shell", {"header": {**_HEADER, "session": None}}),
        ("shell", {"header": {**_HEADER, "username": "x" * 300}}),
        ("shell", {"header": {**_HEADER, "more": "x" * LARGEST_HEADER}}),
        ("shell", {"header": _HEADER, "content": "x"}),
        ("shell", {"header": _HEADER, "metadata": [1]}),
    ],
)
def test_what_is_no_message_is_refused(channel: object, parts: dict[str, Any]) -> None:
    with pytest.raises(InvalidSpec):
        message_from(channel, parts)
