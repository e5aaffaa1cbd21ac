"""ExecutionClient against a gateway whose messages come in orders that real ones have."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from sandlot.compat.ipybox import ApprovalRequest
from sandlot.compat.ipybox.executor import ConnectionError as KernelLost
from sandlot.compat.ipybox.executor import ExecutionClient, ExecutionError
from tests.unit.ipybox.gateway import CLOSE, IDLE, OK, Script, gateway, out, state

Scene = Callable[[ExecutionClient], Awaitable[None]]
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
FAILED = {"status": "error", "ename": "ValueError", "evalue": "no", "traceback": ["Traceback", "no"]}


def play(script: Script, scene: Scene) -> None:
    async def played() -> None:
        async with asyncio.timeout(20), gateway(script) as port, ExecutionClient(port) as client:
            await scene(client)

    asyncio.run(played())


def test_output_that_the_reply_overtakes_is_not_lost() -> None:
    late, early = [OK, out("x"), out("y"), IDLE], [out("a"), IDLE, OK]
    script = Script({"late": late, "early": early, "none": [OK, IDLE]})

    async def scene(client: ExecutionClient) -> None:
        assert [(await client.execute(code)).text for code in ("late", "early", "none")] == ["xy", "a", None]

    play(script, scene)


def test_chunks_are_streamed_and_told_once() -> None:
    async def scene(client: ExecutionClient) -> None:
        execution = await client.submit("two")
        assert [chunk async for chunk in execution.stream()] == [" a", "b \n"]
        assert [chunk async for chunk in execution.stream()] == []
        assert (await execution.result()).text == "a" + "b"

    play(Script({"two": [out(" a"), out("b \n"), OK, IDLE]}), scene)


def test_requests_may_be_read_in_any_order() -> None:
    async def scene(client: ExecutionClient) -> None:
        first, second = await client.submit("first"), await client.submit("second")
        assert ((await second.result()).text, (await first.result()).text) == ("2", "1")

    play(Script({"first": [out("1"), OK, IDLE], "second": [out("2"), OK, IDLE]}), scene)


def test_pictures_are_in_the_result_only_and_need_no_text() -> None:
    async def scene(client: ExecutionClient) -> None:
        execution = await client.submit("plot")
        assert [chunk async for chunk in execution.stream()] == []
        result = await execution.result()
        assert (result.text, [image.size for image in result.images]) == (None, [(1, 1)])
        with pytest.raises(ExecutionError, match="UnreadableImage"):
            await client.execute("broken")

    shown = ("display_data", {"data": {"image/png": PIXEL}})
    broken = ("display_data", {"data": {"image/png": "AAAA"}})
    play(Script({"plot": [shown, OK, IDLE], "broken": [broken, OK, IDLE]}), scene)


def test_an_error_has_its_message_and_its_trace() -> None:
    async def scene(client: ExecutionClient) -> None:
        with pytest.raises(ExecutionError, match=r"^ValueError: no$") as caught:
            await client.execute("fail")
        assert caught.value.trace == "Traceback\nno"

    play(Script({"fail": [("error", FAILED), ("execute_reply", FAILED), IDLE]}), scene)


def test_too_long_is_interrupted_and_told() -> None:
    script = Script({"long": [out("x")]})

    async def scene(client: ExecutionClient) -> None:
        execution = await client.submit("long")
        with pytest.raises(asyncio.TimeoutError):
            await execution.result(timeout=0.05)
        assert (await execution.result()).text == "x"
        assert (await client.execute("next")).text is None

    play(script, scene)
    assert script.asked == ["create", "interrupt", "delete"]


@pytest.mark.parametrize("word", ["restarting", "dead"])
def test_a_kernel_that_dies_is_an_error_at_once(word: str) -> None:
    script = Script({"die": [out("x"), state(word)]})

    async def scene(client: ExecutionClient) -> None:
        with pytest.raises(ExecutionError, match="KernelDied"):
            await client.execute("die")
        if word == "dead":
            with pytest.raises(KernelLost, match="connect again"):
                await client.execute("more")
            return
        await client.execute("more")
        first, die, again, more = script.codes
        assert (die, first, more) == ("die", again, "more")

    play(script, scene)


def test_a_connection_that_is_lost_is_an_error_at_once() -> None:
    async def scene(client: ExecutionClient) -> None:
        for code in ("lose", "more"):
            with pytest.raises(KernelLost, match="1011 gone"):
                await client.execute(code)

    play(Script({"lose": [out("x"), CLOSE]}), scene)


def test_connecting_is_tried_again_and_given_up() -> None:
    async def scene() -> None:
        script = Script(refusals=2)
        async with gateway(script) as port:
            client = ExecutionClient(port)
            await client.connect(retries=3, retry_interval=0.01)
            assert client.kernel_ws_url == f"ws://localhost:{port}/api/kernels/k1/channels"
            await client.disconnect()
            await client.disconnect()
            script.refusals = 5
            with pytest.raises(KernelLost, match=r"^Failed to create kernel$"):
                await client.connect(retries=2, retry_interval=0.01)
        assert script.asked == ["create"] * 3 + ["delete"] + ["create"] * 2

    asyncio.run(scene())


def test_a_first_code_that_fails_leaves_no_kernel() -> None:
    async def scene() -> None:
        script = Script()
        async with gateway(script) as port:
            async with ExecutionClient(port):
                (first,) = script.codes
            script.says[first] = [CLOSE]
            with pytest.raises(KernelLost):
                await ExecutionClient(port).connect()
        assert script.asked == ["create", "delete"] * 2

    asyncio.run(scene())


def test_without_a_connection_it_says_so() -> None:
    client = ExecutionClient(1, "kernels.example")
    with pytest.raises(ValueError, match=r"^Not connected to kernel$"):
        _ = client.kernel_id
    with pytest.raises(KernelLost, match=r"^Not connected to kernel$"):
        asyncio.run(client.execute("1"))
    assert client.base_http_url == "http://kernels.example:1/api/kernels"


def test_the_surface_is_there() -> None:
    async def scene(client: ExecutionClient) -> None:
        execution = await client.submit("1")
        assert (execution.client, len(execution.req_id)) == (client, 32)

    play(Script(), scene)
    asked = ApprovalRequest("github", "search", {"query": "x"})
    assert (asked.server_name, asked.tool_name, asked.tool_args) == ("github", "search", {"query": "x"})
