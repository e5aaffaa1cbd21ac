"""`sandbox-run` as people and programs use it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.cli.terminal import screen
from tests.unit.sandbox_runtime.conftest import PROGRAM, SandboxRun

pytestmark = [pytest.mark.engine, pytest.mark.needs_engine("bubblewrap"), pytest.mark.timeout(120)]

ECHO = (
    "def handler(event, context):\n    print('hi')\n    return {'event': event, 'f': context.function_name}\n"
)
FOREVER = "def handler(event):\n    print('begun', flush=True)\n    while True: pass\n"


def test_people_see_how_it_went(sandbox_run: SandboxRun) -> None:
    done = sandbox_run(ECHO, "-e", '{"a": 1}', "-p")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Executing: h.py\n" + "-" * 50 + "\n\u2705 Execution succeeded\n")
    assert "Memory peak: " in done.stdout
    quiet = sandbox_run(ECHO, "-q")
    assert quiet.stdout.startswith("\u2705")


def test_json_output_is_only_json(sandbox_run: SandboxRun, tmp_path: Path) -> None:
    words = ["--format", "json", "-v", "--log-level", "DEBUG", "-o", "out.json"]
    done = sandbox_run(ECHO, *words, "-e", "[1]", "-c", '{"function_name": "f"}')
    told = json.loads(done.stdout)
    assert json.loads((tmp_path / "out.json").read_text()) == told
    assert told["result"] == {"event": [1], "f": "f"}
    assert (told["exit_code"], told["stdout"], done.returncode) == (0, "hi\n", 0)
    assert set(told["metrics"]) == {"duration_ms", "cpu_time_ms", "memory_peak_mb"}
    assert "Executing: h.py" in done.stderr


def test_yaml_output_is_only_yaml(sandbox_run: SandboxRun) -> None:
    yaml = pytest.importorskip("yaml", reason="PyYAML comes with the tools")
    told = yaml.safe_load(sandbox_run(ECHO, "--format", "yaml").stdout)
    assert told["result"] == {"event": {}, "f": "unknown-function"}
    assert told["stdout"] == "hi\n"


def test_an_exception_is_a_failure(sandbox_run: SandboxRun) -> None:
    done = sandbox_run("def handler(event): return 1 / 0")
    assert done.returncode == 2
    assert "Execution failed (exit code: 2)" in done.stdout
    assert "ZeroDivisionError" in done.stdout


@pytest.mark.parametrize(
    ("code", "words", "exit_code"),
    [
        ("import os\ndef handler(event): os._exit(9)", [], 9),
        ("def handler(event: pass", [], 1),
        ("x = 1", [], 1),
        (FOREVER, ["-t", "1"], 4),
        (FOREVER, ["-e", '{"__timeout": 1}'], 124),
        (ECHO, ["-c", '{"unknown": 1}'], 2),
        (ECHO, ["-o", "none/out"], 1),
    ],
)
def test_an_end_has_its_exit_code(
    sandbox_run: SandboxRun, code: str, words: list[str], exit_code: int
) -> None:
    done = sandbox_run(code, "--format", "json", *words)
    assert done.returncode == exit_code, done.stderr
    if done.stdout:
        json.loads(done.stdout)


def test_a_time_that_is_over_is_told_with_what_came_before(sandbox_run: SandboxRun) -> None:
    done = sandbox_run(FOREVER, "-q", "-t", "1", "--format", "json", "-e", '{"__timeout": 9}')
    assert (done.returncode, json.loads(done.stdout)["stdout"]) == (4, "begun\n")
    assert "Error: Execution timed out after 1 seconds" in done.stderr


def test_a_sandbox_that_cannot_be_started_is_told(sandbox_run: SandboxRun) -> None:
    refused = sandbox_run(ECHO, "-q", SANDLOT_ENGINE="nowhere")
    assert refused.returncode == 4
    assert "nowhere" in refused.stderr + refused.stdout


@pytest.mark.usefixtures("bounded")
def test_settings_hold_here_too(sandbox_run: SandboxRun) -> None:
    small = sandbox_run("def handler(event): return len(bytearray(900 << 20))", "-q", SANDLOT_MEMORY="64Mi")
    assert small.returncode == 137
    assert "out of memory" in small.stdout


def test_ctrl_c_ends_it_with_130(clean: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "h.py").write_text("import time\n" + FOREVER)
    running = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, "h.py"],
        cwd=tmp_path,
        env=clean,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert running.stdout is not None
    assert running.stdout.readline() == "Executing: h.py\n"
    os.kill(running.pid, signal.SIGINT)
    _, said = running.communicate(timeout=50)
    assert running.returncode == 130, said
    assert "Interrupted" in said


def test_a_terminal_shows_that_something_goes_on(clean: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "h.py").write_text("import time\ndef handler(event): time.sleep(1.5)\n")
    module = "sandlot.compat.sandbox_runtime.cli.main"
    with screen(str(tmp_path / "h.py"), env=clean, module=module) as seen:
        assert seen.until("[1-9].[0-9]s the handler is running")
        assert seen.until("Execution succeeded")
        assert seen.ended() == 0
