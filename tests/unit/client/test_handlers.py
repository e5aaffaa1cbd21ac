"""`call` does the same here and on a server, with and without async."""

from __future__ import annotations

from typing import Any

import pytest

import sandlot
from sandlot.contracts.errors import InvalidSpec
from tests.unit.client.places import Place

pytestmark = [pytest.mark.engine, pytest.mark.needs_engine("bubblewrap")]

GIVE_BACK = "def handler(event):\n    print('x')\n    return event"


@pytest.mark.parametrize("event", [None, {"a": ["\U0001f600", 1.5]}, "x" * 2**20])
def test_an_event_comes_back(place: Place, event: Any) -> None:
    result = place.twin.wait(place.open().call(GIVE_BACK, event))
    assert (result.ok, result.has_result, result.text) == (True, True, "x\n")
    assert result.result == event
    assert result.metrics["duration_ms"] > 0


def test_a_call_is_told_what_a_program_is_told(place: Place) -> None:
    code = "import os\ndef other(event, context):\n    return [os.getcwd(), os.environ['A'], input()]"
    box = place.open()
    told = place.twin.wait(box.call(code, handler="other", workdir="/tmp", env={"A": "b"}, stdin=[b"c"]))
    assert told.result == ["/tmp", "b", "c"]


def test_a_call_that_fails_is_a_result_without_one(place: Place) -> None:
    box = place.open()
    result = place.twin.wait(box.call("def handler(event): return 1 / 0"))
    assert (result.exit_code, result.has_result, result.result) == (1, False, None)
    assert place.twin.wait(box.run("print(1)")).has_result is False


def test_an_event_that_is_no_json_is_refused(place: Place) -> None:
    box = place.open()
    with pytest.raises(InvalidSpec, match="JSON"):
        place.twin.wait(box.call(GIVE_BACK, {1, 2}))


def test_one_line_calls_a_handler() -> None:
    result = sandlot.call(GIVE_BACK, {"a": 1}, timeout=5, files={"b": b"c"})
    assert (result.result, result.stdout) == ({"a": 1}, b"x\n")
    assert (
        sandlot.call("def other(event): return open('b').read()", handler="other", files={"b": b"c"}).result
        == "c"
    )
