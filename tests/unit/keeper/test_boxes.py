from __future__ import annotations

import asyncio
import os
import signal
import time
from dataclasses import replace
from pathlib import Path

import pytest

from sandlot.contracts.errors import InvalidSpec, StartFailed, Unsupported
from sandlot.keeper.client import Keeper
from sandlot.keeper.launch import Launch, WorkspaceMount
from tests.unit.keeper.witness import IS_ROOT, SLEEP, are_gone, family, groups_of, launch, pipe, watched

pytestmark = pytest.mark.linux


async def output_of(keeper: Keeper, wanted: Launch, null: int) -> str:
    """What a box writes to its 1 and 2 until it ends, with status 0."""
    with pipe() as (readable, writable):
        box = await keeper.spawn(wanted, (null, writable, writable))
        assert (await box.exit).wait_status == 0
        return os.read(readable, 65_536).decode()


def test_a_box_reads_and_writes_through_its_pipes(run_directory: Path, null: int) -> None:
    async def scenario() -> None:
        async with await Keeper.start(run_directory=run_directory) as keeper:
            with pipe() as (theirs, ours), pipe() as (readable, writable):
                box = await keeper.spawn(launch("/bin/cat"), (theirs, writable, null))
                os.write(ours, b"through the pipes")
                assert os.read(readable, 100) == b"through the pipes"
                await box.kill()

    asyncio.run(scenario())


def test_a_box_has_exactly_the_given_environment_directory_mask_and_descriptors(
    run_directory: Path, null: int
) -> None:
    script = (
        'tr "\\0" "\\n" </proc/self/environ; readlink /proc/self/cwd; umask; ls /proc/$$/fd; '
        "grep ^Sig[BI] /proc/self/status"
    )
    wanted = replace(
        launch("/bin/sh", "-c", script), env={"A": "1", "PATH": "/usr/bin:/bin"}, extra_fds=(9, 5)
    )

    async def scenario() -> str:
        async with await Keeper.start(run_directory=run_directory) as keeper:
            with pipe() as (readable, writable):
                box = await keeper.spawn(wanted, (null, writable, writable, null, null))
                assert (await box.exit).wait_status == 0
                return os.read(readable, 65_536).decode()

    lines = asyncio.run(scenario()).split()
    assert lines[:4] == ["A=1", "PATH=/usr/bin:/bin", "/", "0077"]
    assert [line for line in lines[4:] if line.isdigit() and len(line) < 4] == ["0", "1", "2", "5", "9"]
    # 32 and 33 are glibc's own: its posix_spawn (make uses it) leaves them ignored; nobody can undo that.
    blocked, ignored = (int(lines[place], 16) & ~(0b11 << 31) for place in (-3, -1))
    assert (lines[-4], blocked, lines[-2], ignored) == ("SigBlk:", 0, "SigIgn:", 0)


def test_a_box_sees_only_what_the_keeper_keeps(run_directory: Path, null: int) -> None:
    async def scenario() -> None:
        async with await Keeper.start(run_directory=run_directory) as keeper:
            if not keeper.powers.pid_namespace:
                pytest.skip(f"no pid namespace here: {keeper.powers.missing}")
            listed = await output_of(keeper, launch("/bin/sh", "-c", "ls -d /proc/[0-9]*"), null)
            assert len(listed.split()) <= 3  # the keeper, the shell, ls

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("script", "status"),
    [("exit 7", 7 << 8), ("kill -9 $$", signal.SIGKILL), ("kill -TERM $$", signal.SIGTERM)],
)
def test_the_end_of_a_box_is_told_as_its_wait_status(
    run_directory: Path, null: int, script: str, status: int
) -> None:
    async def scenario() -> None:
        async with await Keeper.start(run_directory=run_directory) as keeper:
            box = await keeper.spawn(launch("/bin/sh", "-c", script), (null, null, null))
            told = await box.exit
            assert (told.wait_status, told.cause) == (status, "exited")
            await box.kill()

    asyncio.run(scenario())


def test_a_kill_is_quick_complete_and_may_be_repeated(run_directory: Path, null: int) -> None:
    async def scenario() -> None:
        async with await Keeper.start(run_directory=run_directory) as keeper:
            box = await keeper.spawn(
                launch("/bin/sh", "-c", "setsid sleep 1000 & sleep 1000"), (null, null, null)
            )
            members = [os.pidfd_open(pid) for pid in family(keeper.stub_pid)[2:]]
            begun = time.monotonic()
            await asyncio.gather(box.kill(), box.kill())
            assert time.monotonic() - begun < 0.2
            assert (await box.exit).cause == "killed"
            assert are_gone(members, 0)
            assert groups_of(keeper.stub_pid) == []
            await box.kill()

    asyncio.run(scenario())


def test_orphans_end_with_their_box_and_neighbours_live(run_directory: Path, null: int) -> None:
    daemon = "(setsid sh -c 'echo; sleep 1000' &) ; read line"

    async def scenario() -> None:
        async with await Keeper.start(run_directory=run_directory) as keeper:
            neighbour = await keeper.spawn(launch(*SLEEP), (null, null, null))
            with pipe() as (theirs, ours), pipe() as (readable, writable):
                box = await keeper.spawn(launch("/bin/sh", "-c", daemon), (theirs, writable, null))
                os.read(readable, 1)  # the daemon runs
                members = [os.pidfd_open(pid) for pid in family(keeper.stub_pid)[3:]]
                os.write(ours, b"\n")
                assert (await box.exit).wait_status == 0
                assert are_gone(members, 0)
            assert not neighbour.exit.done()
            await neighbour.kill()

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("argv", "told"),
    [
        (("/nonexistent/program",), "No such file"),
        (("/etc/passwd",), "Permission"),
        (("/tmp",), "Permission"),
    ],
)
def test_what_cannot_be_executed_is_an_error_and_leaves_nothing(
    run_directory: Path, null: int, argv: tuple[str, ...], told: str
) -> None:
    async def scenario() -> None:
        async with await Keeper.start(run_directory=run_directory) as keeper:
            with pytest.raises(StartFailed, match=told):
                await keeper.spawn(launch(*argv), (null, null, null))
            assert len(family(keeper.stub_pid)) <= 2
            assert groups_of(keeper.stub_pid) == []

    asyncio.run(scenario())


def test_what_cannot_be_enforced_is_refused_by_name(run_directory: Path, null: int) -> None:
    wrong_identity = Launch(SLEEP, identity="own" if IS_ROOT else "box")

    async def scenario() -> None:
        async with await Keeper.start(run_directory=run_directory) as keeper:
            with pytest.raises(Unsupported, match="identity"):
                await keeper.spawn(wrong_identity, (null, null, null))
            if "memory" not in keeper.powers.controllers:
                with pytest.raises(Unsupported, match="memory limit"):
                    await keeper.spawn(launch(*SLEEP, memory=1 << 26), (null, null, null))

    asyncio.run(scenario())


def test_too_few_descriptors_and_too_long_arguments_are_refused(run_directory: Path, null: int) -> None:
    async def scenario() -> None:
        async with await Keeper.start(run_directory=run_directory) as keeper:
            with pytest.raises(InvalidSpec, match="descriptors"):
                await keeper.spawn(launch(*SLEEP), (null, null))
            with pytest.raises(InvalidSpec, match="65536"):
                await keeper.spawn(launch("/bin/echo", "x" * 70_000), (null, null, null))

    asyncio.run(scenario())


def test_many_boxes_start_and_end_at_the_same_time(run_directory: Path, null: int) -> None:
    async def scenario() -> None:
        async with await Keeper.start(run_directory=run_directory) as keeper:
            wanted = [launch("/bin/sh", "-c", f"exit {number}") for number in range(40)]
            boxes = await asyncio.gather(*(keeper.spawn(one, (null, null, null)) for one in wanted))
            ends = await asyncio.gather(*(box.exit for box in boxes))
            assert [told.wait_status >> 8 for told in ends] == list(range(40))
            assert groups_of(keeper.stub_pid) == []

    asyncio.run(scenario())


def test_a_flood_of_requests_is_answered_whole(run_directory: Path, null: int) -> None:
    async def scenario() -> None:
        async with await Keeper.start(run_directory=run_directory) as keeper:
            box = await keeper.spawn(launch(*SLEEP), (null, null, null))
            answers = await asyncio.gather(*(box.consumption() for _ in range(3000)))
            assert len(answers) == 3000
            await box.kill()

    asyncio.run(scenario())


def test_a_cancelled_spawn_leaves_no_box(run_directory: Path, null: int) -> None:
    async def scenario() -> None:
        async with await Keeper.start(run_directory=run_directory) as keeper:
            unwanted = [
                asyncio.ensure_future(keeper.spawn(launch(*SLEEP), (null, null, null))) for _ in range(5)
            ]
            await asyncio.sleep(0)
            for task in unwanted:
                task.cancel()
            await asyncio.wait(unwanted)
            kept = await keeper.spawn(launch(*SLEEP), (null, null, null))
            members = watched(family(keeper.stub_pid)[2:-1])
            assert await asyncio.to_thread(are_gone, members, 2)
            await kept.kill()

    asyncio.run(scenario())


def test_giving_up_the_wait_for_an_end_does_not_lose_it(run_directory: Path, null: int) -> None:
    async def scenario() -> None:
        async with await Keeper.start(run_directory=run_directory) as keeper:
            box = await keeper.spawn(launch(*SLEEP), (null, null, null))
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(box.exit, 0.01)
            await box.kill()
            assert (await box.exit).cause == "killed"

    asyncio.run(scenario())


def test_limits_of_processes_only_go_down(run_directory: Path, null: int) -> None:
    async def scenario() -> str:
        async with await Keeper.start(run_directory=run_directory) as keeper:
            wanted = replace(
                launch("/bin/sh", "-c", "ulimit -Hn; ulimit -Sn; ulimit -Hc"), rlimits={"nofile": 77}
            )
            return await output_of(keeper, wanted, null)

    assert asyncio.run(scenario()).split() == ["77", "77", "0"]


def test_a_workspace_is_bounded_private_and_invisible_to_the_host(run_directory: Path, null: int) -> None:
    script = (
        "stat -c '%a %u' $1; echo x >$1/one; head -c 2000000 /dev/zero >$1/two || echo full; "
        "id -u; stat -f -c %c $1"
    )
    wanted = launch("/bin/sh", "-c", script, "sh", "{workspace}", workspace=WorkspaceMount(1 << 20, 50))

    async def scenario() -> list[str]:
        async with await Keeper.start(run_directory=run_directory) as keeper:
            if not keeper.powers.workspace:
                pytest.skip(f"no workspaces here: {keeper.powers.missing}")
            return (await output_of(keeper, replace(wanted, env={"PATH": "/usr/bin:/bin"}), null)).split()

    before = Path("/proc/self/mountinfo").read_text()
    told = asyncio.run(scenario())
    assert told[0] == "700"
    assert told[1] == told[-2]  # the owner is the box's uid
    assert "full" in told
    assert told[-1] == "50"
    assert Path("/proc/self/mountinfo").read_text() == before
