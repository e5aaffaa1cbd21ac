"""The original clients and command lines do everything in their contract against `sandlot serve`."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from sandlot.testing.servers import RunningServer, running_server
from tests.e2e import noxrunner_story
from tests.e2e.conftest import ROOT
from tests.e2e.interpreters import find
from tests.e2e.original import Original, clean_variables

pytestmark = [pytest.mark.engine, pytest.mark.timeout(180)]


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    with running_server() as running:
        yield running


@pytest.mark.network
def test_the_original_client_does_everything(original: Original, server: RunningServer) -> None:
    told = _story(original.python, "noxrunner", server, f"original-{original.version}", clean_variables())
    unknown = noxrunner_story.LATER if original.version == "1.0.0" else ()
    assert told == {step: gives for step, gives in noxrunner_story.EXPECTED.items() if step not in unknown}


@pytest.mark.parametrize("version", ["3.8", "3.11", "3.13"])
def test_the_same_program_does_everything_with_our_import(version: str, server: RunningServer) -> None:
    python = find(version)
    if python is None:
        pytest.skip(f"no Python {version} on PATH, of pyenv or of uv")
    variables = {**clean_variables(), "PYTHONPATH": str(ROOT)}
    told = _story(python, "sandlot.compat.noxrunner", server, f"ours-{version}", variables)
    assert told == noxrunner_story.EXPECTED


@pytest.mark.network
def test_the_original_command_lines_do_everything(
    original: Original, server: RunningServer, tmp_path: Path
) -> None:
    sandbox = f"line-{original.version}"
    _follow([str(original.command)], sandbox, server, tmp_path, clean_variables())


@pytest.mark.parametrize("version", ["3.8", "3.11"])
def test_our_command_line_does_everything(version: str, server: RunningServer, tmp_path: Path) -> None:
    python = find(version)
    if python is None:
        pytest.skip(f"no Python {version} on PATH, of pyenv or of uv")
    variables = {**clean_variables(), "PYTHONPATH": str(ROOT)}
    command = [
        str(python),
        "-c",
        "import sys; from sandlot.compat.noxrunner.cli import main; sys.exit(main())",
    ]
    _follow(command, f"line-ours-{version}", server, tmp_path, variables)


def _story(
    python: Path, module: str, server: RunningServer, sandbox: str, variables: dict[str, str]
) -> dict[str, Any]:
    program = Path(noxrunner_story.__file__)
    done = subprocess.run(
        [python, program, module, server.url, sandbox],
        capture_output=True,
        text=True,
        check=False,
        env=variables,
    )
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def _follow(
    command: Sequence[str], sandbox: str, server: RunningServer, folder: Path, variables: dict[str, str]
) -> None:
    """One command line after the other; each row is words, exit code, and what is printed."""
    (folder / "dir" / "n").mkdir(parents=True)
    (folder / "f1").write_text("one")
    (folder / "dir" / "n" / "f2").write_text("two")
    seen, expected = [], []
    for words, code, shown in _lines(sandbox):
        done = subprocess.run(
            [*command, *words],
            capture_output=True,
            encoding="utf-8",
            check=False,
            cwd=folder,
            env={**variables, "NOXRUNNER_BASE_URL": server.url},
            input="echo typed\nexit\n" if words[0] == "shell" else "",
        )
        seen.append((words, done.returncode, shown if shown in done.stdout + done.stderr else done.stdout))
        expected.append((words, code, shown))
    assert seen == expected
    assert (folder / "back" / "n" / "f2").read_text() == "two"
    assert (folder / "all.tgz").read_bytes()[:2] == b"\x1f\x8b"


def _lines(sandbox: str) -> list[tuple[list[str], int, str]]:
    return [
        (["health"], 0, "Manager is healthy"),
        (["create", sandbox, "--ttl", "300", "--cpu", "1", "--mem", "512Mi", "--wait"], 0, "Pod is ready"),
        (["exec", sandbox, "echo", "hi"], 0, "hi\n"),
        (["exec", "--env", "A=7", sandbox, "sh", "-c", "exit $A"], 7, ""),
        (["exec", "--ignore-exit-code", sandbox, "false"], 0, ""),
        (["exec", "--timeout-seconds", "1", sandbox, "sleep", "30"], 124, ""),
        (["upload", sandbox, "f1"], 0, "Uploaded 1 file(s)"),
        (["upload", sandbox, "--dir", "dir"], 0, "Uploaded 1 file(s)"),
        (["exec", sandbox, "cat", "f1", "n/f2"], 0, "onetwo"),
        (["download", sandbox, "--extract", "back"], 0, "Extracted to back"),
        (["download", sandbox, "--output", "all.tgz"], 0, "Downloaded to all.tgz"),
        (["shell", sandbox], 0, "typed"),
        (["touch", sandbox], 0, "TTL extended"),
        (["delete", sandbox], 0, "Sandbox deleted"),
        (["exec", sandbox, "ls"], 1, "Execution failed"),
        (["delete", sandbox], 1, "Delete failed"),
    ]
