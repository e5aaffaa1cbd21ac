"""CodeExecutor in a sandbox of its own and at a gateway, and what it refuses."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sandlot.compat.ipybox import (
    CodeExecutionChunk,
    CodeExecutionError,
    CodeExecutionResult,
    CodeExecutor,
    ExecutionContainer,
    ResourceClient,
    generate_mcp_sources,
)
from sandlot.contracts.errors import Unsupported
from tests.unit.ipybox.test_client import PIXEL

pytestmark = [pytest.mark.engine, pytest.mark.timeout(90)]

DOT = f"""
import base64
class Dot:
    def _repr_png_(self):
        return base64.b64decode("{PIXEL}")
Dot()
"""


@pytest.fixture(scope="module")
def container(place: Path) -> Iterator[ExecutionContainer]:
    del place
    found = ExecutionContainer()
    asyncio.run(found.run())
    yield found
    asyncio.run(found.kill())


@pytest.fixture
def at_gateway(container: ExecutionContainer, tmp_path: Path) -> CodeExecutor:
    return CodeExecutor(
        kernel_gateway_host="127.0.0.1",
        kernel_gateway_port=container.executor_port,
        kernel_env={"MARK": "seen"},
        images_dir=tmp_path / "images",
    )


def test_a_sandbox_of_its_own_has_the_working_directory_and_is_reset(place: Path) -> None:
    work = place / "work"
    work.mkdir()
    work.chmod(0o777)

    async def scene() -> None:
        executor = CodeExecutor(working_dir=work, kernel_env={"MARK": "own"}, sandbox=True)
        async with executor:
            code = "import os; x = 1; print(os.getcwd(), os.environ['MARK']); os.chdir('/app'); os.mkdir('a')"
            assert (await executor.execute(code)).text == "/workspace/work own"
            assert (await executor.execute("with open('out', 'w') as file: print(1, file=file)")).text is None
            with pytest.raises(RuntimeError, match="stop it"):
                await executor.start()
            await executor.reset()
            with pytest.raises(CodeExecutionError, match=r"^NameError: name 'x' is not defined\n"):
                await executor.execute("x")
            assert (await executor.execute("import os; sorted(os.listdir('/app'))")).text == "['a', 'work']"
        with pytest.raises(RuntimeError, match="Not connected"):
            await executor.execute("1")

    asyncio.run(scene())
    assert (work / "out").read_text() == "1\n"


def test_chunks_come_before_the_result_and_pictures_are_files(at_gateway: CodeExecutor) -> None:
    async def scene() -> None:
        async with at_gateway as executor:
            code = "import os, time\nprint(os.environ['MARK'], flush=True)\ntime.sleep(0.1)\nprint('b')"
            items = [item async for item in executor.stream(code, chunks=True)]
            assert all(isinstance(item, CodeExecutionChunk) for item in items[:-1])
            assert len(items) >= 3
            assert items[-1] == CodeExecutionResult("seen\nb", [])
            (shown,) = [item async for item in executor.stream(DOT)]
            assert isinstance(shown, CodeExecutionResult)
            assert [image.read_bytes() for image in shown.images] == [base64.b64decode(PIXEL)]
            assert [image.parent for image in shown.images] == [executor.images_dir]

    asyncio.run(scene())


def test_what_is_cancelled_has_no_result_and_the_state_stays(at_gateway: CodeExecutor) -> None:
    async def scene() -> None:
        async with at_gateway as executor:
            executor.cancel()
            await executor.execute("x = 7")
            running = asyncio.ensure_future(_first_chunk(executor, "print(1, flush=True)\nwhile True: pass"))
            await running
            assert (await executor.execute("x")).text == "7"
            with pytest.raises(asyncio.TimeoutError, match=r"exceeded timeout of 0\.20s"):
                await executor.execute("while True: pass", timeout=0.2)
            assert (await executor.execute("x")).text == "7"

    async def _first_chunk(executor: CodeExecutor, code: str) -> None:
        items: list[Any] = []
        async for item in executor.stream(code, chunks=True):
            items.append(item)
            executor.cancel()
        assert items == [CodeExecutionChunk("1")] or items == [CodeExecutionChunk("1\n")]

    asyncio.run(scene())


def test_leaving_early_interrupts(at_gateway: CodeExecutor) -> None:
    async def scene() -> None:
        async with at_gateway as executor:
            running = asyncio.ensure_future(executor.execute("x = 1\nwhile True: pass"))
            await asyncio.sleep(0)
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(running, 0.3)
            assert (await executor.execute("x")).text == "1"
            both = await asyncio.gather(executor.execute("1"), executor.execute("2"))
            assert [each.text for each in both] == ["1", "2"]

    asyncio.run(scene())


@pytest.mark.parametrize(
    "asked",
    [
        {"tool_server_port": 8900},
        {"tool_server_host": "tools"},
        {"approve_shell_cmds": True},
        {"approve_shell_cmds": True, "require_shell_escape": True},
        {"sandbox_config": Path("srt.json")},
        {"sandbox": True, "kernel_gateway_port": 8888},
    ],
)
def test_what_is_not_built_is_refused(asked: dict[str, Any]) -> None:
    with pytest.raises(Unsupported, match="not built yet"):
        CodeExecutor(**asked)


def test_a_working_directory_that_is_not_there_is_told(container: ExecutionContainer) -> None:
    async def scene() -> None:
        port, nowhere = container.executor_port, Path("/nowhere")
        async with CodeExecutor(kernel_gateway_port=port, working_dir=nowhere) as executor:
            with pytest.raises(CodeExecutionError, match=r"^FileNotFoundError: .*/nowhere"):
                await executor.execute("1")

    asyncio.run(scene())


def test_a_sandbox_is_not_promised_where_the_settings_give_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SANDLOT_ENGINE", "process")
    with pytest.raises(Unsupported, match="see sandlot config"):
        asyncio.run(CodeExecutor(sandbox=True).start())


def test_the_rest_of_the_surface_refuses_too() -> None:
    with pytest.raises(ValueError, match="requires approve_shell_cmds=True"):
        CodeExecutor(require_shell_escape=True)
    with pytest.raises(Unsupported, match="not built yet"):
        ResourceClient(8900)
    with pytest.raises(Unsupported, match="cannot be generated yet"):
        asyncio.run(generate_mcp_sources("fetch", {"command": "uvx"}, Path("mcptools")))
