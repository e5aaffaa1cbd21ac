"""The original SDK, asked the same things in front of the same service, does what our table says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.base.compat_sandbox_runtime.calls import BETTER, FILE, SAME, SESSION, TARGET, Call, Raised
from tests.base.compat_sandbox_runtime.service import HEALTHY, Answer, Service, serving
from tests.e2e.sandbox_runtime import asked

pytestmark = [pytest.mark.network, pytest.mark.timeout(180)]


def _rows(calls: list[Call], folder: Path) -> list[list[Any]]:
    (folder / "a.txt").write_text("abc")
    places = {FILE: str(folder / "a.txt"), TARGET: str(folder / "new" / "b")}
    arguments = [
        [places.get(part, part) if isinstance(part, str) else part for part in call.arguments]
        for call in calls
    ]
    return [[call.method, given, call.named] for call, given in zip(calls, arguments, strict=True)]


def _asked(python: Path, service: Service, calls: list[Call], folder: Path) -> list[Any]:
    service.answers += [call.answer for call in calls if call.heard]
    return asked(python, "sandbox_runtime", service.url, SESSION, _rows(calls, folder), folder)


def _expected(call: Call, outcome: Any, url: str) -> Any:
    """What the table says, as far as it says it."""
    if not isinstance(call.gives, Raised):
        return call.gives
    text, context = outcome["raised"]
    told = json.loads(json.dumps(call.gives.context).replace("URL", url))
    begins = call.gives.text.replace("URL", url)
    return {"raised": [begins + text[len(begins) :], {**context, **told}]}


def test_the_sdk_does_what_the_table_says(runtime: Path, tmp_path: Path) -> None:
    with serving() as service:
        given = _asked(runtime, service, SAME, tmp_path)
        expected = [_expected(call, outcome, service.url) for call, outcome in zip(SAME, given, strict=True)]
        assert given == expected
        assert service.heard() == [line for call in SAME for line in call.heard]


def test_what_is_better_here_is_different_there(runtime: Path, tmp_path: Path) -> None:
    with serving() as service:
        given = _asked(runtime, service, BETTER, tmp_path)
        same = [
            call.label
            for call, outcome, line in zip(BETTER, given, service.heard(), strict=True)
            if [line] == call.heard and outcome == _expected(call, outcome, service.url)
        ]
    assert not same, "the original does the same, so these rows belong to SAME"


def test_the_original_too_uses_a_server_that_answers_at_all(runtime: Path, tmp_path: Path) -> None:
    with serving() as service:
        service.health = Answer(503)
        assert asked(runtime, "sandbox_runtime", service.url, "s", [["get_status", [], {}]], tmp_path) == [{}]
        assert HEALTHY in service.requests
    gone = asked(runtime, "sandbox_runtime", "http://127.0.0.1:1", "s", [["get_status", [], {}]], tmp_path)
    message, context = gone[0]["raised"]
    assert message == "No available server found"
    assert context == {"method": "GET", "path": "/workspace/se/status/s"}
