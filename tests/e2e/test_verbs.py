"""The client verbs from the bare wheel, with no other package, on the oldest and newest promised Python."""

from __future__ import annotations

import json
import os
import subprocess
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandlot.testing.servers import RunningServer, running_server
from tests.e2e.interpreters import find

pytestmark = [pytest.mark.engine, pytest.mark.needs_engine("bubblewrap"), pytest.mark.timeout(120)]
VERSIONS = [pytest.param(version, marks=pytest.mark.needs_python(version)) for version in ("3.8", "3.13")]
VERBS = ["create", "exec", "shell", "upload", "download", "touch", "delete", "ls", "ps", "logs", "health"]


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    with running_server() as running:
        yield running


class Line:
    """The command line on one Python, from what the wheel holds and nothing else."""

    def __init__(self, python: Path, unpacked: Path, server: RunningServer, folder: Path) -> None:
        ours = ("PYTHON", "SANDLOT_", "NOXRUNNER_")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
        self._env = {**kept, "PYTHONPATH": str(unpacked), "SANDLOT_URL": server.url}
        self._command = [str(python), "-S", "-W", "error", "-m", "sandlot.cli.main"]
        self._folder = folder

    def __call__(self, *words: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            [*self._command, *words],
            input=stdin,
            capture_output=True,
            check=False,
            cwd=self._folder,
            env=self._env,
            timeout=50,
        )


@pytest.fixture(scope="module")
def unpacked(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel as a folder, where bytecode is kept: a packed one is compiled at every start."""
    folder = tmp_path_factory.mktemp("unpacked")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder


@pytest.fixture(params=VERSIONS)
def line(request: pytest.FixtureRequest, unpacked: Path, server: RunningServer, tmp_path: Path) -> Line:
    python = find(request.param)
    if python is None:
        pytest.skip(f"no Python {request.param} on PATH, of pyenv or of uv")
    return Line(python, unpacked, server, tmp_path)


def test_a_day_with_a_sandbox(line: Line, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data/numbers").write_bytes(os.urandom(1_000_000))
    assert line("health", "--wait", "30s").returncode == 0
    assert line("create", "day", "--ttl", "5m").stdout.startswith(b"day  zygote  namespace  expires in 5m")
    told = line("exec", "day", "--", "sh", "-c", "cat; echo two >&2; exit 3", stdin=b"one")
    assert (told.stdout, told.stderr, told.returncode) == (b"one", b"two\n", 3)
    assert line("upload", "day", "data").returncode == 0
    name = line("exec", "-d", "day", "--", "wc", "-c", "data/numbers").stdout.decode().strip()
    assert line("logs", "-f", "day", name).stdout.split() == [b"1000000", b"data/numbers"]
    assert json.loads(line("ps", "day", "--json").stdout)["processes"][0]["id"] == name
    assert line("download", "day", "/workspace/data", "--to", "back").returncode == 0
    assert (tmp_path / "back/numbers").read_bytes() == (tmp_path / "data/numbers").read_bytes()
    assert line("download", "day", "-o", "all.tar.gz").returncode == 0
    assert line("touch", "day").returncode == 0
    assert [each["id"] for each in json.loads(line("ls", "--json").stdout)["sandboxes"]] == ["day"]
    assert line("delete", "day").returncode == 0
    assert line("exec", "day", "--", "true").returncode == 125


def test_every_verb_has_help_there(line: Line) -> None:
    for verb in VERBS:
        told = line(verb, "--help")
        assert (told.returncode, told.stderr) == (0, b""), verb
        assert told.stdout.startswith(f"usage: sandlot {verb} ".encode())
