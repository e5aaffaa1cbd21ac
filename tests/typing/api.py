"""What a type checker must know about the public face; checked by mypy, never run."""

from __future__ import annotations

from typing import Any, assert_type

import sandlot


def a_run_gives_a_result() -> None:
    result = sandlot.run("print(1)", timeout=1)
    assert_type(result, sandlot.Result)
    assert_type(result.isolation, sandlot.Isolation)
    assert_type(result.isolation >= sandlot.Isolation.NAMESPACE, bool)


def a_sandbox_is_a_context() -> None:
    with sandlot.Sandbox.local() as box:
        assert_type(box, sandlot.Sandbox)
        assert_type(box.run("print(1)"), sandlot.Result)
        assert_type(box.call("def handler(event): ...", {"a": 1}).has_result, bool)
    assert_type(sandlot.call("def other(event): ...", handler="other"), sandlot.Result)
    assert_type(sandlot.Command(code="", handler=sandlot.Handler(event=[1])), sandlot.Command)


def a_sandbox_of_a_server_is_used_alike() -> None:
    with sandlot.Sandbox.connect("http://127.0.0.1:8080", id="a", memory="1Gi") as box:
        assert_type(box, sandlot.Sandbox)
        assert_type(box.shell("true", stdin=[b"a"]).exit_code, int)
        assert_type(box.read("a"), bytes)
        assert_type(box.start("1"), str)


def cells_tell_results_and_events() -> None:
    with sandlot.Sandbox.local() as box, box.context(env={"A": "1"}) as context:
        assert_type(box.run_code("1", on_input=lambda asked: asked.prompt), sandlot.CellResult)
        assert_type(context.run("1", timeout="5s").representations("image/png"), tuple[Any, ...])
        assert_type(list(context.stream("1")), list[sandlot.CellEvent])


async def cells_are_awaited() -> None:
    async with sandlot.AsyncSandbox.local() as box, await box.context() as context:
        assert_type(await box.run_code("1"), sandlot.CellResult)
        assert_type([event async for event in context.stream("1")], list[sandlot.CellEvent])


async def an_async_sandbox_is_awaited_or_entered() -> None:
    async with sandlot.AsyncSandbox.local() as box:
        assert_type(box, sandlot.AsyncSandbox)
        assert_type(await box.run("print(1)"), sandlot.Result)
        assert_type([event async for event in box.events(sandlot.Command(code=""))], list[sandlot.Event])
    assert_type(await sandlot.AsyncSandbox.connect(), sandlot.AsyncSandbox)


def the_version_is_text() -> None:
    assert_type(sandlot.__version__, str)
