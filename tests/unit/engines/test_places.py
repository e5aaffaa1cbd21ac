"""What boxes are made from (program, environment, mounts, descriptors), and that nothing of it is left."""

from __future__ import annotations

import asyncio
import json
import os
import resource
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path, PurePosixPath

import pytest

from sandlot.contracts import errors
from sandlot.contracts.command import Command
from sandlot.contracts.engine import Engine
from sandlot.contracts.result import Result, fold
from sandlot.contracts.spec import Mount, SandboxSpec
from sandlot.engines import registry
from sandlot.engines.bubblewrap.engine import BubblewrapEngine, install_line
from sandlot.environments import registry as environments
from sandlot.environments.environment import Bind

pytestmark = [pytest.mark.engine, pytest.mark.linux]

both = pytest.mark.parametrize("name", ["bubblewrap", "process"])


async def _once(name: str, spec: SandboxSpec, command: Command) -> Result:
    engine = registry.make(name)
    try:
        box = await engine.create(spec)
        events = [event async for event in box.run(command)]
        await box.close()
        return fold(events, engine=box.engine, isolation=box.isolation, enforced=box.enforced)
    finally:
        await engine.close()


@pytest.fixture
def shared() -> Iterator[Path]:
    """A directory that a box of another uid can read."""
    place = Path(tempfile.mkdtemp(prefix="sandlot-shared-"))
    place.chmod(0o755)
    yield place
    shutil.rmtree(place)


def test_without_the_program_the_engine_tells_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    line = install_line()
    assert any(manager in line for manager in ("apt-get install", "dnf install", "apk add"))
    monkeypatch.setenv("PATH", "/nonexistent")

    async def scene() -> tuple[bool, str | None]:
        engine = BubblewrapEngine()
        found = await engine.probe()
        with pytest.raises(errors.EngineUnavailable, match="install it with"):
            await engine.create(SandboxSpec())
        return found.works, found.remedy

    works, remedy = asyncio.run(scene())
    assert not works
    assert remedy is not None
    assert "bubblewrap" in remedy


def test_a_wall_nobody_knows_cannot_be_left_out() -> None:
    for name in ("bubblewrap", "process"):
        with pytest.raises(errors.Unsupported, match="moat"):
            registry.make(name, without=frozenset({"moat"}))


@both
def test_a_named_environments_python_runs_the_code(
    name: str, shared: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SANDLOT_DATA_DIRECTORY", str(shared))
    system = environments.get("system")
    folder = shared / "environments" / "mine"
    made = [str(system.host_interpreter), "-m", "venv", "--without-pip", str(folder / "tree")]
    subprocess.run(made, check=True, capture_output=True)
    packages = next((folder / "tree" / "lib").glob("python*")) / "site-packages"
    (packages / "treasure.py").write_text("HERE = 'of the environment'\n")
    mine = replace(
        system,
        name="mine",
        interpreter="/env/bin/python",
        binds=(Bind(folder / "tree", "/env"),),
    )
    (folder / "environment.json").write_text(json.dumps(mine.to_json()))
    spec = SandboxSpec(environment="mine")
    code = asyncio.run(_once(name, spec, Command(code="import treasure; print(treasure.HERE)")))
    assert code.text == "of the environment\n", code.errors
    argv = asyncio.run(_once(name, spec, Command(argv=("python", "-c", "import treasure; print(1)"))))
    assert argv.text == "1\n", argv.errors


def test_a_mount_is_shown_and_cannot_be_written(shared: Path) -> None:
    (shared / "data").write_text("shown")
    (shared / "data").chmod(0o644)
    spec = SandboxSpec(mounts=(Mount(str(shared), PurePosixPath("/mnt/in")),))
    line = Command.shell("cat /mnt/in/data; echo x > /mnt/in/data || echo refused")
    assert asyncio.run(_once("bubblewrap", spec, line)).text == "shownrefused\n"


@pytest.mark.skipif(os.geteuid() != 0, reason="a user's box has the user's own rights")
def test_a_mount_the_box_could_not_read_is_refused(shared: Path) -> None:
    (shared / "closed").mkdir(mode=0o700)
    for source in (shared / "closed", shared / "missing"):
        spec = SandboxSpec(mounts=(Mount(str(source), PurePosixPath("/mnt/in")),))
        with pytest.raises(errors.InvalidSpec):
            asyncio.run(_once("bubblewrap", spec, Command(argv=("true",))))


def test_mounts_are_refused_where_they_cannot_be_made() -> None:
    spec = SandboxSpec(mounts=(Mount("/usr", PurePosixPath("/mnt/in")),))
    with pytest.raises(errors.Unsupported, match="mounts"):
        asyncio.run(_once("process", spec, Command(argv=("true",))))


@both
def test_without_descriptors_no_box_starts_and_none_are_lost(name: str) -> None:
    async def scene() -> tuple[int, int]:
        engine = registry.make(name)
        try:
            await (await engine.create(SandboxSpec())).close()
            before = len(os.listdir("/proc/self/fd"))
            soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
            resource.setrlimit(resource.RLIMIT_NOFILE, (before + 3, hard))
            try:
                with pytest.raises(errors.StartFailed):
                    await engine.create(SandboxSpec())
            finally:
                resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
            await (await engine.create(SandboxSpec())).close()
            return before, len(os.listdir("/proc/self/fd"))
        finally:
            await engine.close()

    before, after = asyncio.run(scene())
    assert after <= before


@both
def test_boxes_made_at_the_same_time_are_apart_and_leave_nothing(name: str) -> None:
    async def one(engine: Engine, number: int) -> bytes:
        box = await engine.create(SandboxSpec())
        try:
            line = Command.shell(f"echo {number} > $HOME/mine; sleep 0.1; cat $HOME/*; ls $HOME | wc -l")
            events = [event async for event in box.run(line)]
            return b"".join(getattr(event, "data", b"") for event in events)
        finally:
            await box.close()

    async def scene() -> tuple[list[bytes], int, int]:
        engine = registry.make(name)
        try:
            await one(engine, 0)
            before = len(os.listdir("/proc/self/fd"))
            said = await asyncio.gather(*(one(engine, number) for number in range(5)))
            return list(said), before, len(os.listdir("/proc/self/fd"))
        finally:
            await engine.close()

    said, before, after = asyncio.run(scene())
    assert said == [b"%d\n1\n" % number for number in range(5)]
    assert after <= before
