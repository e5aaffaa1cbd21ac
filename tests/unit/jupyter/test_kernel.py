from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from sandlot.contracts.contexts import ContextEnd
from sandlot.contracts.errors import InvalidSpec, StartFailed
from sandlot.contracts.quantity import Seconds
from sandlot.jupyter import waiting
from sandlot.jupyter.message import Message
from tests.unit.jupyter.scripted import served


def run(story: Coroutine[Any, Any, None]) -> None:
    asyncio.run(story)


def test_reply_comes_after_the_output_and_after_idle() -> None:
    async def story() -> None:
        async with served() as box:
            asked = await box.client.execute("print hello")
            reply = await box.client.until("execute_reply", asked)
            assert box.client.about(asked) == ["busy", "execute_input", "stream", "idle", "execute_reply"]
            assert reply.channel == "shell"
            assert reply.content == {
                "status": "ok",
                "execution_count": 1,
                "user_expressions": {},
                "payload": [],
            }
            stream = await box.client.until("stream", asked)
            assert stream.content == {"name": "stdout", "text": "hello"}
            assert stream.header["date"] == "1970-01-01T00:00:00.500Z"

    run(story())


def test_every_cell_is_bounded_where_a_timeout_is_given() -> None:
    async def story() -> None:
        async with served(timeout=Seconds(3.0)) as box:
            await box.client.until("execute_reply", await box.client.execute("1"))
            assert [cell.timeout for cell in box.context.ran] == [3.0]

    run(story())


def test_cells_that_wait_are_aborted_when_one_fails_and_others_are_not() -> None:
    async def story() -> None:
        async with served() as box:
            client = box.client
            first = await client.execute("fail")
            second = await client.execute("print lost")
            question = await client.send("comm_info_request", {})
            assert (await client.until("execute_reply", first)).content["ename"] == "ValueError"
            assert (await client.until("execute_reply", second)).content["status"] == "aborted"
            assert (await client.until("comm_info_reply", question)).content["comms"] == {}
            third = await client.execute("fail", stop_on_error=False)
            fourth = await client.execute("print kept")
            assert (await client.until("execute_reply", fourth)).content["status"] == "ok"
            assert client.about(third)[1:3] == ["execute_input", "error"]
            error = await client.until("error", third)
            assert error.content["traceback"] == ["Traceback", "ValueError: no"]

    run(story())


def test_interrupt_on_control_ends_the_cell_that_runs() -> None:
    async def story() -> None:
        async with served() as box:
            asked = await box.client.execute("wait")
            await box.client.until("execute_input", asked)
            info = await box.client.send("kernel_info_request", {}, "control")
            assert (await box.client.until("kernel_info_reply", info)).channel == "control"
            await box.client.send("interrupt_request", {}, "control")
            reply = await box.client.until("execute_reply", asked)
            assert reply.content["ename"] == "KeyboardInterrupt"
            assert "error" in box.client.about(asked)

    run(story())


def test_input_is_asked_of_the_client_whose_cell_asks() -> None:
    async def story() -> None:
        async with served() as box:
            asked = await box.client.execute("ask")
            question = await box.client.until("input_request", asked)
            assert (question.channel, question.content) == ("stdin", {"prompt": "name? ", "password": False})
            await box.client.send("input_reply", {"value": 7}, "stdin")
            await box.client.send("input_reply", {"value": "Ada\n"}, "stdin")
            result = await box.client.until("execute_result", asked)
            assert result.content["data"] == {"text/plain": "Ada"}
            assert box.client.about(asked).count("input_request") == 2

    run(story())


def test_death_is_told_to_the_cell_and_to_everybody() -> None:
    async def story() -> None:
        async with served() as box:
            asked = await box.client.execute("die")
            reply = await box.client.until("execute_reply", asked)
            assert reply.content["ename"] == "KernelDied"
            end = await box.end
            assert end.ending is not None
            assert end.ending.end is ContextEnd.EXITED
            assert box.client.states == ["starting", "idle", "dead"]
            assert box.client.about(asked)[-3:] == ["error", "idle", "execute_reply"]

    run(story())


def test_a_dead_interpreter_is_started_anew_but_not_for_ever() -> None:
    async def story() -> None:
        async with served(revives=True) as box:
            for times in range(1, 7):
                await box.client.idle_again(times)
                asked = await box.client.execute("die")
                await box.client.until("execute_reply", asked)
            await box.end
            assert box.client.states[-1] == "dead"
            assert box.context.restarts == 5

    run(story())


def test_what_comes_after_a_death_runs_in_the_next_interpreter() -> None:
    async def story() -> None:
        async with served(revives=True) as box:
            box.context.may_restart.clear()
            died = await box.client.execute("die")
            await box.client.until("execute_reply", died)
            asked = await box.client.execute("print on")
            aside = await box.client.send("kernel_info_request", {}, "control")
            await box.client.until("kernel_info_reply", aside)
            assert box.client.states[-1] == "restarting"
            box.context.may_restart.set()
            reply = await box.client.until("execute_reply", asked)
            assert (reply.content["status"], box.context.restarts) == ("ok", 1)

    run(story())


def test_restart_gives_up_what_runs_and_what_waits() -> None:
    async def story() -> None:
        async with served() as box:
            first = await box.client.execute("wait")
            second = await box.client.execute("print lost")
            await box.client.until("execute_input", first)
            await box.kernel.restart()
            assert (await box.client.until("execute_reply", second)).content["status"] == "aborted"
            third = await box.client.execute("print on")
            assert (await box.client.until("execute_reply", third)).content["execution_count"] == 1
            assert box.client.states == ["starting", "idle", "restarting", "starting", "idle"]
            assert not box.end.done()
            box.context.can_restart = False
            with pytest.raises(StartFailed):
                await box.kernel.restart()
            await box.end
            assert box.client.states[-1] == "dead"

    run(story())


def test_shutdown_is_answered_before_the_end() -> None:
    async def story() -> None:
        async with served() as box:
            asked = await box.client.send("shutdown_request", {"restart": True}, "control")
            assert (await box.end).is_restart
            assert box.client.about(asked) == ["busy", "shutdown_reply", "idle", "shutdown_reply"]

    run(story())


def test_what_cannot_be_served_is_answered() -> None:
    async def story() -> None:
        async with served() as box:
            client = box.client
            rows: list[tuple[Message, str, str]] = [
                (await client.send("debug_request", {}, "control"), "debug_reply", "Unsupported"),
                (await client.send("dance_request", {}), "dance_reply", "Unsupported"),
                (await client.send("execute_request", {"code": 1}), "execute_reply", "InvalidSpec"),
                (await client.execute("x", silent="yes"), "execute_reply", "InvalidSpec"),
                (await client.send("is_complete_request", {"code": "dead"}), "is_complete_reply", "Conflict"),
                (
                    await client.send("history_request", {"hist_access_type": "?"}),
                    "history_reply",
                    "InvalidSpec",
                ),
            ]
            for asked, reply, error in rows:
                assert (await client.until(reply, asked)).content["ename"] == error
            opened = await client.send("comm_open", {"comm_id": "c", "target_name": "widget"})
            assert (await client.until("comm_close", opened)).content["comm_id"] == "c"
            ignored = await client.send("dance", {})
            await client.until("status", ignored)
            with pytest.raises(InvalidSpec):
                await client.send("execute_request", {"code": ""}, "iopub")

    run(story())


def test_requests_that_wait_are_bounded() -> None:
    async def story() -> None:
        async with served() as box:
            first = await box.client.execute("wait")
            await box.client.until("execute_input", first)
            for _ in range(waiting.MOST):
                await box.client.execute("print x")
            last = await box.client.execute("print x")
            assert (await box.client.until("execute_reply", last)).content["ename"] == "Conflict"

    run(story())


def test_silent_cells_are_not_kept() -> None:
    async def story() -> None:
        async with served() as box:
            asked = await box.client.execute("print x", silent=True, allow_stdin=False)
            await box.client.until("execute_reply", asked)
            cell = box.context.ran[0]
            assert (cell.silent, cell.store_history, cell.allow_input, cell.timeout) == (
                True,
                False,
                False,
                None,
            )
            assert "execute_input" not in box.client.about(asked)

    run(story())
