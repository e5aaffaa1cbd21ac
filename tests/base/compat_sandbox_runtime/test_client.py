from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, Iterator

import pytest

from sandlot.compat.sandbox_runtime.sdk.shared_env import SandboxError, SharedEnvSandbox
from tests.base.compat_sandbox_runtime.calls import BETTER, FILE, SAME, SESSION, TARGET, Call, Raised
from tests.base.compat_sandbox_runtime.service import Answer, Service, serving


@pytest.fixture(scope="module")
def _shared() -> Iterator[Service]:
    with serving() as service:
        yield service


@pytest.fixture
def service(_shared: Service) -> Service:
    _shared.heard()
    _shared.answers.clear()
    _shared.headers.clear()
    _shared.health = Answer(200, b'{"status": "success"}')
    return _shared


def _outcome(service: Service, call: Call, folder: Path) -> Any:
    (folder / "a.txt").write_text("abc")
    places = {FILE: str(folder / "a.txt"), TARGET: str(folder / "new" / "b")}
    arguments = [places.get(part, part) if isinstance(part, str) else part for part in call.arguments]
    sandbox = SharedEnvSandbox(SESSION, servers=[service.url])
    try:
        return asyncio.run(getattr(sandbox, call.method)(*arguments, **call.named))
    except SandboxError as error:
        return error


@pytest.mark.parametrize("call", [*SAME, *BETTER], ids=lambda call: call.label)
def test_a_call_asks_and_gives_what_the_table_says(service: Service, call: Call, tmp_path: Path) -> None:
    service.answers.append(call.answer)
    outcome = _outcome(service, call, tmp_path)
    assert service.heard() == call.heard
    if isinstance(call.gives, Raised):
        assert isinstance(outcome, SandboxError)
        assert outcome.message.replace(service.url, "URL").startswith(call.gives.text)
        shown = {
            name: value.replace(service.url, "URL") if isinstance(value, str) else value
            for name, value in outcome.context.items()
        }
        assert {name: shown.get(name) for name in call.gives.context} == call.gives.context
    else:
        assert outcome == call.gives


def test_a_download_is_there_as_it_was_sent_and_a_failed_one_touches_nothing(
    service: Service, tmp_path: Path
) -> None:
    sandbox = SharedEnvSandbox(SESSION, servers=[service.url])
    target = tmp_path / "deep" / "er"
    service.answers += [Answer(200, b"\x00" * 3_000_000, "x/y"), Answer(404)]
    assert asyncio.run(sandbox.download_file("a", target)) is True
    with pytest.raises(SandboxError):
        asyncio.run(sandbox.download_file("a", target))
    assert target.read_bytes() == b"\x00" * 3_000_000


def test_an_error_tells_itself_as_json() -> None:
    error = SandboxError("it broke", OSError("cause"), {"status": 500, "path": Path("a")})
    assert error.to_dict() == {
        "message": "it broke",
        "original_error": "cause",
        "context": {"status": 500, "path": Path("a")},
    }
    assert str(SandboxError("x")) == '{\n  "message": "x",\n  "original_error": "None",\n  "context": {}\n}'
    assert '"path": "a"' in str(error)


def test_a_session_needs_an_id() -> None:
    with pytest.raises(ValueError, match="session_id is required"):
        SharedEnvSandbox("")


def test_a_session_id_stays_one_segment(service: Service) -> None:
    asyncio.run(SharedEnvSandbox("a/b ?", servers=[service.url]).get_status())
    assert service.heard() == ["GET /workspace/se/status/a%2Fb%20%3F"]


def test_an_answer_that_is_not_json_is_an_error_and_an_empty_one_is_none(service: Service) -> None:
    sandbox = SharedEnvSandbox(SESSION, servers=[service.url])
    service.answers += [Answer(200, b"<html>"), Answer(200, b"")]
    with pytest.raises(SandboxError, match="Network request failed"):
        asyncio.run(sandbox.get_status())
    assert asyncio.run(sandbox.get_status()) is None


def test_arguments_without_a_json_form_are_an_error(service: Service) -> None:
    sandbox = SharedEnvSandbox(SESSION, servers=[service.url])
    with pytest.raises(SandboxError, match="no JSON form"):
        asyncio.run(sandbox.create_file(b"bytes", "a"))  # type: ignore[arg-type]
    assert service.heard() == []


def test_a_key_is_shown_to_the_server(service: Service) -> None:
    asyncio.run(SharedEnvSandbox(SESSION, servers=[service.url], key="k_1").get_status())
    assert service.headers[-1]["Authorization"] == "Bearer k_1"


def test_a_key_does_not_travel_in_clear_text() -> None:
    sandbox = SharedEnvSandbox(SESSION, servers=["http://sandbox.example:9101"], key="k_1")
    with pytest.raises(SandboxError, match="No available server found") as caught:
        asyncio.run(sandbox.get_status())
    assert "clear text" in caught.value.context["causes"]["http://sandbox.example:9101"]
