from __future__ import annotations

import asyncio
from pathlib import PurePosixPath

import pytest

from sandlot.contracts.command import Command
from sandlot.contracts.errors import Conflict, InvalidSpec, NotFound, PathEscape, PoolExhausted, StartFailed
from sandlot.contracts.paths import WORKSPACE
from sandlot.contracts.service import RunRequest
from sandlot.contracts.spec import Limits, SandboxSpec
from sandlot.contracts.streams import ended
from sandlot.local.service import LocalService
from sandlot.sandboxes.gate import Width
from sandlot.sandboxes.house import House
from sandlot.sandboxes.sandboxes import Sandboxes
from sandlot.trees.pack import once, packed
from tests.unit.local.memory import MemoryEngine
from tests.unit.sandboxes.house import until

SPEC = SandboxSpec()


def test_one_run_makes_one_box_and_leaves_none() -> None:
    engine = MemoryEngine()

    async def work() -> None:
        service = LocalService(Sandboxes(engine))
        result = await service.run(RunRequest(Command(argv=("cat",), stdin=b"in"), SPEC, {"a/b": b"x"}))
        assert (result.stdout, result.exit_code, result.engine) == (b"in", 0, "memory")
        assert await service.list() == ()
        await service.close()

    asyncio.run(work())
    (box,) = engine.boxes
    assert box.files == {"/workspace/a/b": b"x"}
    assert (box.closed, engine.closed) == (1, 1)


def test_a_failing_program_is_a_result() -> None:
    async def work() -> None:
        service = LocalService(Sandboxes(MemoryEngine()))
        result = await service.run(RunRequest(Command(argv=("fail",))))
        assert (result.exit_code, result.stderr, result.ok) == (3, b"failed\n", False)

    asyncio.run(work())


@pytest.mark.parametrize("name", ["../x", "/etc/passwd", "", "."])
def test_files_stay_in_the_workspace(name: str) -> None:
    with pytest.raises((InvalidSpec, PathEscape)):
        packed({name: b""}, WORKSPACE)


def test_concurrent_calls_make_one_sandbox() -> None:
    engine = MemoryEngine()

    async def work() -> None:
        service = LocalService(Sandboxes(engine))
        answers = await asyncio.gather(*(service.ensure("one", SPEC) for _ in range(20)))
        assert len({status.id for status in answers}) == 1
        assert len(engine.boxes) == 1
        await service.close()

    asyncio.run(work())
    assert engine.boxes[0].closed == 1


def test_another_spec_under_the_same_name_is_a_conflict() -> None:
    async def work() -> None:
        service = LocalService(Sandboxes(MemoryEngine()))
        await service.ensure("one", SPEC)
        with pytest.raises(Conflict, match=r"another limits\.pids"):
            await service.ensure("one", SandboxSpec(limits=Limits(pids=5)))

    asyncio.run(work())


def test_a_sandbox_that_did_not_start_can_be_asked_for_again() -> None:
    async def work() -> None:
        service = LocalService(Sandboxes(MemoryEngine(failing=1)))
        with pytest.raises(StartFailed):
            await service.ensure("one", SPEC)
        assert (await service.ensure("one", SPEC)).engine == "memory"

    asyncio.run(work())


def test_a_sandbox_deleted_while_it_starts_is_not_left_behind() -> None:
    engine = MemoryEngine()

    async def work() -> None:
        service = LocalService(Sandboxes(engine))
        starting = asyncio.ensure_future(service.ensure("one", SPEC))
        await asyncio.sleep(0)
        await service.delete("one")
        with pytest.raises(Conflict):
            await starting

    asyncio.run(work())
    assert engine.living == []


def test_leaving_the_events_early_kills_the_command() -> None:
    engine = MemoryEngine()

    async def work() -> None:
        service = LocalService(Sandboxes(engine))
        await service.ensure("one", SPEC)
        box = await service.reach("one")
        async with ended(box.run(Command(argv=("hang",)))) as events:
            async for _started in events:
                break
        assert engine.boxes[0].killed == 1
        await service.close()

    asyncio.run(work())


def test_files_go_in_and_come_out() -> None:
    async def work() -> None:
        service = LocalService(Sandboxes(MemoryEngine()))
        await service.ensure("one", SPEC)
        box = await service.reach("one")
        await box.put(WORKSPACE, once(packed({"out/a": b"1"}, WORKSPACE)))
        assert b"".join([data async for data in box.get(PurePosixPath("/workspace/out"))])
        with pytest.raises(NotFound):
            [data async for data in box.get(PurePosixPath("/workspace/none"))]
        await service.close()

    asyncio.run(work())


def test_unknown_names_are_not_found() -> None:
    async def work() -> None:
        service = LocalService(Sandboxes(MemoryEngine()))
        with pytest.raises(NotFound):
            await service.delete("none")
        with pytest.raises(NotFound):
            await service.reach("none")

    asyncio.run(work())


def test_a_closed_service_makes_nothing_more() -> None:
    engine = MemoryEngine()

    async def work() -> None:
        service = LocalService(Sandboxes(engine))
        await service.ensure("one", SPEC)
        await service.close()
        with pytest.raises(Conflict):
            await service.run(RunRequest(Command(code="1")))

    asyncio.run(work())
    assert len(engine.boxes) == 1


def test_the_service_of_another_owner_sees_other_sandboxes_and_closes_nothing() -> None:
    engine = MemoryEngine()

    async def work() -> None:
        service = LocalService(Sandboxes(engine))
        other = service.of("other")
        await service.ensure("one", SPEC)
        with pytest.raises(NotFound):
            await other.reach("one")
        await other.close()
        assert [status.id for status in await service.list()] == ["one"]
        await service.close()

    asyncio.run(work())
    assert engine.closed == 1


def test_a_run_takes_its_place_before_its_box() -> None:
    engine = MemoryEngine()
    house = House(commands=Width(inside=1, waiting=5))

    async def work() -> None:
        service = LocalService(Sandboxes(engine, house=house))
        first = asyncio.ensure_future(service.run(RunRequest(Command(argv=("hang",)))))
        others = [asyncio.ensure_future(service.run(RunRequest(Command(argv=("echo",))))) for _ in range(5)]
        await until(lambda: service.census().commands_waiting == 5 and len(engine.boxes) == 1)
        with pytest.raises(PoolExhausted):
            await service.run(RunRequest(Command(argv=("echo",))))
        first.cancel()
        assert [each.exit_code for each in await asyncio.gather(*others)] == [0] * 5
        assert engine.living == []
        await service.close()

    asyncio.run(work())
