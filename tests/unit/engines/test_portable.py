"""The engine of systems without Linux, tried on Linux: the same results, and refusal of what it cannot do."""

from __future__ import annotations

import asyncio
import io
import os
import tarfile
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import PurePosixPath
from typing import TypeVar

import pytest

from sandlot.contracts import errors
from sandlot.contracts.command import Command
from sandlot.contracts.events import Reason
from sandlot.contracts.handler import Handler
from sandlot.contracts.paths import WORKSPACE
from sandlot.contracts.quantity import Bytes, Seconds
from sandlot.contracts.result import Result, fold
from sandlot.contracts.spec import Limits, Network, SandboxSpec
from sandlot.engines.process.portable import PortableBox, PortableEngine

T = TypeVar("T")
FULL = SandboxSpec(network=Network.FULL, env={"SPEC": "s"})


async def _result(box: PortableBox, command: Command) -> Result:
    events = [event async for event in box.run(command)]
    return fold(events, engine=box.engine, isolation=box.isolation, enforced=box.enforced)


def _in_box(scene: Callable[[PortableBox], Awaitable[T]]) -> T:
    async def play() -> T:
        engine = PortableEngine()
        try:
            return await scene(await engine.create(FULL))
        finally:
            await engine.close()

    return asyncio.run(play())


def _run(command: Command) -> Result:
    return _in_box(lambda box: _result(box, command))


def test_the_probe_runs_a_real_payload_and_promises_no_wall() -> None:
    found = asyncio.run(PortableEngine().probe())
    assert (found.works, found.enforced) == (True, ())


def test_a_handler_is_refused_with_the_reason() -> None:
    with pytest.raises(errors.Unsupported, match="cannot call handlers"):
        _run(Command(code="def handler(event): pass", handler=Handler()))


@pytest.mark.parametrize(
    "spec",
    [
        SandboxSpec(),
        SandboxSpec(network=Network.FULL, limits=Limits(memory=Bytes(2**30))),
        SandboxSpec(network=Network.FULL, limits=Limits(pids=10)),
        SandboxSpec(network=Network.FULL, limits=Limits(disk=Bytes(2**20))),
    ],
)
def test_what_it_cannot_enforce_is_refused_with_the_reason(spec: SandboxSpec) -> None:
    with pytest.raises(errors.Unsupported, match="this system has no"):
        asyncio.run(PortableEngine().create(spec))


def test_a_program_runs_with_its_input_variables_and_directory() -> None:
    code = (
        "import os, sys; print(sys.stdin.read(), os.environ['SPEC'], os.environ['MINE'], os.getcwd()[-10:])"
    )
    result = _run(Command(code=code, stdin=b"in", env={"MINE": "m"}))
    assert result.text == "in s m /workspace\n"
    assert (result.ok, result.errors) == (True, "")


def test_an_input_that_never_ends_is_left_where_the_program_ends() -> None:
    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield bytes(65536)

    assert _run(Command.shell("head -c 100000 | wc -c", stdin=endless())).text.strip() == "100000"


def test_an_input_that_fails_kills_the_program() -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield b"one"
        raise OSError("the caller's pipe broke")

    with pytest.raises(OSError, match="pipe broke"):
        _run(Command(argv=("cat",), stdin=broken()))


@pytest.mark.parametrize(
    ("argv", "reason", "code"),
    [
        (("sh", "-c", "exit 3"), Reason.EXITED, 3),
        (("sh", "-c", "kill -9 $$"), Reason.SIGNALLED, 137),
        (("/nonexistent",), Reason.EXITED, 127),
        (("/etc/hostname",), Reason.EXITED, 126),
    ],
)
def test_exit_codes_are_those_of_a_shell(argv: tuple[str, ...], reason: Reason, code: int) -> None:
    result = _run(Command(argv=argv))
    assert (result.reason, result.exit_code) == (reason, code)


def test_a_timeout_ends_the_whole_group() -> None:
    result = _run(Command.shell("sleep 1000 & sleep 1000", timeout=Seconds(0.2)))
    assert (result.reason, result.exit_code) == (Reason.TIMEOUT, 124)
    assert result.duration < 5


def test_a_daemon_that_keeps_the_pipe_does_not_keep_the_caller() -> None:
    result = _run(Command.shell("sleep 1000 & echo done", timeout=Seconds(20)))
    assert result.text == "done\n"
    assert result.duration < 5


def test_a_flood_of_output_is_cut_and_ended() -> None:
    result = _run(Command(argv=("yes",), output_limit=Bytes(1000)))
    assert (result.reason, len(result.stdout), result.stdout_truncated) == (Reason.OUTPUT_LIMIT, 1000, True)


def test_stopping_to_read_kills_the_program() -> None:
    async def scene(box: PortableBox) -> int:
        running = box.run(Command.shell("echo $$; sleep 1000"))
        await anext(running)
        pid = int((await anext(running)).data)  # type: ignore[union-attr]
        await running.aclose()
        return pid

    pid = _in_box(scene)
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def _tar(*members: tuple[tarfile.TarInfo, bytes]) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for member, content in members:
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return packed.getvalue()


async def _pieces(data: bytes) -> AsyncIterator[bytes]:
    yield data


def test_what_was_put_comes_out_again() -> None:
    async def scene(box: PortableBox) -> list[str]:
        await box.put(WORKSPACE, _pieces(_tar((tarfile.TarInfo("d/f"), b"abc"))))
        assert (await _result(box, Command.shell("cat d/f; ln -s d/f link; mkfifo p"))).text == "abc"
        tar = b"".join([data async for data in box.get(WORKSPACE)])
        return tarfile.open(fileobj=io.BytesIO(tar)).getnames()

    assert _in_box(scene) == ["d", "d/f", "link"]


@pytest.mark.parametrize("name", ["../out", "/abs"])
def test_an_archive_that_leads_out_is_refused_whole(name: str) -> None:
    async def scene(box: PortableBox) -> str:
        tar = _tar((tarfile.TarInfo("good"), b"x"), (tarfile.TarInfo(name), b"x"))
        with pytest.raises(errors.InvalidSpec):
            await box.put(WORKSPACE, _pieces(tar))
        return (await _result(box, Command.shell("ls -A"))).text

    assert _in_box(scene) == ""


def test_a_link_left_in_the_workspace_does_not_lead_an_upload_out() -> None:
    async def scene(box: PortableBox) -> None:
        await _result(box, Command.shell("ln -s /tmp out"))
        with pytest.raises(errors.PathEscape):
            await box.put(WORKSPACE / "out", _pieces(_tar((tarfile.TarInfo("f"), b"x"))))

    _in_box(scene)


def test_a_closed_box_leaves_nothing_behind() -> None:
    async def scene(box: PortableBox) -> PurePosixPath:
        return PurePosixPath((await _result(box, Command.shell("pwd"))).text.strip())

    assert not os.path.exists(_in_box(scene).parent)
