from __future__ import annotations

import socket
import urllib.request
from contextlib import nullcontext
from pathlib import Path
from typing import Any, ContextManager, Dict, List, Tuple

import pytest

from sandlot.compat.noxrunner import NoxRunnerClient, NoxRunnerError, NoxRunnerHTTPError
from sandlot.compat.noxrunner.backend import HTTPSandboxBackend, LocalBackend
from tests.base.compat_noxrunner.calls import OURS, SAME, Call, Raised, outcome
from tests.base.compat_noxrunner.recorder import Recorder, archive


@pytest.mark.parametrize("call", [*SAME, *OURS], ids=lambda call: call.label)
def test_what_arrives_and_what_is_given_back(service: Recorder, call: Call) -> None:
    service.answers.append((call.status, call.body))
    assert outcome(NoxRunnerClient(service.url), call.method, call.arguments) == call.gives
    assert service.heard() == call.heard


def test_the_headers_are_urllibs_and_no_more(service: Recorder) -> None:
    client = NoxRunnerClient(service.url)
    for call in (
        lambda: client.touch("s"),
        lambda: client.create_sandbox("s"),
        lambda: client.upload_files("s", {}),
        client.health_check,
    ):
        call()
    always = {"Accept-Encoding": "identity", "Connection": "close", "Host": service.url[7:]}
    sent = []
    for request in service.requests:
        assert request.headers.pop("User-Agent").startswith("Python-urllib/3.")
        assert always.items() <= request.headers.items()
        assert request.line.endswith(" HTTP/1.1")
        sent.append({name: value for name, value in request.headers.items() if name not in always})
    size = str(len(service.requests[2].body))
    assert sent == [
        {"Content-Length": "0"},
        {"Content-Length": "19", "Content-Type": "application/json"},
        {"Content-Length": size, "Content-Type": "application/x-tar"},
        {},
    ]


def test_slashes_after_the_address_are_dropped_and_a_path_is_kept(service: Recorder) -> None:
    NoxRunnerClient(service.url + "//").touch("s")
    NoxRunnerClient(service.url + "/pre/").touch("s")
    assert service.heard() == ["POST /v1/sandboxes/s/touch", "POST /pre/v1/sandboxes/s/touch"]


def test_a_client_is_made_of_a_backend_and_a_tar_handler(service: Recorder) -> None:
    client = NoxRunnerClient(service.url, timeout=3)
    backend = client._backend
    assert isinstance(backend, HTTPSandboxBackend)
    assert (backend.base_url, backend.timeout) == (service.url, 3)
    assert client._tar_handler is not backend.tar_handler
    assert isinstance(NoxRunnerClient("http://ignored", local_test=True)._backend, LocalBackend)


@pytest.mark.parametrize("url", [None, "", "  "])
def test_without_an_address_there_is_no_client(url: Any) -> None:
    with pytest.raises(ValueError, match=r"^base_url is required unless local_test=True\. "):
        NoxRunnerClient(url)


def test_an_address_without_a_scheme_is_the_callers_mistake() -> None:
    client = NoxRunnerClient("nourl")
    assert outcome(client, "touch", ("s",)) == Raised(
        "ValueError", "unknown url type: 'nourl/v1/sandboxes/s/touch'"
    )
    assert client.health_check() is False
    assert client.wait_for_pod_ready("s", timeout=1, interval=1) is False
    assert client.download_workspace("s", "nowhere") is False


def test_nobody_listening_is_a_network_error() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        client = NoxRunnerClient(f"http://127.0.0.1:{unused.getsockname()[1]}")
        with pytest.raises(NoxRunnerError, match=r"^Network error: <urlopen error .*refused>$") as caught:
            client.touch("s")
    assert not isinstance(caught.value, NoxRunnerHTTPError)


def test_a_silent_service_times_out() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(1)
        client = NoxRunnerClient(f"http://127.0.0.1:{silent.getsockname()[1]}", timeout=0.2)  # type: ignore[arg-type]
        with pytest.raises(NoxRunnerError, match=r"^Unexpected error: timed out$"):
            client.exec("s", ["a"])


class Answer:
    """What a test of a program puts in the place of urlopen's answer."""

    def getcode(self) -> int:
        return 200

    def read(self) -> bytes:
        return b'{"exitCode": 0}'


@pytest.mark.parametrize(
    ("timeout", "command_timeout", "waited"), [(30, 30, 35), (30, 5, 30), (60, 600, 605), (3, 100, 3)]
)
def test_a_result_is_waited_for_as_long_as_the_command_may_run(
    monkeypatch: pytest.MonkeyPatch, timeout: int, command_timeout: int, waited: int
) -> None:
    seen: List[Tuple[str, Dict[str, Any]]] = []

    def fake_urlopen(request: urllib.request.Request, **options: Any) -> ContextManager[Answer]:
        seen.append((request.full_url, options))
        return nullcontext(Answer())

    # Programs patch the standard library's function in their tests, so it is what must be called.
    monkeypatch.setattr(urllib.request, "urlopen", fake_urlopen)
    client = NoxRunnerClient("http://x", timeout=timeout)
    assert client.exec("s", ["a"], timeout_seconds=command_timeout) == {"exitCode": 0}
    assert client.touch("s") is True
    assert seen == [
        ("http://x/v1/sandboxes/s/exec", {"timeout": waited}),
        ("http://x/v1/sandboxes/s/touch", {"timeout": timeout}),
    ]


def test_whatever_fails_on_the_way_is_a_noxrunner_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_arguments: Any, **_options: Any) -> Answer:
        raise RuntimeError("boom")

    monkeypatch.setattr(urllib.request, "urlopen", broken)
    client = NoxRunnerClient("http://x")
    assert outcome(client, "touch", ("s",)) == Raised("NoxRunnerError", "Unexpected error: boom")
    assert client.health_check() is False


def test_an_http_error_tells_status_message_and_body() -> None:
    error = NoxRunnerHTTPError(404, "gone", "body")
    assert (error.status_code, error.message, error.response_body) == (404, "gone", "body")
    assert error.args == ("HTTP 404: gone",)
    assert str(error) == "HTTP 404: gone\nResponse: body"
    assert str(NoxRunnerHTTPError(500, "broken")) == "HTTP 500: broken"
    assert isinstance(error, NoxRunnerError)


def test_waiting_goes_on_through_failures_and_odd_answers(service: Recorder) -> None:
    service.answers += [(404, b""), (200, b"[]"), (200, b'{"stdout": null}'), (200, b'{"stdout": "ready"}')]
    client = NoxRunnerClient(service.url)
    assert client.wait_for_pod_ready("s", interval=0) is True
    assert len(service.requests) == 4


def test_waiting_ends(service: Recorder) -> None:
    assert NoxRunnerClient(service.url).wait_for_pod_ready("s", timeout=1, interval=1) is False
    assert len(service.requests) == 1


def test_a_workspace_comes_home(service: Recorder, tmp_path: Path) -> None:
    client = NoxRunnerClient(service.url)
    service.answers.append((200, archive(("./", {"type": b"5"}), ("./d/a", b"1"), ("b", b"2"))))
    target = tmp_path / "new" / "folder"
    assert client.download_workspace("s", str(target), src="/x") is True
    assert (target / "d" / "a").read_bytes() + (target / "b").read_bytes() == b"12"
    assert service.heard() == ["GET /v1/sandboxes/s/files/download?src=%2Fx"]


@pytest.mark.parametrize("answer", [(404, b""), (200, b""), (200, b"junk" * 300), (200, archive())])
def test_a_workspace_that_does_not_come_is_told_as_false(
    service: Recorder, tmp_path: Path, answer: Tuple[int, bytes]
) -> None:
    service.answers.append(answer)
    assert NoxRunnerClient(service.url).download_workspace("s", tmp_path / "x") is False
    assert not list((tmp_path).rglob("*.*"))
