"""`--handler` and `--event`: the value on standard output as JSON, what the program prints beside it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.unit.cli.conftest import Sandlot

pytestmark = [pytest.mark.engine, pytest.mark.needs_engine("bubblewrap")]

CODE = "import sys\ndef handler(event):\n    print('printed')\n    return [event, sys.stdin.read()]"


def test_the_value_is_our_output_and_what_is_printed_goes_to_standard_error(
    boxed: Sandlot, tmp_path: Path
) -> None:
    (tmp_path / "program.py").write_text(CODE, encoding="utf-8")
    told = boxed("run", "program.py", "--handler", "handler", "--event", '{"a": "\u00e9"}', stdin=b"in")
    assert told.stdout == b'[{"a": "\\u00e9"}, "in"]\n'
    assert (told.stderr, told.returncode) == (b"printed\n", 0)


def test_an_event_comes_from_a_file_or_standard_input(boxed: Sandlot, tmp_path: Path) -> None:
    (tmp_path / "event.json").write_text("[1]\n", encoding="utf-8")
    assert boxed("run", "-c", CODE, "--event", "@event.json").stdout == b'[[1], ""]\n'
    large = json.dumps("x" * 2**20).encode()
    told = boxed("run", "-c", CODE, "--event", "-", stdin=large)
    assert json.loads(told.stdout) == ["x" * 2**20, ""]


def test_another_function_is_called_by_name_and_without_event_gets_null(boxed: Sandlot) -> None:
    told = boxed("run", "-c", "def other(event): return event is None", "--handler", "other")
    assert told.stdout == b"true\n"


def test_json_tells_everything(boxed: Sandlot) -> None:
    told = json.loads(boxed("run", "--json", "-c", CODE, "--event", "1").stdout)
    assert (told["result"], told["stdout"], told["exitCode"]) == ([1, ""], "printed\n", 0)
    assert set(told["metrics"]) == {"durationMs", "cpuTimeMs", "memoryPeakMb"}


def test_a_handler_that_fails_prints_no_value(boxed: Sandlot) -> None:
    told = boxed("run", "-c", "def handler(event): return {1}", "--event", "1")
    assert (told.stdout, told.returncode) == (b"", 1)
    assert b"TypeError" in told.stderr
    told = boxed("run", "-c", "import os\ndef handler(event): os._exit(0)", "--event", "1")
    assert (told.stdout, told.returncode) == (b"", 0)
    assert b"there is no result" in told.stderr


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["-c", CODE, "--event", "{"], b"--event cannot be read: not JSON"),
        (["-c", CODE, "--event", "NaN"], b"--event cannot be read: not JSON"),
        (["-c", CODE, "--event", "@missing"], b"cannot be read"),
        (["-c", CODE, "--handler", "a-b"], b"name of a handler"),
    ],
)
def test_what_cannot_be_called_is_told_at_once(sandlot: Sandlot, words: list[str], why: bytes) -> None:
    told = sandlot("run", *words)
    assert told.returncode == 125
    assert why in told.stderr


@pytest.mark.parametrize("words", [["--event", "1", "--", "ls"], ["-", "--event", "-"]])
def test_a_command_line_that_contradicts_itself_is_refused(sandlot: Sandlot, words: list[str]) -> None:
    assert sandlot("run", *words).returncode == 2


def test_a_sandbox_of_a_server_is_asked_alike(served: Sandlot) -> None:
    assert served("create", "calls").returncode == 0
    told = served("exec", "calls", "-c", CODE, "--event", "2", stdin=b"in")
    assert (told.stdout, told.stderr, told.returncode) == (b'[2, "in"]\n', b"printed\n", 0)
    told = served("exec", "-d", "calls", "-c", CODE, "--event", "2")
    assert told.returncode == 125
    assert b"background" in told.stderr
