from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import List

import pytest

from sandlot.compat.sandbox_runtime.cli import render
from sandlot.compat.sandbox_runtime.cli.arguments import Mistake, Task, parser, task_of
from sandlot.compat.sandbox_runtime.cli.main import main
from sandlot.compat.sandbox_runtime.sandbox.core.result import ExecutionMetrics, StandardExecutionResult

CODE = "def handler(event): return event\n"


@pytest.fixture
def script(tmp_path: Path) -> str:
    (tmp_path / "event.json").write_text('{"from": "file"}')
    (tmp_path / "bad.json").write_text("{")
    (tmp_path / "empty.py").write_text(" \n")
    (tmp_path / "latin.py").write_bytes(b"# \xe9\n")
    (tmp_path / "h.txt").write_text(CODE)
    (tmp_path / "h.py").write_text(CODE)
    return str(tmp_path / "h.py")


def test_options_name_a_task(script: str) -> None:
    words = [script, "-e", '{"a": 1}', "-c", '{"function_name": "f"}', "-t", "7"]
    assert task_of(parser().parse_args(words)) == Task(CODE, {"a": 1}, {"function_name": "f"}, 7)
    event = str(Path(script).parent / "event.json")
    assert task_of(parser().parse_args([script, "-f", event])).event == {"from": "file"}
    assert task_of(parser().parse_args([script])) == Task(CODE, {}, {}, 300)


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["none.py"], 2, "Script file not found"),
        (["."], 2, "not a file"),
        (["h.py", "-e", "{"], 2, "Invalid event JSON"),
        (["h.py", "-c", "["], 2, "Invalid context JSON"),
        (["h.py", "-c", "[]"], 2, "no object"),
        (["h.py", "-f", "none.json"], 2, "File not found"),
        (["h.py", "--context-file", "bad.json"], 2, "Invalid JSON in file"),
        (["h.py", "-f", "."], 2, "cannot be read"),
        (["h.txt"], 1, "must be a Python file"),
        (["empty.py"], 1, "empty"),
        (["latin.py"], 1, "Failed to read"),
    ],
)
def test_a_mistake_has_its_exit_code(script: str, words: List[str], code: int, said: str) -> None:
    folder = Path(script).parent
    places = [str(folder / word) if "." in word and not word.startswith("-") else word for word in words]
    with pytest.raises(Mistake, match=said) as caught:
        task_of(parser().parse_args(places))
    assert caught.value.code == code


@pytest.mark.parametrize(
    "words", [[], ["x.py", "-t", "0"], ["x.py", "--format", "xml"], ["x.py", "-e", "1", "-f", "y"]]
)
def test_options_that_make_no_sense_are_refused(words: List[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(words)
    assert caught.value.code == 2


def test_the_version_is_that_of_the_interface(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--version"])
    assert capsys.readouterr().out == "sandbox-run 1.0.0\n"


def test_errors_go_to_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["none.py", "--format", "json"]) == 2
    said = capsys.readouterr()
    assert (said.out, said.err) == ("", "Error: Script file not found: none.py\n")


@pytest.mark.skipif(sys.version_info >= (3, 11), reason="sandboxes of this machine work from Python 3.11 on")
def test_an_old_python_is_told_what_it_needs(script: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([script]) == 4
    assert "need Python 3.11" in capsys.readouterr().err


_RESULT = StandardExecutionResult(
    2, "out\n", "trace\n", {"k": ["\u00e9"]}, ExecutionMetrics(1.5, 2.25, 0.125), "exited"
)


def test_json_is_the_whole_result_and_nothing_else() -> None:
    assert json.loads(render.as_json(_RESULT)) == {
        "exit_code": 2,
        "stdout": "out\n",
        "stderr": "trace\n",
        "result": {"k": ["\u00e9"]},
        "metrics": {"duration_ms": 1.5, "memory_peak_mb": 2.25, "cpu_time_ms": 0.125},
    }
    assert json.loads(render.as_json(_RESULT, "now"))["timestamp"] == "now"


def test_people_read_sections() -> None:
    plain = render.as_text(_RESULT, shows_metrics=False)
    assert plain.startswith("\u274c Execution failed (exit code: 2): ")
    assert [line for line in plain.splitlines() if line.isupper()] == ["STDOUT:", "STDERR:", "RESULT:"]
    full = render.as_text(_RESULT, shows_metrics=True, timestamp="now")
    assert "Duration:    1.50 ms" in full
    assert "Timestamp: now" in full
    good = StandardExecutionResult(0, "", "", None, ExecutionMetrics())
    assert render.as_text(good, shows_metrics=False).splitlines() == [
        "\u2705 Execution succeeded",
        "",
        "RESULT:",
        "-" * 40,
        "None",
    ]
