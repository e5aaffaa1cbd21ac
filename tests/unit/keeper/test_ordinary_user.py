from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

import sandlot
from tests.unit.keeper.witness import IS_ROOT

pytestmark = [pytest.mark.linux, pytest.mark.root, pytest.mark.skipif(not IS_ROOT, reason="needs uid 0")]

NOBODY = 65_534

PROGRAM = """
import asyncio, os, select, signal, sys
from pathlib import Path
from sandlot.contracts.errors import Conflict, Unsupported
from sandlot.contracts.spec import WorkspaceKind
from sandlot.keeper.client import Keeper
from sandlot.keeper.launch import KeptMount, Launch, WorkspaceMount
from sandlot.keeper.storage import WorkspaceStore

RUN = Path(sys.argv[1], "run")
SLEEP = Launch(("/bin/sleep", "1000"), identity="own")

def family(pid):
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(one for child in children for one in family(int(child)))]

async def output_of(keeper, launch, null):
    readable, writable = os.pipe()
    box = await keeper.spawn(launch, (null, writable, writable))
    os.close(writable)
    told = await box.exit
    assert told.wait_status == 0, told
    with os.fdopen(readable) as output:
        return output.read()

async def keeps(keeper, null):
    store = WorkspaceStore(Path(sys.argv[1], "store"))
    assert store.kinds()[WorkspaceKind.DIRECTORY] is None, store.kinds()
    store.create("kept", WorkspaceKind.DIRECTORY, 0, 0)
    argv = ("/bin/sh", "-c", "cd $1 && ls -A && echo > f && chmod 0 .", "sh", "{workspace}")
    kept = KeptMount("kept", "directory")
    launch = Launch(argv, {"PATH": "/usr/bin:/bin"}, "own", kept=kept)
    assert await output_of(keeper, launch, null) == ""
    assert await output_of(keeper, launch, null) == "f\\n"
    sleeping = Launch(SLEEP.argv, identity="own", kept=kept)
    box = await keeper.spawn(sleeping, (null, null, null))
    try:
        await keeper.spawn(launch, (null, null, null))
        raise AssertionError("two boxes have one workspace")
    except Conflict as error:
        assert "another box" in error.message
    await box.kill()
    store.remove("kept")

async def main():
    null = os.open(os.devnull, os.O_RDWR)
    mounts = Path("/proc/self/mountinfo").read_text()
    keeper = await Keeper.start(run_directory=RUN, store=Path(sys.argv[1], "store"), privileged=False)
    powers = keeper.powers
    assert not powers.uid_switch
    print("namespaces" if powers.pid_namespace else f"plain: {powers.missing}")
    for wrong in (Launch(SLEEP.argv), Launch(SLEEP.argv, identity="own", memory=1 << 26)):
        try:
            await keeper.spawn(wrong, (null, null, null))
            assert wrong.memory and "memory" in powers.controllers
        except Unsupported as error:
            print(error.message)
    script = "grep -E '^(Uid|CapEff)' /proc/self/status; test -z $1 || stat -f -c '%c files' $1"
    workspace = WorkspaceMount(1 << 20, 50) if powers.workspace else None
    mark = ("sh", "{workspace}") if workspace else ("sh", "")
    launch = Launch(("/bin/sh", "-c", script, *mark), {"PATH": "/usr/bin:/bin"}, "own", workspace=workspace)
    told = await output_of(keeper, launch, null)
    assert f"Uid:\\t{os.getuid()}" in told, told
    assert "CapEff:\\t0000000000000000" in told, told
    assert workspace is None or "50 files" in told, told
    if powers.workspace:
        await keeps(keeper, null)
    boxes = [await keeper.spawn(SLEEP, (null, null, null)) for _ in range(2)]
    watched = [os.pidfd_open(pid) for pid in family(keeper.stub_pid)]
    await boxes[0].kill()
    os.kill(family(keeper.stub_pid)[1 if powers.pid_namespace else 0], signal.SIGKILL)
    async with asyncio.timeout(2):
        assert (await boxes[1].exit).cause == "keeper_died"
    await keeper.close()
    for pidfd in watched:
        assert select.select([pidfd], [], [], 2)[0]
    assert Path("/proc/self/mountinfo").read_text() == mounts
    assert list(RUN.rglob("*")) == []
    print("done")

asyncio.run(main())
"""


def test_an_ordinary_users_keeper_keeps_the_same_promises() -> None:
    with tempfile.TemporaryDirectory(prefix="sandlot-user-", dir="/tmp") as name:
        shutil.copytree(Path(sandlot.__file__).parent, Path(name, "sandlot"))
        os.chown(name, NOBODY, NOBODY)
        finished = subprocess.run(
            [_public_interpreter(), "-c", PROGRAM, name],
            cwd=name,
            env={"PATH": "/usr/bin:/bin"},
            user=NOBODY,
            group=NOBODY,
            extra_groups=[],
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
    assert finished.stderr == ""
    assert finished.stdout.splitlines()[-1:] == ["done"]
    assert "identity box" in finished.stdout


def _public_interpreter() -> str:
    """The interpreter behind this one, or the distribution's, whichever another user can run."""
    for candidate in (os.path.realpath(sys.executable), "/usr/bin/python3"):
        probe = [candidate, "-c", "import sys; sys.exit(sys.version_info < (3, 11))"]
        try:
            if subprocess.run(probe, user=NOBODY, group=NOBODY, extra_groups=[], check=False).returncode == 0:
                return candidate
        except OSError:
            continue
    pytest.skip("no Python 3.11 here that another user can run")
