from __future__ import annotations

import ast
import subprocess
import zipfile
from pathlib import Path

import pytest

from sandlot.environments import agent, registry
from sandlot.environments.environment import Environment

pytestmark = pytest.mark.skipif(not registry.SYSTEM_PYTHON.exists(), reason="no /usr/bin/python3 here")


@pytest.fixture
def system(tmp_path: Path) -> Environment:
    return registry.get("system", tmp_path)


def test_the_archive_is_stored_bytecode_readable_by_all(system: Environment, tmp_path: Path) -> None:
    path = agent.archive_for(system, tmp_path)
    assert path.stat().st_mode & 0o777 == 0o644
    with zipfile.ZipFile(path) as archive:
        assert {entry.compress_type for entry in archive.infolist()} == {zipfile.ZIP_STORED}
        assert all(name.endswith(".pyc") for name in archive.namelist())
        # PEP 552: flags 0b01 mean that the source is never looked for.
        assert {archive.read(name)[4] for name in archive.namelist()} == {1}


def test_the_same_sources_are_compiled_once(system: Environment, tmp_path: Path) -> None:
    path = agent.archive_for(system, tmp_path)
    before = path.stat().st_mtime_ns
    assert agent.archive_for(system, tmp_path) == path
    assert path.stat().st_mtime_ns == before


def test_what_is_shipped_needs_nothing_else_of_ours() -> None:
    shipped = agent.sources()
    rooms = {name.split("/")[1] for name in shipped if name.count("/") == 2}
    assert rooms == {"guest", "walls", "wire"}
    for name, source in shipped.items():
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("sandlot"):
                assert (node.module or "").split(".")[1] in rooms, name


def test_the_interpreter_finds_the_agent_in_it(system: Environment, tmp_path: Path) -> None:
    path = agent.archive_for(system, tmp_path)
    python, *flags, start = agent.command(system, str(path))
    assert (python, flags) == (system.interpreter, ["-I", "-S", "-c"])
    found = start.replace("import main; sys.exit(main())", "import main; print(main.__module__)")
    told = subprocess.run([python, *flags, found], capture_output=True, text=True, check=True, cwd="/")
    assert told.stdout == "sandlot.guest.__main__\n"
