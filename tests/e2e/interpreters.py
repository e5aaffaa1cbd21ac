"""The Python interpreters of this machine, by version: on PATH, of pyenv and of uv; venvs of theirs."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

_VERSION = "import sys, venv, ensurepip; print('%d.%d' % sys.version_info[:2])"


@cache
def find(version: str) -> Path | None:
    """An interpreter of *version* ("3.8") that really starts and can make a venv, or None."""
    return next((path for path in _candidates(version) if _answers(path, version)), None)


def installed(folder: Path, version: str, *wanted: tuple[str, ...]) -> Path:
    """The Python of a new venv at *folder* that holds each of *wanted*, words for pip, from the index.

    Skips the test where those cannot be had. With our own pip: another one takes five seconds to unpack.
    """
    interpreter = find(version)
    if interpreter is None:
        pytest.skip(f"no Python {version} on PATH, of pyenv or of uv")
    made = [str(interpreter), "-I", "-m", "venv", "--without-pip", str(folder)]
    subprocess.run(made, check=True, capture_output=True)
    python = folder / "bin" / "python"
    pip = [sys.executable, "-I", "-m", "pip", "--python", str(python), "--disable-pip-version-check"]
    for words in wanted:
        command = [*pip, "install", "--no-compile", "--only-binary", ":all:", *words]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip(f"{words[-1]} cannot be fetched: {done.stderr.strip()[-200:]}")
    return python


def _candidates(version: str) -> Iterator[Path]:
    on_path = shutil.which(f"python{version}")
    if on_path:
        yield Path(on_path)
    for folder in (*_folder("pyenv", "root", below="versions"), *_folder("uv", "python", "dir", below=".")):
        yield from sorted(folder.glob(f"*/bin/python{version}"), reverse=True)


def _folder(*command: str, below: str) -> Iterator[Path]:
    """Where a tool keeps its interpreters, if the tool is here and answers."""
    if shutil.which(command[0]):
        answer = subprocess.run(command, capture_output=True, text=True, check=False)
        if answer.returncode == 0 and answer.stdout.strip():
            yield Path(answer.stdout.strip()) / below


def _answers(path: Path, version: str) -> bool:
    """Shims exist for versions that are switched off, so only an answer counts."""
    try:
        answer = subprocess.run(
            [path, "-I", "-c", _VERSION], capture_output=True, text=True, check=False, timeout=30
        )
    except OSError:
        return False
    return answer.returncode == 0 and answer.stdout.strip() == version
