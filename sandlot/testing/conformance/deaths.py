"""Deaths: SIGKILL for each process that carries a box; it is gone in two seconds and the caller is told.

Only descendants of this very process are killed, found through /proc. An engine whose boxes are not made
of local processes has none, and says so by `local = False`.
"""

from __future__ import annotations

import asyncio
import time
from typing import ClassVar

import pytest

from sandlot.contracts.engine import Box
from sandlot.contracts.events import Exited, Reason, Stdout
from sandlot.contracts.lease import EndReason
from sandlot.contracts.spec import SandboxSpec
from sandlot.testing.host_processes import HostProcess, descendants, is_same, kill
from sandlot.testing.suite import NAP, Suite, collect, shell

WHO = ("keeper", "launcher", "agent", "host")
GONE = 2.0
"""Seconds in which everything of the box must have ended."""
_MOST = 12


class DeathTests(Suite):
    """kill -9 for whatever a box stands on."""

    local: ClassVar[bool] = True
    """Whether boxes are processes of this machine that descend from this one."""

    @pytest.mark.parametrize("place", range(_MOST))
    async def test_killing_any_process_of_a_box_ends_it_and_is_told(self, place: int) -> None:
        """The processes between us and the program, outermost first; the program itself is the last."""
        if not self.local:
            pytest.skip("the boxes of this engine are no processes of this machine")
        engine = self.new_engine(frozenset())
        try:
            before = {process.pid for process in descendants()}
            box = await engine.create(SandboxSpec())
            running = asyncio.create_task(_end_of_nap(box))
            chain = await _chain(before)
            if place >= len(chain):
                running.cancel()
                pytest.skip(f"a box of {self.engine_name} is {len(chain)} processes deep")
            await _kill_and_look(self.engine_name, chain, place, running, box)
        finally:
            await engine.close()

    async def test_another_box_can_be_made_after_a_death(self) -> None:
        if not self.local:
            pytest.skip("the boxes of this engine are no processes of this machine")
        engine = self.new_engine(frozenset())
        try:
            before = {process.pid for process in descendants()}
            box = await engine.create(SandboxSpec())
            running = asyncio.create_task(_end_of_nap(box))
            chain = await _chain(before)
            kill(chain[0])
            await running
            again = await engine.create(SandboxSpec())
            assert (await collect(again, shell("echo again"))).stdout == b"again\n"
        finally:
            await engine.close()


async def _end_of_nap(box: Box) -> Exited:
    async for event in box.run(shell(f"echo up; {NAP} && echo never", timeout=None)):
        assert not (isinstance(event, Stdout) and b"never" in event.data)
        if isinstance(event, Exited):
            return event
    raise AssertionError("a command ends with Exited")


async def _chain(before: set[int]) -> list[HostProcess]:
    """The processes from the first below us to the nap, outermost first."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        new = {process.pid: process for process in descendants() if process.pid not in before}
        naps = [process for process in new.values() if list(process.words) == NAP.split()]
        if naps:
            chain = [naps[0]]
            while chain[0].parent in new:
                chain.insert(0, new[chain[0].parent])
            return chain
        await asyncio.sleep(0.02)  # nothing on this side announces the nap's exec
    raise AssertionError("the program of the box is not among the processes beneath this one")


async def _kill_and_look(
    engine: str, chain: list[HostProcess], place: int, running: asyncio.Task[Exited], box: Box
) -> None:
    victim = chain[place]
    was = f"{victim.name}, number {place} of {[process.name for process in chain]}"
    began = time.monotonic()
    kill(victim)
    end = await asyncio.wait_for(running, GONE)
    inner = place >= len(chain) - 2  # the shell, the nap: the box may live on without them
    if end.reason is Reason.BOX_DIED:
        assert end.who in WHO, f"{engine}: killed {was}, told {end}"
        assert end.who == _expected(chain, place) or inner, f"{engine}: killed {was}, told {end.who}"
        await _all_gone(chain[place:], began)
        ending = await asyncio.wait_for(box.ended(), GONE)
        assert ending.reason is EndReason.BOX_DIED or inner, f"{engine}: killed {was}, told {ending}"
    else:
        assert inner, f"{engine}: killed {was}, and the command ended {end}"
        assert end.reason in (Reason.SIGNALLED, Reason.EXITED, Reason.KILLED), end
        assert (await collect(box, shell("echo lives"))).stdout == b"lives\n"
        await _all_gone(chain[-2:], began)


def _expected(chain: list[HostProcess], place: int) -> str:
    """The part at *place*: what is above the first process that names the agent is the keeper; a program of
    another name that was given the agent to run is the launcher; the others are the agent.
    """
    told = [any("guest" in word for word in process.words) for process in chain]
    first = told.index(True) if True in told else 2
    if place < first:
        return "keeper"
    return "agent" if "python" in chain[place].name else "launcher"


async def _all_gone(processes: list[HostProcess], began: float) -> None:
    """Everything below the victim has ended within the time a box has."""
    while left := [process for process in processes if is_same(process)]:
        assert time.monotonic() - began < GONE, f"still there: {left}"
        await asyncio.sleep(0.01)  # no event tells the end of a process that is not our child
