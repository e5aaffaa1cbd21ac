from __future__ import annotations

import json
from typing import Any

import pytest

from sandlot.compat.ipybox.messages import Picture, Raised, Replied, State, Text, request_frame, told_in


def frame(kind: str, content: dict[str, Any], about: str = "r1") -> str:
    return json.dumps({"header": {"msg_type": kind}, "parent_header": {"msg_id": about}, "content": content})


RAISED = {"ename": "ValueError", "evalue": "no", "traceback": ["Traceback", "ValueError: no"]}
FAILED = Raised("ValueError", "no", "Traceback\nValueError: no")


@pytest.mark.parametrize(
    ("kind", "content", "said"),
    [
        ("stream", {"name": "stderr", "text": "x"}, (Text("x"),)),
        ("execute_result", {"data": {"text/plain": "5"}}, (Text("5"),)),
        ("display_data", {"data": {"text/plain": ["a\n", "b"]}}, (Text("a\nb"),)),
        ("display_data", {"data": {"text/html": "<b>"}}, ()),
        (
            "display_data",
            {"data": {"text/plain": "<Figure>", "image/jpeg": "j", "image/png": "p"}},
            (Text("<Figure>"), Picture("image/png", "p")),
        ),
        ("display_data", {"data": {"image/jpeg": "j"}}, (Picture("image/jpeg", "j"),)),
        ("error", RAISED, (FAILED,)),
        ("status", {"execution_state": "idle"}, (State("idle"),)),
        ("execute_reply", {"status": "ok"}, (Replied(),)),
        ("execute_reply", {"status": "error", **RAISED}, (Replied(FAILED),)),
        ("execute_input", {"code": "x"}, ()),
    ],
)
def test_messages_say(kind: str, content: dict[str, Any], said: tuple[Any, ...]) -> None:
    told = told_in(frame(kind, content))
    assert (told.about, told.said) == ("r1", said)


def test_code_that_was_given_up_is_no_success() -> None:
    (said,) = told_in(frame("execute_reply", {"status": "aborted"})).said
    assert isinstance(said, Replied)
    assert said.raised is not None
    assert said.raised.message == "Aborted: the code before it failed, so this was not run"


@pytest.mark.parametrize("text", ["", "[1]", '{"header": 5}', "[" * 100_000])
def test_what_is_no_message_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        told_in(text)


def test_a_request_is_what_kernels_read() -> None:
    asked = json.loads(request_frame("r1", "print(1)", "s1"))
    assert (asked["channel"], asked["header"]["msg_type"], asked["header"]["msg_id"]) == (
        "shell",
        "execute_request",
        "r1",
    )
    assert asked["content"]["code"] == "print(1)"
    assert not asked["content"]["allow_stdin"]
    assert not asked["content"]["stop_on_error"]
