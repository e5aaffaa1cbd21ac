from __future__ import annotations

from typing import Any, Dict, Type

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandlot.contracts import errors
from sandlot.contracts.errors import SandlotError
from sandlot.wire import json_object
from sandlot.wire.problems import error_from, headers_of, problem, problem_of, status_of
from tests.base.wire.hostile_json import json_values

KINDS = sorted(errors.kinds().values(), key=lambda kind: kind.code)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.code)
def test_every_error_has_a_status_and_returns_as_itself(kind: Type[SandlotError]) -> None:
    error = kind("what happened")
    told = problem(error, "r1", "/v1/run")
    found = error_from(status_of(error), json_object.render(told), {})
    assert type(found) is kind
    assert found.message.startswith("what happened")
    assert told["status"] == status_of(error)
    assert (told["error"], told["retryable"]) == (told["detail"], kind.retryable)
    assert told["instance"] == "/v1/run"


def test_headers_tell_what_a_client_needs() -> None:
    assert headers_of(errors.Unauthorized("x")) == {"WWW-Authenticate": "Bearer"}
    assert "Retry-After" in headers_of(errors.PoolExhausted("x"))
    assert headers_of(errors.NotFound("x")) == {}


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (301, errors.ConnectionLost),
        (405, errors.Unsupported),
        (408, errors.TimedOut),
        (413, errors.InvalidSpec),
        (418, errors.InvalidSpec),
        (500, errors.StartFailed),
        (502, errors.ConnectionLost),
        (599, errors.StartFailed),
    ],
)
def test_an_answer_without_a_code_is_known_by_its_status(status: int, kind: Type[SandlotError]) -> None:
    found = error_from(status, b"<html>", {})
    assert type(found) is kind
    assert "<html>" in found.message
    unknown = problem_of(status, "cheered", "hm", title="Hm", request_id="r")
    assert type(error_from(status, json_object.render(unknown), {})) is kind


def test_our_own_failures_name_the_request() -> None:
    told = problem_of(500, "internal", "an error of the server", title="Internal error", request_id="r-7")
    assert "request r-7" in error_from(500, json_object.render(told), {}).message
    assert "request r-8" in error_from(503, b"", {"x-request-id": "r-8"}).message


def test_a_strangers_words_are_escaped_and_cut() -> None:
    found = error_from(400, b'{"error": "\\u001b[2J\\ud800' + b"x" * 5000 + b'"}', {})
    assert "\x1b" not in found.message
    assert len(error_from(400, b"\x1b" * 5000, {}).message) <= 2000
    assert error_from(404, b"", {}).message == "the server answered 404 without saying why"


@given(
    st.integers(100, 599),
    st.binary() | json_values.map(lambda value: _rendered({"code": value, "detail": value})),
)
def test_whatever_comes_is_an_error_of_ours(status: int, body: bytes) -> None:
    assert error_from(status, body, {}).message.isprintable()


def _rendered(value: Dict[str, Any]) -> bytes:
    try:
        return json_object.render(value)
    except json_object.JsonError:
        return b""
