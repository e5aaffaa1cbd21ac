"""`sandlot run` by its shipped door: exit codes, streams, files, and the same answers as from Python."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

import sandlot as api
from sandlot.contracts.errors import SandlotError
from tests.unit.cli.conftest import Sandlot

pytestmark = [pytest.mark.engine, pytest.mark.needs_engine("bubblewrap")]


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["-c", "pass"], 0),
        (["-c", "raise SystemExit(7)"], 7),
        (["-c", "import os; os._exit(9)"], 9),
        (["-c", "import os; os.abort()"], 134),
        (["--timeout", "0.3", "-c", "while True: pass"], 124),
        (["--", "/bin/sh", "-c", "exit 5"], 5),
        (["--", "no-such-program"], 127),
        (["--", "/etc/passwd"], 126),
    ],
)
def test_the_programs_end_is_our_exit_code(boxed: Sandlot, words: list[str], code: int) -> None:
    assert boxed("run", *words).returncode == code


def test_a_memory_limit_holds_or_is_refused(boxed: Sandlot) -> None:
    told = boxed("run", "--memory", "64Mi", "-c", "bytearray(2**30)")
    refused = b"cannot enforce or do limit_memory here" in told.stderr
    assert (told.returncode, refused) in ((137, False), (125, True))


def test_streams_are_the_programs(boxed: Sandlot) -> None:
    told = boxed("run", "--", "/bin/sh", "-c", "cat; echo two >&2", stdin=b"one\0\xff")
    assert (told.stdout, told.stderr, told.returncode) == (b"one\0\xff", b"two\n", 0)


def test_code_may_come_from_a_file_or_standard_input(boxed: Sandlot, tmp_path: Path) -> None:
    (tmp_path / "program.py").write_bytes("# coding: latin-1\nprint('\u00e4', input())".encode("latin-1"))
    assert boxed("run", "program.py", stdin=b"x\n").stdout == "\u00e4 x\n".encode()
    assert boxed("run", "-", stdin=b"import sys; print(repr(sys.stdin.read()))").stdout == b"''\n"


@pytest.mark.parametrize(
    "words",
    [[], ["-c", "1", "file.py"], ["file.py", "--", "ls"], ["--no-such-flag"], ["--time", "3", "-c", "1"]],
)
def test_what_cannot_be_read_is_a_usage_error(sandlot: Sandlot, words: list[str]) -> None:
    assert sandlot("run", *words).returncode == 2


@pytest.mark.parametrize(
    "words",
    [["missing.py"], ["--env", "A", "-c", "1"], ["--env", "1=2", "-c", "1"], ["--net", "some", "-c", "1"]],
)
def test_what_cannot_be_done_is_125(sandlot: Sandlot, words: list[str]) -> None:
    told = sandlot("run", *words)
    assert told.returncode == 125
    assert told.stderr.startswith(b"sandlot: ")


def test_variables_arrive_and_ours_do_not(boxed: Sandlot) -> None:
    code = "import os; print(os.environ['A'], os.environ.get('SECRET'))"
    assert boxed("run", "--env", "A=b=c", "-c", code, SECRET="s").stdout == b"b=c None\n"


def test_files_go_in_and_come_out(boxed: Sandlot, tmp_path: Path) -> None:
    (tmp_path / "data/inner").mkdir(parents=True)
    (tmp_path / "data/inner/a").write_bytes(b"1")
    (tmp_path / "b").write_bytes(b"2")
    (tmp_path / "data/link").symlink_to("/etc/passwd")
    code = (
        "import os; text = open('data/inner/a').read() + open('b').read() + open('other/b').read()\n"
        "os.makedirs('out/deep'); open('out/deep/file', 'w').write(text)\n"
        "os.symlink('/etc/shadow', 'out/link'); os.mkfifo('out/fifo')\n"
    )
    words = ("--in", "data", "--in", "b", "--in", "b:other/b", "--out", "results")
    told = boxed("run", *words, "-c", code)
    assert (told.returncode, told.stdout) == (0, b"")
    assert told.stderr == b"sandlot: data/link is a symbolic link: left out\n"
    assert (tmp_path / "results/deep/file").read_bytes() == b"122"
    assert sorted(os.listdir(tmp_path / "results")) == ["deep"]


def test_what_was_made_comes_out_of_a_failing_program_too(boxed: Sandlot, tmp_path: Path) -> None:
    told = boxed("run", "--out", "o", "-c", "open('out/a', 'w').write('x'); raise SystemExit(4)")
    assert (told.returncode, (tmp_path / "o/a").read_bytes()) == (4, b"x")


def test_a_removed_out_is_told(boxed: Sandlot) -> None:
    told = boxed("run", "--out", "o", "-c", "import os; os.rmdir('out')")
    assert (told.returncode, b"nothing was copied" in told.stderr) == (0, True)


@pytest.mark.parametrize("given", ["missing", "b:../up", "b:/etc/x"])
def test_inputs_that_lead_elsewhere_are_refused(boxed: Sandlot, tmp_path: Path, given: str) -> None:
    (tmp_path / "b").write_bytes(b"2")
    assert boxed("run", "--in", given, "-c", "print(1)").stdout == b""


def test_output_beyond_the_limit_is_cut_and_told(boxed: Sandlot) -> None:
    told = boxed("run", "--output", "10", "-c", "print('x' * 100)")
    assert (told.stdout, told.returncode) == (b"x" * 10, 0)
    assert told.stderr == b"sandlot: standard output was cut: --output keeps more\n"


def test_verbose_says_what_held_the_program_in(boxed: Sandlot) -> None:
    told = boxed("run", "-v", "-c", "pass")
    assert told.stderr.startswith(b"sandlot: bubblewrap, isolation namespace, 0.")


def test_json_is_one_document_and_nothing_else(boxed: Sandlot) -> None:
    told = boxed("run", "--json", "-c", "import sys; print('o'); print('e', file=sys.stderr); sys.exit(3)")
    shown = json.loads(told.stdout)
    assert (told.returncode, told.stderr) == (3, b"")
    assert (shown["stdout"], shown["stderr"], shown["exitCode"]) == ("o\n", "e\n", 3)
    assert "seccomp" in shown["enforced"]


@pytest.mark.parametrize(
    "code", ["print(1)", "raise SystemExit(3)", "import os; os.abort()", "while True: pass"]
)
def test_python_gives_the_same_result(
    boxed: Sandlot, data: Path, code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SANDLOT_DATA_DIRECTORY", str(data))
    by_cli = json.loads(boxed("run", "--json", "--timeout", "0.7", "-c", code).stdout)
    by_python = api.run(code, timeout=0.7).to_json()
    measured = {"durationMs", "cpuMs", "memoryPeakBytes", "metrics"}
    assert {k: v for k, v in by_cli.items() if k not in measured} == {
        k: v for k, v in by_python.items() if k not in measured
    }


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"timeout": "-1"}, ["--timeout=-1"]),
        ({"timeout": -1}, ["--timeout=-1"]),
        ({"engine": "none-such"}, ["--engine", "none-such"]),
        ({"isolation": "vm"}, ["--isolation", "vm"]),
        ({"environment": "none-such"}, ["--environment", "none-such"]),
        ({"memory": "1"}, ["--memory", "1"]),
        ({"memory": "64Mi", "disk": "1Gi"}, ["--memory", "64Mi", "--disk", "1Gi"]),
    ],
)
def test_python_gives_the_same_error(
    boxed: Sandlot, data: Path, asked: dict[str, Any], words: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SANDLOT_DATA_DIRECTORY", str(data))
    with pytest.raises(SandlotError) as raised:
        api.run("print(1)", **asked)
    told = boxed("run", "--json", *words, "-c", "print(1)")
    assert told.returncode == 125
    assert json.loads(told.stdout) == {"error": {"code": raised.value.code, "message": raised.value.message}}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_sandbox_and_then_us(boxed: Sandlot, data: Path, number: signal.Signals) -> None:
    del boxed  # only whether boxes work here
    command = [
        sys.executable,
        "-m",
        "sandlot.cli.main",
        "run",
        "-c",
        "print('up', flush=True)\nwhile 1: pass",
    ]
    env = {**os.environ, "SANDLOT_DATA_DIRECTORY": str(data)}
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, env=env) as running:
        assert running.stdout is not None
        assert running.stdout.readline() == b"up\n"
        running.send_signal(number)
        assert running.wait(10) == 128 + number


def test_a_reader_that_goes_ends_the_program(boxed: Sandlot, data: Path) -> None:
    del boxed
    command = [sys.executable, "-m", "sandlot.cli.main", "run", "-c", "while 1: print('x' * 9999)"]
    env = {**os.environ, "SANDLOT_DATA_DIRECTORY": str(data)}
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, env=env) as running:
        assert running.stdout is not None
        assert running.stdout.read(10) == b"x" * 10
        running.stdout.close()
        assert running.wait(10) == 141


def alive(mark: str) -> list[str]:
    """The processes with *mark* in their command line, boxes included."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                command = (entry / "cmdline").read_bytes()
            except OSError:
                continue
            if mark.encode() in command:
                found.append(entry.name)
    return found


def test_kill_9_of_us_leaves_nothing(boxed: Sandlot, data: Path) -> None:
    del boxed
    nap = str(80_000_000 + os.getpid())
    line = f"(setsid sleep {nap} &) ; echo up; sleep {nap}"
    command = [sys.executable, "-m", "sandlot.cli.main", "run", "--", "/bin/sh", "-c", line]
    env = {**os.environ, "SANDLOT_DATA_DIRECTORY": str(data)}
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, env=env) as running:
        assert running.stdout is not None
        assert running.stdout.readline() == b"up\n"
        assert alive(nap)
        running.kill()
    deadline = time.monotonic() + 2.0
    while alive(nap) and time.monotonic() < deadline:
        os.sched_yield()
    assert not alive(nap)


def test_a_program_that_reads_nothing_does_not_wait_for_our_input(boxed: Sandlot, data: Path) -> None:
    del boxed
    command = [sys.executable, "-m", "sandlot.cli.main", "run", "-c", "print(1)"]
    env = {**os.environ, "SANDLOT_DATA_DIRECTORY": str(data)}
    reading, writing = os.pipe()
    told = subprocess.run(command, stdin=reading, capture_output=True, check=True, env=env, timeout=20)
    os.close(reading)
    os.close(writing)
    assert told.stdout == b"1\n"


def test_input_arrives_as_it_comes(boxed: Sandlot, data: Path) -> None:
    del boxed
    command = [
        sys.executable,
        "-m",
        "sandlot.cli.main",
        "run",
        "-c",
        "print(input(), flush=True); print(input())",
    ]
    env = {**os.environ, "SANDLOT_DATA_DIRECTORY": str(data)}
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, env=env, bufsize=0) as running:
        assert running.stdin is not None
        assert running.stdout is not None
        for line in (b"one\n", b"two\n"):
            running.stdin.write(line)
            assert running.stdout.readline() == line
        assert running.wait(10) == 0
