"""How the cases of neighbours and of residue are played: what two boxes, or two runs, know of each other."""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from sandlot.contracts.events import Stdout
from sandlot.testing.suite import stop

from .case import Finding, Outcome, Play
from .stage import Stage

_NOT_COMPARED = ("preloaded",)


@asynccontextmanager
async def another(stage: Stage) -> AsyncIterator[Stage]:
    """A stage on a second box of the same engine and spec."""
    box = await stage.engine.create(stage.spec)
    try:
        yield Stage(box, stage.engine, stage.canaries, stage.spec)
    finally:
        await box.close()


async def apart(stage: Stage) -> Outcome:
    """N06: one box listens in every way, and the other calls it."""
    async with another(stage) as listener:
        return await _called(listener, stage)


async def together(stage: Stage) -> Outcome:
    """Control of N06: two commands of one box do reach each other."""
    return await _called(stage, stage)


async def _called(listener: Stage, caller: Stage) -> Outcome:
    # Above the ports a kernel gives by itself, and low enough for any key of System V.
    told = {"port": 61000 + secrets.randbelow(4000), "key": 1 + secrets.randbelow(2**30)}
    facts: dict[str, object] = {**told, "name": secrets.token_hex(8)}
    events = listener.box.run(listener.command("neighbours:listen", facts, timeout=30.0))
    try:
        async for event in events:
            if isinstance(event, Stdout) and b"LISTENING" in event.data:
                break
        return await caller.attack("neighbours:reach", facts)
    finally:
        await stop(events)


async def numbers(stage: Stage) -> Outcome:
    """I05: twice in one box, and once in another; no generator says the same twice."""
    return await _compared(stage, "randomness:draw")


async def numbers_from_one_seed(stage: Stage) -> Outcome:
    """Control of I05: where the seed is the same, so is the number."""
    return await _compared(stage, "randomness:draw_from_one_seed")


async def _compared(stage: Stage, program: str) -> Outcome:
    first, second = await stage.attack(program), await stage.attack(program)
    async with another(stage) as other:
        third = await other.attack(program)
    found = []
    for name, values in _side_by_side(first, second, third).items():
        found.append(Finding(name, len(set(values)) < len(values), " ".join(values)))
    return _all_of((first, second, third), tuple(found))


async def memory_of_the_one_before(stage: Stage) -> Outcome:
    """I06: a run fills memory and files with a marker; its box is closed, and the next one searches."""
    mark = f"leftover-{secrets.token_hex(16)}"
    left = await stage.attack("residue:leave_in_memory", mark=mark)
    await stage.box.close()
    async with another(stage) as following:
        found = await following.attack("residue:find_in_memory", digest=_digest(mark))
    return _all_of((left, found), found.findings)


async def memory_of_ones_own(stage: Stage) -> Outcome:
    """Control of I06: in one process the marker is found."""
    mark = f"leftover-{secrets.token_hex(16)}"
    return await stage.attack("residue:find_in_its_own", mark=mark, digest=_digest(mark))


def _digest(mark: str) -> str:
    return hashlib.sha256(mark.encode()).hexdigest()


async def standing_of_the_one_before(stage: Stage) -> Outcome:
    """I08: a run changes all it can of itself; the next one, here and in another box, starts as the first."""
    async with another(stage) as untouched:
        before = await untouched.attack("residue:condition")
    spoilt = await stage.attack("residue:spoil")
    here = await stage.attack("residue:condition")
    async with another(stage) as following:
        there = await following.attack("residue:condition")
    return _all_of((before, spoilt, here, there), (*_changes(before, here), *_changes(before, there)))


async def standing_of_ones_own(stage: Stage) -> Outcome:
    """Control of I08: in one process the changes are seen."""
    before = await stage.attack("residue:condition")
    after = await stage.attack("residue:spoil_and_look")
    return _all_of((before, after), _changes(before, after))


def _changes(before: Outcome, after: Outcome) -> tuple[Finding, ...]:
    found = _side_by_side(before, after)
    return tuple(Finding(name, a != b, f"{a} became {b}") for name, (a, b) in found.items())


async def late_writers(stage: Stage) -> Outcome:
    """I09: whatever a run leaves behind, none of it is in the output of the next, here or in another box."""
    mark = f"late-{secrets.token_hex(8)}"
    left = await stage.attack("residue:write_late", mark=mark)
    here = await stage.attack("residue:listen_for_writers")
    async with another(stage) as following:
        there = await following.attack("residue:listen_for_writers")
    found = [_heard("the next run", mark, here), _heard("the next box", mark, there)]
    return _all_of((left, here, there), tuple(found))


async def own_writer(stage: Stage) -> Outcome:
    """Control of I09: what a run writes itself is in its output."""
    mark = f"late-{secrets.token_hex(8)}"
    outcome = await stage.attack("residue:say_it_oneself", mark=mark)
    return outcome.plus(_heard("its own output", mark, outcome))


def _heard(where: str, mark: str, outcome: Outcome) -> Finding:
    result = outcome.result
    assert result is not None
    said = mark.encode() in result.stdout + result.stderr
    return Finding(f"the late writer is heard in {where}", said, "heard" if said else "silence")


def machinery(program: str) -> Play:
    """D04: *program*, then the same box and a new one still answer."""

    async def run(stage: Stage) -> Outcome:
        outcome = await stage.attack(program, host_pid=os.getpid())
        async with another(stage) as following:
            after = await following.attack("files_inside:nothing")
        return outcome.plus(Finding("a new box answers no more", not after.finished))

    return run


async def makers(stage: Stage) -> Outcome:
    """D04: processes, what was inherited, and the death of those above, each with its own proof."""
    parts = [await machinery(f"machinery:{part}")(stage) for part in ("processes", "inherited")]
    async with another(stage) as doomed:
        last = await doomed.attack("machinery:parents", timeout=2.0)
    after = await stage.attack("files_inside:nothing")
    findings = [finding for part in (*parts, last) for finding in part.findings]
    return _all_of((*parts, after), tuple(findings))


def _side_by_side(*outcomes: Outcome) -> Mapping[str, tuple[str, ...]]:
    """What each outcome saw under a name that all have."""
    seen = [{finding.name: finding.seen for finding in outcome.findings} for outcome in outcomes]
    names = [name for name in seen[0] if name not in _NOT_COMPARED and all(name in each for each in seen)]
    return {name: tuple(each[name] for each in seen) for name in names}


def _all_of(outcomes: tuple[Outcome, ...], findings: tuple[Finding, ...]) -> Outcome:
    alive = all(outcome.alive for outcome in outcomes)
    finished = all(outcome.finished for outcome in outcomes)
    return Outcome(alive, finished, findings, outcomes[-1].result)
