from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.base.client.twins import AsyncTwin, Twin
from tests.unit.client.places import Place
from tests.unit.local.machine import data_directory, obstacle

_SERVE = "from sandlot.cli.main import main; raise SystemExit(main())"


@pytest.fixture(scope="module")
def data() -> Iterator[Path]:
    cause = obstacle()
    if cause is not None:
        pytest.skip(f"bubblewrap does not work here: {cause}")
    with data_directory() as place:
        yield place


@pytest.fixture(scope="module")
def url(data: Path) -> Iterator[str]:
    """A real server on a free port of this machine."""
    pytest.importorskip("uvicorn", reason="the server needs its extra")
    environ = {**os.environ, "SANDLOT_DATA_DIRECTORY": str(data / "server"), "SANDLOT_PORT": "0"}
    (data / "server").mkdir(mode=0o755)
    command = [sys.executable, "-c", _SERVE, "serve"]
    with subprocess.Popen(command, env=environ, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL) as server:
        try:
            assert server.stderr is not None
            for line in server.stderr:
                told = json.loads(line)
                if "url" in told:
                    yield told["url"]
                    break
            else:
                pytest.fail("the server ended before it listened")
        finally:
            server.terminate()
            server.communicate(timeout=30)


@pytest.fixture(params=["sync", "async"])
def twin(request: pytest.FixtureRequest) -> Iterator[Twin]:
    if request.param == "sync":
        yield Twin()
        return
    made = AsyncTwin()
    yield made
    made.close()


@pytest.fixture(params=["here", "there"])
def place(
    request: pytest.FixtureRequest, twin: Twin, data: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Place]:
    """Where sandboxes are made: in this process, or on a server."""
    monkeypatch.setenv("SANDLOT_DATA_DIRECTORY", str(data))
    made = Place(twin, request.getfixturevalue("url") if request.param == "there" else None)
    yield made
    made.close()
