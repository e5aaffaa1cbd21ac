"""The original packages, asked the same things in front of the same service, do what our tables say."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.base.compat_noxrunner import calls, commands
from tests.base.compat_noxrunner.recorder import Recorder, recording
from tests.e2e.original import Original, clean_variables

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


@pytest.fixture
def service() -> Iterator[Recorder]:
    with recording() as recorder:
        yield recorder


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
        [original.python, "-c", _ASK, service.url],
        input=asked,
        capture_output=True,
        text=True,
        check=True,
        env=clean_variables(),
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
        env={**clean_variables(), **variables},
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
