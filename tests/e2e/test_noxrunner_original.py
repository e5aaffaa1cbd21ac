"""The original packages, asked the same things in front of the same service, do what our tables say."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.base.compat_noxrunner import calls, commands
from tests.base.compat_noxrunner.recorder import Recorder, recording
from tests.e2e.interpreters import find

pytestmark = pytest.mark.network

# Runs in the original's own venv, hence without anything of ours: calls in, outcomes out, a line each.
_ASK = """
import json, sys
from noxrunner import NoxRunnerClient

client = NoxRunnerClient(sys.argv[1])
for line in sys.stdin:
    method, arguments = json.loads(line, object_hook=lambda o: bytes.fromhex(o["hex"]) if "hex" in o else o)
    try:
        answer = getattr(client, method)(*arguments)
        answer = {"hex": answer.hex()} if isinstance(answer, bytes) else answer
    except Exception as error:
        answer = {"raised": [type(error).__name__, str(error)]}
    print(json.dumps(answer), flush=True)
"""
_NAMES = {"2.0.0": "noxrc", "1.0.0": "noxrunner"}
# Python 3.11: 2.0.0 says 3.8 and cannot be imported there, its annotations need 3.9.
_PYTHON = "3.11"


@dataclass(frozen=True)
class Original:
    """A venv that holds one version of the original."""

    version: str
    scripts: Path

    @property
    def command(self) -> Path:
        return self.scripts / _NAMES[self.version]


@pytest.fixture(scope="module", params=list(_NAMES))
def original(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Original:
    interpreter = find(_PYTHON)
    if interpreter is None:
        pytest.skip(f"no Python {_PYTHON} on PATH, of pyenv or of uv")
    folder = tmp_path_factory.mktemp(f"noxrunner-{request.param}")
    subprocess.run([interpreter, "-I", "-m", "venv", folder], check=True, capture_output=True)
    pip = [str(folder / "bin" / "python"), "-I", "-m", "pip", "--disable-pip-version-check", "install"]
    installed = subprocess.run(
        [*pip, f"noxrunner=={request.param}"], capture_output=True, text=True, check=False
    )
    if installed.returncode:
        pytest.skip(f"noxrunner {request.param} cannot be fetched: {installed.stderr.strip()[-200:]}")
    return Original(request.param, folder / "bin")


@pytest.fixture
def service() -> Iterator[Recorder]:
    with recording() as recorder:
        yield recorder


def _clean() -> dict[str, str]:
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "NOXRUNNER_"))
    }
    return {**kept, "PYTHONIOENCODING": "utf-8"}


def _wire(value: Any) -> Any:
    """A value of the table as the program in the other venv reads it, or says it."""
    if isinstance(value, bytes):
        return {"hex": value.hex()}
    if isinstance(value, calls.Raised):
        return {"raised": list(value)}
    return {name: _wire(part) for name, part in value.items()} if isinstance(value, dict) else value


def test_the_client_does_what_the_table_says(original: Original, service: Recorder) -> None:
    asked = "".join(
        json.dumps([call.method, [_wire(argument) for argument in call.arguments]]) + "\n"
        for call in calls.SAME
    )
    service.answers += [(call.status, call.body) for call in calls.SAME if call.heard]
    done = subprocess.run(
        [original.scripts / "python", "-c", _ASK, service.url],
        input=asked,
        capture_output=True,
        text=True,
        check=True,
        env=_clean(),
    )
    given = [json.loads(line) for line in done.stdout.splitlines()]
    expected = [(call.label, _wire(call.gives)) for call in calls.SAME]
    assert [(call.label, answer) for call, answer in zip(calls.SAME, given, strict=True)] == expected
    assert service.heard() == [line for call in calls.SAME for line in call.heard]


@pytest.mark.timeout(120)
def test_the_command_line_does_what_the_table_says(
    original: Original, service: Recorder, tmp_path: Path
) -> None:
    different = [
        (line.label, seen, expected)
        for number, line in enumerate([*commands.SAME, *commands.SHELL])
        for seen, expected in [_compared(original, service, line, tmp_path / str(number))]
        if seen != expected
    ]
    assert not different


def _compared(original: Original, service: Recorder, line: commands.Line, folder: Path) -> tuple[Any, Any]:
    commands.prepare(folder)
    variables = commands.serve(service, line)
    done = subprocess.run(
        [original.command, *line.words],
        input=line.typed,
        capture_output=True,
        check=False,
        cwd=folder,
        encoding="utf-8",
        env={**_clean(), **variables},
    )
    # The greeting of the shell is in our own words.
    shown = done.stdout.partition("\n\n")[2] if line.words[0] == "shell" else done.stdout
    heard = service.heard()
    return (done.returncode, shown, done.stderr, heard), (
        line.exit_code,
        line.out,
        line.err,
        list(line.heard),
    )
