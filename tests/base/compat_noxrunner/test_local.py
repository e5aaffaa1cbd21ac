from __future__ import annotations

import os
import re
import sys
import threading
import time
from pathlib import Path
from typing import Any, Dict, List, Optional

import pytest

from sandlot.compat.noxrunner import NoxRunnerClient
from sandlot.compat.noxrunner.backend import LocalBackend
from tests.base.compat_noxrunner.recorder import members

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="local mode is POSIX's")


@pytest.fixture
def base(tmp_path: Path) -> Path:
    return tmp_path.resolve() / "base"


@pytest.fixture
def backend(base: Path) -> LocalBackend:
    return LocalBackend(str(base))


def workspace(base: Path, name: str = "s") -> Path:
    return base / f"noxrunner_sandbox_{name}" / "workspace"


def run(backend: LocalBackend, *command: str, **options: Any) -> Dict[str, Any]:
    answer = backend.exec("s", list(command), **options)
    assert list(answer) == ["exitCode", "stdout", "stderr", "durationMs"]
    assert isinstance(answer.pop("durationMs"), int)
    return answer


def answer(exit_code: int, stdout: str = "", stderr: str = "") -> Dict[str, Any]:
    return {"exitCode": exit_code, "stdout": stdout, "stderr": stderr}


def test_warnings_are_red_and_on_standard_error(base: Path, capsys: pytest.CaptureFixture[str]) -> None:
    backend = LocalBackend(str(base))
    for _ in range(2):
        shown = capsys.readouterr()
        assert shown.out == ""
        assert "\033[91m" in shown.err
        assert "CRITICAL WARNING" in shown.err
        assert "SEVERE DATA LOSS" in shown.err
        run(backend, "echo", "hi")


def test_a_sandbox_is_a_directory(base: Path, backend: LocalBackend) -> None:
    made = backend.create_sandbox("s", 5, "image", "1", "1Gi", "2Gi")
    assert made["podName"] == "local-s"
    assert re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\+00:00Z$", made["expiresAt"])
    assert workspace(base).is_dir()
    assert backend.health_check() is True


@pytest.mark.parametrize(
    ("session", "directory"),
    [("a/b", "ab"), ("..", "default"), ("", "default"), ("\u00e9", "\u00e9"), ("a.b", "ab"), ("-_", "-_")],
)
def test_a_directory_is_named_by_what_is_left_of_the_id(
    base: Path, backend: LocalBackend, session: str, directory: str
) -> None:
    assert backend.create_sandbox(session)["podName"] == f"local-{session}"
    assert workspace(base, directory).is_dir()


def test_unknown_sandboxes(base: Path, backend: LocalBackend) -> None:
    assert backend.delete_sandbox("s") is False
    with pytest.raises(ValueError, match=r"^Sandbox s does not exist$"):
        backend.download_files("s")
    assert backend.touch("s") is True
    assert backend.wait_for_pod_ready("t") is True
    assert workspace(base, "t").is_dir()
    with pytest.raises(ValueError, match="no/where"):
        backend.download_files("s", "no/where")
    assert backend.delete_sandbox("s") is True
    assert not workspace(base).parent.exists()


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        (["echo", "hi"], answer(0, "hi\n")),
        (["sh", "-c", "echo o; echo e >&2; exit 3"], answer(3, "o\n", "e\n")),
        (["sh", "-c", "kill -9 $$"], answer(-9)),
        (["rm", "x"], answer(1, "", "Command not allowed: rm")),
        ([], answer(1, "", "Command not allowed: empty")),
        (["nope_x"], answer(127, "", "Command not found: nope_x")),
        (["./nope"], answer(127, "", "Command not found: ./nope")),
        (["printf", "a\\r\\nb"], answer(0, "a\nb")),
        (
            ["printf", "\\377"],
            answer(
                1,
                "",
                "Execution error: 'utf-8' codec can't decode byte 0xff in position 0: invalid start byte",
            ),
        ),
        (["/etc/passwd"], answer(1, "", "Execution error: [Errno 13] Permission denied: '/etc/passwd'")),
        (["echo", "a\0b"], answer(1, "", "Execution error: embedded null byte")),
    ],
    ids=ascii,
)
def test_commands(backend: LocalBackend, command: List[str], expected: Dict[str, Any]) -> None:
    assert run(backend, *command) == expected


@pytest.mark.parametrize(
    ("workdir", "inner"),
    [("/workspace", ""), ("/workspace/sub", ""), ("sub", "sub"), ("../..", ""), ("/etc", ""), ("", "")],
)
def test_the_working_directory(base: Path, backend: LocalBackend, workdir: str, inner: str) -> None:
    before = os.getcwd()
    assert run(backend, "pwd", workdir=workdir) == answer(0, f"{workspace(base) / inner}\n")
    assert os.getcwd() == before


def test_variables_come_from_the_caller_and_the_call(
    backend: LocalBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OF_THE_CALLER", "1")
    assert run(backend, "sh", "-c", "echo $OF_THE_CALLER $A", env={"A": "2"}) == answer(0, "1 2\n")


def test_commands_may_run_at_the_same_time_in_different_directories(
    base: Path, backend: LocalBackend
) -> None:
    seen: Dict[str, str] = {}
    script = "echo > ready; while [ ! -e ../go ]; do sleep 0.01; done; pwd"

    def one(name: str) -> None:
        seen[name] = backend.exec("s", ["sh", "-c", script], workdir=name)["stdout"]

    threads = [threading.Thread(target=one, args=(name,)) for name in ("a", "b")]
    for thread in threads:
        thread.start()
    wait_for(lambda: all((workspace(base) / name / "ready").exists() for name in ("a", "b")))
    assert os.getcwd() != str(workspace(base) / "a")
    (workspace(base) / "go").touch()
    for thread in threads:
        thread.join()
    assert seen == {name: f"{workspace(base) / name}\n" for name in ("a", "b")}


def wait_for(holds: Any, seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.01)


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


TREES = {
    "child": "sleep 60 & echo $! > one; wait",
    "session of its own": "setsid sh -c 'echo $$ > one; sleep 60' & wait",
    "orphan": "(sleep 60 & echo $! > one) ; sleep 60",
    "output held open": "sleep 60 & echo $! > one",
}


@pytest.mark.parametrize("script", TREES.values(), ids=list(TREES))
def test_a_timeout_ends_everything_the_command_started(
    base: Path, backend: LocalBackend, script: str
) -> None:
    expected = answer(124, "", "Command timed out after 1 seconds")
    assert run(backend, "sh", "-c", script, timeout_seconds=1) == expected
    pid = int((workspace(base) / "one").read_text())
    wait_for(lambda: not alive(pid))


def test_a_timeout_is_told_as_it_was_given(backend: LocalBackend) -> None:
    assert run(backend, "sleep", "9", timeout_seconds=0.2)["stderr"] == "Command timed out after 0.2 seconds"


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("a", "a"),
        ("d/b", "d/b"),
        ("/abs", "abs"),
        ("../up", "up"),
        ("x/../y", "y"),
        ("a..b", "a..b"),
        ("d/", "d"),
        ("./r", "r"),
        ("x//y", "x/y"),
        ("\u00e9", "\u00e9"),
        ("..", None),
        ("a/..", None),
        (".", None),
        ("", None),
    ],
)
def test_names_of_uploads(base: Path, backend: LocalBackend, name: str, place: Optional[str]) -> None:
    if place is None:
        with pytest.raises(IsADirectoryError):
            backend.upload_files("s", {name: "1"})
    else:
        assert backend.upload_files("s", {name: "1\u00e9"}) is True
        assert (workspace(base) / place).read_text(encoding="utf-8") == "1\u00e9"
        assert members(backend.download_files("s")) == [(place, 3)]


@pytest.mark.parametrize(
    ("dest", "place"), [("/workspace", "q"), ("dd/ee", "dd/ee/q"), ("/etc", "q"), ("../..", "q")]
)
def test_destinations_of_uploads(base: Path, backend: LocalBackend, dest: str, place: str) -> None:
    assert backend.upload_files("s", {"q": b"\xff"}, dest=dest) is True
    assert (workspace(base) / place).read_bytes() == b"\xff"


def test_an_upload_keeps_the_mode_of_what_it_replaces(base: Path, backend: LocalBackend) -> None:
    backend.upload_files("s", {"a": "old"})
    (workspace(base) / "a").chmod(0o600)
    backend.upload_files("s", {"a": "new"})
    found = workspace(base) / "a"
    assert (found.stat().st_mode & 0o777, found.read_text()) == (0o600, "new")


def test_an_upload_follows_no_link(base: Path, backend: LocalBackend, tmp_path: Path) -> None:
    backend.create_sandbox("s")
    target = tmp_path / "target"
    target.write_text("kept")
    (workspace(base) / "file").symlink_to(target)
    (workspace(base) / "folder").symlink_to(tmp_path)
    assert backend.upload_files("s", {"file": "new"}) is True
    with pytest.raises(OSError, match=r"directory|symbolic"):
        backend.upload_files("s", {"folder/escaped": "new"})
    assert target.read_text() == "kept"
    assert (workspace(base) / "file").read_text() == "new"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["base", "target"]


def test_an_upload_that_is_no_text_and_no_bytes_leaves_nothing(base: Path, backend: LocalBackend) -> None:
    with pytest.raises(TypeError):
        backend.upload_files("s", {"i": 5})  # type: ignore[dict-item]
    assert list(workspace(base).iterdir()) == []


def test_a_directory_that_is_somebody_elses_is_not_used(base: Path, backend: LocalBackend) -> None:
    base.mkdir()
    workspace(base).parent.symlink_to("/etc")
    with pytest.raises(PermissionError, match="remove it"):
        backend.create_sandbox("s")


def test_downloads_are_named_from_their_source(backend: LocalBackend) -> None:
    backend.upload_files("s", {"d/e/f": "1", "g": "22"})
    assert members(backend.download_files("s")) == [("g", 2), ("d/e/f", 1)]
    assert members(backend.download_files("s", "d")) == [("e/f", 1)]
    assert members(backend.download_files("s", "g")) == [("g", 2)]
    assert members(backend.download_files("s", "/etc")) == [("g", 2), ("d/e/f", 1)]


def test_the_client_speaks_to_it(tmp_path: Path) -> None:
    client = NoxRunnerClient(local_test=True)
    session = f"test-{os.getpid()}"
    try:
        assert client.exec_shell(session, "echo $0 | cat")["stdout"] == "sh\n"
        assert client.upload_files(session, {"p/q": "1"}) is True
        assert client.download_workspace(session, tmp_path / "out") is True
        assert (tmp_path / "out" / "p" / "q").read_text() == "1"
    finally:
        client.delete_sandbox(session)
    assert client.download_workspace(session, tmp_path / "none") is False
