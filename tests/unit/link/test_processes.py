from __future__ import annotations

import asyncio

from sandlot.contracts.command import Command
from sandlot.wire.frames import Kind, parse_json
from tests.unit.link.fake_agent import stage


def test_a_background_process_is_named_and_fed_behind_its_start() -> None:
    async def scene() -> tuple[str, bytes, bool]:
        async with stage() as on:
            starting = asyncio.ensure_future(on.box.start(Command(argv=("cat",), stdin=b"in")))
            assert parse_json((await on.agent.frame(Kind.OPEN)).payload)["background"] is True
            on.agent.started(1)
            on.agent.send(Kind.DONE, 1, {"ok": {"process": "p1"}})
            name = await starting
            assert parse_json((await on.agent.frame(Kind.OPEN)).payload)["verb"] == "process_input"
            given = (await on.agent.frame(Kind.INPUT)).payload
            on.agent.send(Kind.DONE, 3, {"ok": {}})
            ending = parse_json((await on.agent.frame(Kind.OPEN)).payload)
            on.agent.send(Kind.DONE, 5, {"ok": {}})
            return name, given, ending["end"]

    assert asyncio.run(scene()) == ("p1", b"in", True)
