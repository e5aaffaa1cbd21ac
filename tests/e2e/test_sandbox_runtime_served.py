"""The SDKs, the original one unmodified, do everything in their contract against `sandlot serve`."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sandlot.testing.servers import RunningServer, running_server
from tests.e2e.conftest import ROOT
from tests.e2e.interpreters import find
from tests.e2e.sandbox_runtime import asked

pytestmark = [pytest.mark.engine, pytest.mark.timeout(180)]

RAISED = "an error"
"""Stands for a SandboxError, whatever it tells."""
_FOREIGN = "print('a')\\nprint('b')"


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    with running_server() as running:
        yield running


def _story(session: str, folder: Path) -> list[tuple[str, list[Any], dict[str, Any], Any]]:
    """Method, arguments, named arguments, and what comes back, at least, one after the other."""
    file, target = folder / "local.txt", folder / "back" / "a.txt"
    file.write_text("local")
    return [
        ("get_status", [], {}, {"id": session, "exists": False, "files": []}),
        ("create_session", [], {}, {"session_id": session}),
        ("create_session", [], {}, RAISED),
        ("get_status", [], {}, {"id": session, "exists": True, "is_mounted": True}),
        ("create_file", ["abc", "d/a.txt"], {}, {"filename": "d/a.txt", "size": 3}),
        ("create_file", ["x", "../x"], {}, RAISED),
        ("upload_file", [str(file)], {}, {"filename": "local.txt", "size": 5}),
        ("upload_file", [str(file), "nest/u.txt"], {}, {"filename": "nest/u.txt", "size": 5}),
        ("download_file", ["d/a.txt", str(target)], {}, True),
        ("download_file", ["none.txt", str(target)], {}, RAISED),
        ("execute", ["cat", "nest/u.txt"], {}, {"stdout": "local", "stderr": "", "returncode": 0}),
        ("execute", ["echo", "a b", "$HOME"], {}, {"stdout": "a b $HOME\n", "returncode": 0}),
        ("execute", ["exit 3"], {}, {"returncode": 3}),
        ("execute_code", ["print('\u00e9')"], {}, {"stdout": "\u00e9\n", "returncode": 0}),
        ("execute_code", [_FOREIGN], {}, {"stdout": "a\nb\n", "returncode": 0}),
        (
            "execute_code",
            ["import sys; x = [1]; print(sys.argv[1:])"],
            {"args": ["q r"], "output_params": ["x", "none"]},
            {"stdout": "['q r']\n", "output_variables": {"x": [1]}},
        ),
        ("execute_code", ["raise SystemExit(4)"], {"filename": "four"}, {"returncode": 4}),
        ("execute_code", ["echo $1"], {"script_type": "shell", "args": ["s"]}, {"stdout": "s\n"}),
        ("list_files", ["d"], {}, [{"filename": "d/a.txt", "size": 3, "type": "txt"}]),
        ("read_file", ["d/a.txt"], {}, {"content": "abc", "is_binary": False, "size": 3, "is_eof": True}),
        ("read_file", ["d/a.txt", 1, 1], {}, {"content": "b", "offset": 2, "is_eof": False}),
        ("read_file", ["none.txt"], {}, RAISED),
        ("download_from_efast", [[{"docid": "d"}]], {}, RAISED),
        ("delete_session", [], {}, True),
        ("delete_session", [], {}, True),
        ("get_status", [], {}, {"id": session, "exists": False}),
        ("close", [], {}, None),
    ]


def _least(wanted: Any, given: Any) -> Any:
    """*given* reduced to what *wanted* speaks of."""
    if wanted == RAISED and isinstance(given, dict) and "raised" in given:
        return RAISED
    if isinstance(wanted, dict) and isinstance(given, dict):
        return {name: given[name] for name in wanted if name in given}
    if isinstance(wanted, list) and isinstance(given, list) and len(wanted) == len(given):
        return [_least(*pair) for pair in zip(wanted, given, strict=True)]
    return given


def _follow(python: Path, module: str, server: RunningServer, folder: Path, **variables: str) -> None:
    session = f"{module.replace('.', '-')}-{python.parent.parent.name}"
    story = _story(session, folder)
    rows = [list(row[:3]) for row in story]
    given = asked(python, module, server.url, session, rows, folder, **variables)
    told = [
        (method, arguments, _least(wanted, answer))
        for (method, arguments, _, wanted), answer in zip(story, given, strict=True)
    ]
    assert told == [(method, arguments, wanted) for method, arguments, _, wanted in story]
    assert (folder / "back" / "a.txt").read_text() == "abc"


@pytest.mark.network
def test_the_original_sdk_does_everything(runtime: Path, server: RunningServer, tmp_path: Path) -> None:
    _follow(runtime, "sandbox_runtime", server, tmp_path)


@pytest.mark.parametrize("version", ["3.8", "3.11"])
def test_the_same_program_does_everything_with_our_import(
    version: str, server: RunningServer, tmp_path: Path
) -> None:
    python = find(version)
    if python is None:
        pytest.skip(f"no Python {version} on PATH, of pyenv or of uv")
    variables = {"PYTHONPATH": str(ROOT)}
    _follow(python, "sandlot.compat.sandbox_runtime", server, tmp_path, **variables)


class WrappedClient:
    """As the SDK of 0.1.0, which no index has any more: every answer is what stands under `result`."""

    def __init__(self, url: str, session: str) -> None:
        self._url, self._session = f"{url}/workspace/se", session

    def ask(self, method: str, verb: str, more: str = "", **body: Any) -> Any:
        request = urllib.request.Request(  # noqa: S310 - the server of this test
            f"{self._url}/{verb}/{self._session}{more}",
            data=json.dumps(body).encode() if method == "POST" else None,
            headers={"Content-Type": "application/json"},
            method=method,
        )
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310 - as above
            return json.load(answer)["result"]


def test_a_client_of_the_wrapped_answers_finds_all_of_them(server: RunningServer) -> None:
    client = WrappedClient(server.url, "wrapped")
    assert client.ask("POST", "session", size="50M")["session_id"] == "wrapped"
    assert client.ask("POST", "create", content="abc", filename="a.txt")["size"] == 3
    assert client.ask("POST", "execute", command="cat", args=["a.txt"])["stdout"] == "abc"
    ran = client.ask("POST", "execute_code", code="x = 6 * 7", output_params=["x"])
    assert (ran["returncode"], ran["output_variables"]) == (0, {"x": 42})
    assert "a.txt" in [entry["filename"] for entry in client.ask("GET", "files", "/")["files"]]
    assert client.ask("GET", "readfile", "/a.txt")["content"] == "abc"
    assert client.ask("GET", "status")["exists"] is True
    assert client.ask("DELETE", "session")["status"] == "success"
