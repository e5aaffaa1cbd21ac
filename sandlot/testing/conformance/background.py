"""Background processes: listed, signalled, fed, waited for; or a refusal."""

from __future__ import annotations

import signal
from typing import cast

import pytest

from sandlot.contracts.capability import Feature
from sandlot.contracts.command import Command
from sandlot.contracts.engine import Box, Processes
from sandlot.contracts.errors import NotFound, TimedOut, Unsupported
from sandlot.testing.suite import NAP, Suite, collect, python, shell, sleepers


def processes(box: Box) -> Processes:
    """The box's background processes; ask only where Feature.PROCESSES is offered."""
    return cast("Processes", box)


class BackgroundTests(Suite):
    """Programs that run on while others come and go."""

    async def test_background_processes_are_refused_where_there_are_none(self) -> None:
        if self.offers(Feature.PROCESSES):
            return
        async with self.box() as box:
            with pytest.raises((Unsupported, AttributeError)):
                await processes(box).start(shell("true"))

    def _needed(self) -> None:
        if not self.offers(Feature.PROCESSES):
            pytest.skip(f"engine {self.engine_name} has no background processes: their refusal is tested")

    async def test_one_runs_on_while_others_come_and_go(self) -> None:
        self._needed()
        async with self.box() as box:
            name = await processes(box).start(shell(NAP, timeout=None))
            assert (await collect(box, shell("echo other"))).stdout == b"other\n"
            row = next(row for row in await processes(box).processes() if row["id"] == name)
            assert (row["running"], row["background"], row["exit_code"]) == (True, True, None)

    async def test_its_end_is_told(self) -> None:
        self._needed()
        async with self.box() as box:
            name = await processes(box).start(shell("exit 7"))
            row = await processes(box).wait(name, 5)
            assert (row["running"], row["exit_code"], row["signal"]) == (False, 7, None)
            assert (await processes(box).wait(name, 5))["exit_code"] == 7

    async def test_waiting_has_an_end(self) -> None:
        self._needed()
        async with self.box() as box:
            name = await processes(box).start(shell(NAP, timeout=None))
            with pytest.raises(TimedOut):
                await processes(box).wait(name, 0.1)

    async def test_a_signal_reaches_it_and_its_group(self) -> None:
        self._needed()
        async with self.box() as box:
            name = await processes(box).start(shell(f"{NAP} & {NAP}", timeout=None))
            while await sleepers(box) < 2:
                pass
            await processes(box).signal(name, signal.SIGTERM)
            row = await processes(box).wait(name, 5)
            assert (row["running"], row["signal"]) == (False, signal.SIGTERM)
            assert await sleepers(box) == 0

    async def test_it_is_fed_and_its_output_kept(self) -> None:
        self._needed()
        async with self.box() as box:
            name = await processes(box).start(Command(argv=("/bin/cat",), timeout=None))
            await processes(box).feed(name, b"one\n")
            await processes(box).feed(name, b"two\n", end=True)
            assert (await processes(box).wait(name, 5))["exit_code"] == 0
            assert await processes(box).output(name) == (b"one\ntwo\n", 8, 0)
            assert await processes(box).output(name, 4) == (b"two\n", 8, 0)

    async def test_old_output_is_dropped_and_counted(self) -> None:
        self._needed()
        async with self.box() as box:
            name = await processes(box).start(python("import sys\nfor n in range(300000): print('%09d' % n)"))
            await processes(box).wait(name, 20)
            kept, following, dropped = await processes(box).output(name)
            assert following == 3_000_000
            assert dropped == following - len(kept)
            assert dropped > 0
            assert kept.endswith(b"000299999\n")

    async def test_what_is_not_there_is_not_found(self) -> None:
        self._needed()
        async with self.box() as box:
            for action in (
                processes(box).signal("no-such", 15),
                processes(box).wait("no-such", 1),
                processes(box).output("no-such"),
                processes(box).feed("no-such", b"x"),
            ):
                with pytest.raises(NotFound):
                    await action

    async def test_a_running_command_is_listed(self) -> None:
        self._needed()
        async with self.box() as box:
            events = box.run(shell(f"echo up; {NAP}", timeout=None))
            await anext(events)
            rows = await processes(box).processes()
            assert any(row["running"] and not row["background"] for row in rows)

    async def test_orphans_are_collected(self) -> None:
        self._needed()
        code = (
            "import os\nfor _ in range(300):\n  if os.fork() == 0:\n    os.fork(); os._exit(0)\n  os.wait()"
        )
        async with self.box() as box:
            name = await processes(box).start(python(code))
            assert (await processes(box).wait(name, 10))["exit_code"] == 0
            zombies = await collect(box, shell("grep -ls '^State:.*Z' /proc/[0-9]*/status | wc -l"))
            assert int(zombies.text) < 10
