from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, Dict, List, Optional

import pytest

import sandlot
from sandlot.compat.noxrunner.cli import main
from tests.base.compat_noxrunner.commands import OURS, SAME, SHELL, Line, prepare, serve
from tests.base.compat_noxrunner.recorder import Recorder

PACKAGE = Path(sandlot.__file__).resolve().parents[1]
COMMAND = [sys.executable, "-m", "sandlot.compat.noxrunner.cli"]
USAGE = [
    (["create", "s", "--ttl", "x"], "argument --ttl: invalid int value: 'x'"),
    (["create"], "the following arguments are required: session_id"),
    (["nope"], "invalid choice: 'nope'"),
    (["upload", "s", "--dir", "dir", "f1"], "unrecognized arguments: f1"),
]


def environment(variables: Dict[str, str]) -> Dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("NOXRUNNER_")}
    return {**inherited, "PYTHONPATH": str(PACKAGE), "PYTHONIOENCODING": "utf-8", **variables}


def run(
    words: Any, variables: Dict[str, str], folder: Path, typed: str = ""
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *words],
        env=environment(variables),
        cwd=str(folder),
        input=typed,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )


def left(folder: Path) -> List[str]:
    """What was not there before, by relative name."""
    return sorted(
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if path.relative_to(folder).parts[0] not in ("dir", "empty", "f1")
    )


@pytest.mark.parametrize("line", [*SAME, *OURS], ids=lambda line: line.label)
def test_a_command_line(service: Recorder, line: Line, tmp_path: Path) -> None:
    prepare(tmp_path)
    done = run(line.words, serve(service, line), tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (line.exit_code, line.out, line.err)
    assert service.heard() == list(line.heard)
    assert left(tmp_path) == sorted(line.leaves)


@pytest.mark.parametrize("line", SHELL, ids=lambda line: line.label)
def test_the_shell(service: Recorder, line: Line, tmp_path: Path) -> None:
    done = run(line.words, serve(service, line), tmp_path, line.typed)
    greeting, _, rest = done.stdout.partition("\n\n")
    assert greeting.startswith("ℹ ")  # noqa: RUF001 - what is printed
    assert (done.returncode, rest, done.stderr) == (0, line.out, line.err)
    assert service.heard() == list(line.heard)


def test_the_shell_goes_on_after_a_failure(service: Recorder, tmp_path: Path) -> None:
    service.answers += [(404, b"no"), (404, b"no")]
    typed = 'help\nx\n"unbalanced\ntouch\n'
    done = run(["shell", "s"], {"NOXRUNNER_BASE_URL": service.url}, tmp_path, typed)
    assert done.returncode == 1
    assert all(word in done.stdout for word in ("exit", "quit", "touch", "help"))
    first, split, *rest = done.stderr.replace("\nResponse: no", "").splitlines()
    assert first == "✗ Execution failed: HTTP 404: HTTP Error 404: Not Found"
    assert split.endswith("No closing quotation")
    assert rest == ["✗ Unexpected error: HTTP 404: HTTP Error 404: Not Found"]


@pytest.mark.parametrize(("words", "complaint"), USAGE, ids=lambda value: str(value)[:20])
def test_arguments_without_sense_exit_with_two(
    words: List[str], complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as left_with:
        main(words)
    assert left_with.value.code == 2
    assert complaint in capsys.readouterr().err


def test_no_verb_shows_all_of_them(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 1
    shown = capsys.readouterr().out
    for verb in ("health", "create", "exec", "upload", "download", "touch", "delete", "shell"):
        assert f"\n    {verb} " in shown
    assert "NOXRUNNER_BASE_URL" in shown


@pytest.mark.parametrize("name", ["noxrunner", "noxrc"])
def test_both_names_are_told_in_the_usage(
    name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", [f"/somewhere/bin/{name}"])
    assert main() == 1
    assert capsys.readouterr().out.startswith(f"usage: {name} [-h]")


@pytest.mark.parametrize(
    ("words", "variable"),
    [([], ""), ([], " "), (["--base-url", ""], "http://x"), (["--base-url", " "], None)],
)
def test_a_blank_address_is_an_error(
    words: List[str],
    variable: Optional[str],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if variable is not None:
        monkeypatch.setenv("NOXRUNNER_BASE_URL", variable)
    assert main([*words, "health"]) == 1
    assert capsys.readouterr().err.startswith(
        "✗ Unexpected error: base_url is required unless local_test=True. "
    )


def test_verbose_shows_where_an_unexpected_error_came_from(
    service: Recorder, capsys: pytest.CaptureFixture[str]
) -> None:
    service.answers.append((200, b"[]"))
    assert main(["--base-url", service.url, "--verbose", "create", "s"]) == 1
    shown = capsys.readouterr().err
    assert shown.startswith("Traceback")
    assert shown.endswith("✗ Unexpected error: 'list' object has no attribute 'get'\n")


def test_a_variable_without_a_value_is_left_out_with_a_warning(
    service: Recorder, capsys: pytest.CaptureFixture[str]
) -> None:
    service.answers.append((200, b'{"exitCode": 0}'))
    assert main(["--base-url", service.url, "exec", "--env", "C", "s", "x"]) == 0
    assert capsys.readouterr().out.startswith("⚠ ")
    assert "env" not in service.heard()[0]


def test_interrupting_a_command_exits_with_130(service: Recorder, tmp_path: Path) -> None:
    started: List[subprocess.Popen[bytes]] = []

    def interrupt(_request: object) -> tuple[int, bytes]:
        started[0].send_signal(signal.SIGINT)
        started[0].wait(10)
        return 200, b"{}"

    service.reply = interrupt
    with open(tmp_path / "err", "wb") as errors:
        # Held back until the test knows the process.
        process = subprocess.Popen(
            [sys.executable, "-c", _AFTER_A_LINE, "--base-url", service.url, "exec", "s", "x"],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=errors,
            env=environment({}),
        )
        started.append(process)
        process.communicate(b"\n", timeout=20)
    assert process.returncode == 130
    assert (tmp_path / "err").read_text(encoding="utf-8").startswith("✗ Interrupted")


_AFTER_A_LINE = """
import sys
from sandlot.compat.noxrunner.cli import main
sys.stdin.readline()
sys.exit(main())
"""


def test_colours_only_where_somebody_is_watching(service: Recorder) -> None:
    ours, theirs = pty.openpty()
    command = [*COMMAND, "--base-url", service.url, "touch", "s"]
    subprocess.run(command, env=environment({}), stdout=theirs, stdin=theirs, check=True)
    os.close(theirs)
    try:
        assert os.read(ours, 100).decode() == "\033[0;32m✓ TTL extended\033[0m\r\n"
    finally:
        os.close(ours)


def test_local_mode(tmp_path: Path) -> None:
    session = f"cli-{os.getpid()}"

    def local(*words: str) -> tuple[int, str]:
        done = run(["--local-test", *words], {}, tmp_path)
        return done.returncode, done.stdout

    prepare(tmp_path)
    try:
        assert local("health") == (0, "✓ Manager is healthy\n")
        assert local("create", session) == (0, f"✓ Sandbox created: local-{session}\n")
        assert local("upload", session, "f1")[0] == 0
        assert local("exec", session, "sh", "-c", "cat f1; exit 4") == (4, "1")
        assert local("exec", session, "rm", "f1") == (1, "")
        # What a process made is not known to the next one.
        assert local("download", session) == (1, "ℹ Downloading files...\n")  # noqa: RUF001
        assert local("delete", session)[0] == 1
        assert local("touch", session) == (0, "✓ TTL extended\n")
    finally:
        from sandlot.compat.noxrunner.backend import LocalBackend

        backend = LocalBackend()
        backend.touch(session)
        backend.delete_sandbox(session)
