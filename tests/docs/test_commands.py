"""Every command in README and docs does what it says: each fenced block is executed here.

A block stands alone, unless its page says that its blocks are one session: then they run one after the other
in one shell, so that a page can start a server and end it.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
SESSION = "<!-- session: the blocks of this page run one after the other -->"
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)

# Setting everything up from inside the suite that it sets up would not end; .ci/run runs both itself.
_RUN_BY_CI = {"make run", "make test"}


def is_session(page: Path) -> bool:
    """Whether the blocks of *page* belong together."""
    return SESSION in page.read_text(encoding="utf-8")


def blocks_of(page: Path) -> Iterator[tuple[str, str, str]]:
    """(page:line, language, text) of every fenced block of *page*."""
    text = page.read_text(encoding="utf-8")
    for match in _BLOCK.finditer(text):
        line = text[: match.start()].count("\n") + 1
        yield f"{page.relative_to(ROOT)}:{line}", match[1], match[2]


def blocks(language: str) -> list[tuple[str, str]]:
    """(page:line, text) of every fenced block of *language* that stands alone."""
    alone = [page for page in PAGES if not is_session(page)]
    return [(where, text) for page in alone for where, found, text in blocks_of(page) if found == language]


def session(page: Path) -> str:
    """The blocks of *page* as one script, which says on standard error where it is."""
    script = []
    for where, language, text in blocks_of(page):
        if language in ("sh", "python"):
            script.append(f"echo '# {where}' >&2\n")
            script.append(text if language == "sh" else f"python3 - <<'END OF BLOCK'\n{text}END OF BLOCK\n")
    return "".join(script)


def commands(block: str) -> list[str]:
    """The block's lines without comments."""
    return [line.split("  #")[0].strip() for line in block.splitlines() if line.strip()]


@contextlib.contextmanager
def environment() -> Iterator[dict[str, str]]:
    """Variables with this interpreter's scripts first on PATH, and a place apart for state and sockets.

    What a page starts at port 8080 listens at a socket there: the port may be somebody's.
    """
    place = Path(tempfile.mkdtemp(prefix="sandlot-docs-"))  # short enough for a socket's name
    place.chmod(0o755)  # boxes read below it
    socket = place / "server.sock"
    (place / ".curlrc").write_text(f'unix-socket = "{socket}"\n', encoding="utf-8")
    try:
        yield {
            **os.environ,
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "SANDLOT_UNIX": str(socket),
            "SANDLOT_URL": f"unix://{socket}",
            "SANDLOT_DATA_DIRECTORY": str(place / "data"),
            "SANDLOT_RUNTIME_DIRECTORY": str(place / "run"),
            "CURL_HOME": str(place),
            "JUPYTER_DATA_DIR": str(place / "jupyter"),
            "JUPYTER_RUNTIME_DIR": str(place / "run" / "jupyter"),
            "JUPYTER_PLATFORM_DIRS": "1",
        }
    finally:
        shutil.rmtree(place)


@pytest.fixture(scope="module")
def shared() -> Iterator[dict[str, str]]:
    with environment() as variables:
        yield variables


@pytest.fixture
def own() -> Iterator[dict[str, str]]:
    with environment() as variables:
        yield variables


def succeeds(command: list[str], folder: Path, variables: dict[str, str], seconds: float) -> None:
    """Run *command* to its end; nothing that it started is left, whatever came of it."""
    output = folder / "output of the page"
    with output.open("wb") as told:
        running = subprocess.Popen(
            command,
            cwd=folder,
            env=variables,
            stdin=subprocess.DEVNULL,
            stdout=told,
            stderr=told,
            start_new_session=True,
        )
        try:
            code = running.wait(seconds)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(running.pid, signal.SIGKILL)
    assert code == 0, output.read_text(encoding="utf-8", errors="replace")


BASH = ["bash", "-euo", "pipefail", "-c"]
SHELL = blocks("sh")
PYTHON = blocks("python")
SESSIONS = [page for page in PAGES if is_session(page)]


@pytest.mark.timeout(300)
@pytest.mark.parametrize("block", [text for _, text in SHELL], ids=[where for where, _ in SHELL])
def test_shell_block_runs(block: str, tmp_path: Path, shared: dict[str, str]) -> None:
    if set(commands(block)) <= _RUN_BY_CI:
        ci = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
        assert all(command in ci for command in commands(block))
        return
    succeeds([*BASH, block], tmp_path, shared, 280)


@pytest.mark.timeout(150)
@pytest.mark.parametrize("block", [text for _, text in PYTHON], ids=[where for where, _ in PYTHON])
def test_python_block_runs(block: str, tmp_path: Path, shared: dict[str, str]) -> None:
    succeeds([sys.executable, "-c", block], tmp_path, shared, 120)


@pytest.mark.timeout(200)
@pytest.mark.parametrize("page", SESSIONS, ids=[page.name for page in SESSIONS])
def test_session_runs(page: Path, tmp_path: Path, own: dict[str, str]) -> None:
    succeeds([*BASH, session(page)], tmp_path, own, 180)


def test_the_two_commands_come_first() -> None:
    where, text = SHELL[0]
    assert where == "README.md:3"
    assert [line.split()[:2] for line in text.splitlines()] == [["make", "run"], ["make", "test"]]
