"""Every command in README and docs does what it says: each fenced block is executed here."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)

# Setting everything up from inside the suite that it sets up would not end; .ci/run runs both itself.
_RUN_BY_CI = {"make run", "make test"}


def blocks(language: str) -> list[tuple[str, str]]:
    """(page:line, text) of every fenced block of *language* in the pages."""
    found = []
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for match in _BLOCK.finditer(text):
            if match[1] == language:
                line = text[: match.start()].count("\n") + 1
                found.append((f"{page.relative_to(ROOT)}:{line}", match[2]))
    return found


def commands(block: str) -> list[str]:
    """The block's lines without comments."""
    return [line.split("  #")[0].strip() for line in block.splitlines() if line.strip()]


def environment() -> dict[str, str]:
    """The caller's variables with this interpreter's scripts first on PATH."""
    return {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}


SHELL = blocks("sh")


@pytest.mark.timeout(300)
@pytest.mark.parametrize("block", [text for _, text in SHELL], ids=[where for where, _ in SHELL])
def test_shell_block_runs(block: str, tmp_path: Path) -> None:
    if set(commands(block)) <= _RUN_BY_CI:
        ci = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
        assert all(command in ci for command in commands(block))
        return
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", block],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=280,
        stdin=subprocess.DEVNULL,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


PYTHON = blocks("python")


@pytest.mark.parametrize("block", [text for _, text in PYTHON], ids=[where for where, _ in PYTHON])
def test_python_block_runs(block: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", block], cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_two_commands_come_first() -> None:
    where, text = SHELL[0]
    assert where == "README.md:3"
    assert [line.split()[:2] for line in text.splitlines()] == [["make", "run"], ["make", "test"]]
