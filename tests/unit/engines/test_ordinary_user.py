"""Both engines as an ordinary user, from a copy of the package that such a user can read."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

import sandlot

pytestmark = [
    pytest.mark.engine,
    pytest.mark.linux,
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs uid 0 to become somebody else"),
]

SOMEBODY = 54_321

PROGRAM = """
import asyncio, sys
from sandlot.contracts.command import Command
from sandlot.contracts.errors import Unsupported
from sandlot.contracts.paths import WORKSPACE
from sandlot.contracts.quantity import Bytes, Seconds
from sandlot.contracts.result import fold
from sandlot import settings
from sandlot.contracts.spec import KeptWorkspace, Limits, SandboxSpec, WorkspaceKind
from sandlot.engines import registry
from sandlot.keeper.storage import WorkspaceStore

async def result_of(box, command):
    events = [event async for event in box.run(command)]
    return fold(events, engine=box.engine, isolation=box.isolation, enforced=box.enforced)

async def keeps(engine):
    store = WorkspaceStore(settings.load().data_directory / "workspaces")
    kinds = store.kinds()
    assert "root" in kinds[WorkspaceKind.IMAGE], kinds
    assert kinds[WorkspaceKind.DIRECTORY] is None, kinds
    store.create("kept", WorkspaceKind.DIRECTORY, 0, 0)
    for kept in ("", "closed\\nfile\\n"):
        spec = SandboxSpec(workspace=KeptWorkspace("kept", WorkspaceKind.DIRECTORY))
        box = await engine.create(spec)
        flags = await result_of(box, Command.shell("grep /workspace /proc/self/mountinfo"))
        assert "nosuid,nodev" in flags.text, flags
        told = await result_of(box, Command.shell("ls; echo > file; mkdir -m 0 closed; chmod 0 ."))
        assert told.text == kept, told
        assert "disk" not in box.enforced, box.enforced
        await box.close()
    try:
        await engine.create(SandboxSpec(workspace=KeptWorkspace("kept", WorkspaceKind.IMAGE)))
        raise AssertionError("an ordinary user mounted an image")
    except Unsupported as error:
        assert "only root may mount" in error.message, error
    store.remove("kept")
    assert store.names() == []

async def main(name):
    engine = registry.make(name)
    try:
        found = await engine.probe()
        if not found.works:
            print("unavailable:", found.cause)
            return
        box = await engine.create(SandboxSpec())
        assert (await result_of(box, Command(code="print(1)"))).stdout == b"1\\n"
        assert (await result_of(box, Command.shell("exit 3"))).exit_code == 3
        slow = await result_of(box, Command(code="while True: pass", timeout=Seconds(0.2)))
        assert slow.reason.value == "timeout", slow
        told = await result_of(box, Command(code="import os; print(os.getuid()); open('f', 'w').write('x')"))
        assert told.ok, told
        assert [entry["name"] async for entry in box.list(WORKSPACE)] == ["f"]
        assert b"".join([data async for data in box.get(WORKSPACE)])
        shadow = await result_of(box, Command.shell("cat /etc/shadow; touch /usr/x /var/tmp/../x; ls /home"))
        assert not shadow.stdout, shadow
        await box.close()
        await keeps(engine)
        if "cgroup.memory" not in found.enforced:
            try:
                await engine.create(SandboxSpec(limits=Limits(memory=Bytes(2**28))))
                raise AssertionError("a memory limit was promised without a control group")
            except Unsupported as error:
                assert "limit_memory" in error.message
        print("works:", " ".join(found.enforced))
    finally:
        await engine.close()

asyncio.run(main(sys.argv[1]))
"""


@pytest.fixture(scope="module")
def copy() -> Iterator[Path]:
    place = Path(tempfile.mkdtemp(prefix="sandlot-copy-"))
    try:
        shutil.copytree(
            Path(sandlot.__file__).parent, place / "sandlot", ignore=shutil.ignore_patterns("__pycache__")
        )
        (place / "home").mkdir()
        for path in (place, *place.rglob("*")):
            path.chmod(0o755 if path.is_dir() else 0o644)
        os.chown(place / "home", SOMEBODY, SOMEBODY)
        yield place
    finally:
        shutil.rmtree(place)


@pytest.mark.parametrize("engine", ["bubblewrap", "process"])
def test_an_ordinary_user_has_boxes_too(copy: Path, engine: str) -> None:
    done = subprocess.run(
        [os.path.realpath(sys.executable), "-S", "-c", PROGRAM, engine],
        env={"PATH": os.defpath, "HOME": str(copy / "home"), "PYTHONPATH": str(copy)},
        cwd=copy,
        user=SOMEBODY,
        group=SOMEBODY,
        extra_groups=[],
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    if done.stdout.startswith("unavailable:"):
        pytest.skip(done.stdout.strip())
    walls = done.stdout.split()[1:]
    assert {"seccomp", "landlock", "no_new_privs", "network"} <= set(walls)
    assert ("namespaces" in walls) == (engine == "bubblewrap")
