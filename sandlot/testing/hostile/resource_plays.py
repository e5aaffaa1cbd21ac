"""How the resource cases are played: small floods, bounded by the limits asked for."""

from __future__ import annotations

import asyncio

from sandlot.contracts.events import Reason, Started
from sandlot.contracts.quantity import Bytes, Seconds
from sandlot.contracts.spec import SandboxSpec
from sandlot.testing import leaks
from sandlot.testing.suite import collect, shell, stop

from .case import Finding, Outcome
from .stage import PATIENCE, Stage

_MIB = 2**20
_KINDS = (
    "heap",
    "shared mapping",
    "memory file",
    "shared files",
    "temporary files",
    "workspace files",
    "pipe buffers",
    "socket buffers",
    "many processes",
)
_WAYS = ("sleep", "regular expression", "big number", "loop in C", "sleep in C", "endless loop")


async def fork_bombs(stage: Stage) -> Outcome:
    """R01: three bombs. After the counted ones the box runs commands again; the endless one ends on time, and
    may cost the box, which the caller is then told.
    """
    limit = 48
    counted = await stage.attack("resources_kernel:fork_bomb", pids=limit)
    threads = await stage.attack("resources_kernel:thread_bomb", pids=limit)
    found = [*threads.findings, await _works(stage)]
    if not counted.broken():  # without a limit this one would be felt by the whole machine
        endless = await stage.attack("resources_kernel:endless_bomb", timeout=0.5)
        ended = endless.result is not None and endless.result.reason is Reason.TIMEOUT
        found += [Finding("the endless bomb has no end", not ended), await _works(stage, or_died=True)]
    return counted.plus(*found)


async def _works(stage: Stage, *, or_died: bool = False) -> Finding:
    result = await collect(stage.box, shell("echo well"))
    well = result.stdout == b"well\n" or (or_died and result.reason is Reason.BOX_DIED)
    return Finding("the box no longer works", not well, f"{result.reason.value} {result.errors[-200:]}")


async def memory_bombs(stage: Stage) -> Outcome:
    """R02: each form in a box of its own; it ends out of memory, or is refused the memory."""
    wanted = 160 * _MIB
    found: list[Finding] = []
    for kind in _KINDS:
        box = await stage.engine.create(stage.spec)
        try:
            outcome = await Stage(box, stage.engine, stage.canaries).attack(
                "resources_memory:memory", kind=kind, wanted=wanted
            )
        finally:
            await box.close()
        result = outcome.result
        told = outcome.finished or (
            result is not None and result.reason in (Reason.OUT_OF_MEMORY, Reason.BOX_DIED)
        )
        found += outcome.findings
        found.append(
            Finding(f"{kind} has no defined end", not (outcome.alive and told), str(result and result.reason))
        )
    last = await stage.attack("files_inside:nothing")
    return last.plus(*found)


async def inflate(stage: Stage) -> Outcome:
    """R12: inside, a bomb meets the memory limit."""
    return await stage.attack("resources_memory:inflate", wanted=160 * _MIB)


async def never_back(stage: Stage) -> Outcome:
    """R04: each way to hold on; all end by the timeout, on time."""
    found: list[Finding] = []
    outcome = None
    for kind in _WAYS:
        outcome = await stage.attack("resources_machine:hold_on", kind=kind, timeout=0.3)
        result = outcome.result
        late = result is None or result.reason is not Reason.TIMEOUT or not 0.29 <= result.duration < 1.3
        found.append(
            Finding(
                f"{kind} did not end on time",
                late,
                f"{result and result.duration} {result and result.reason}",
            )
        )
    assert outcome is not None
    return outcome.plus(*found)


async def polite_timeout(stage: Stage) -> Outcome:
    """Control of R04: an alarm inside the interpreter does not interrupt C code that holds on."""
    outcome = await stage.attack("processes_own:polite_alarm", timeout=0.6)
    late = outcome.result is not None and outcome.result.reason is Reason.TIMEOUT
    return outcome.plus(Finding("the alarm inside never came", late))


async def flood(stage: Stage) -> Outcome:
    """R05: the rest is dropped, the program killed, our own memory stays small."""
    before = leaks.resident()
    outcome = await stage.attack("resources_machine:flood", output=_MIB)
    grown = leaks.resident() - before
    kept = len(outcome.result.stdout) if outcome.result else 0
    marked = outcome.result is not None and outcome.result.stdout_truncated
    return outcome.plus(
        Finding("our memory grew", grown > 17 * _MIB, f"{grown} bytes"),
        Finding("more was kept than allowed", kept > _MIB, str(kept)),
        Finding("nobody was told", not marked),
    )


async def unbounded(stage: Stage) -> Outcome:
    """Control of R05: with a limit far above, far more comes."""
    command = shell("head -c 64000000 /dev/zero", output_limit=Bytes(128 * _MIB), timeout=Seconds(PATIENCE))
    result = await collect(stage.box, command)
    return Outcome(True, True, (Finding("far more was kept", len(result.stdout) > _MIB),), result)


async def fill_disk(stage: Stage) -> Outcome:
    """R06: writes and reservations."""
    quota = 16 * _MIB
    outcome = await stage.attack("resources_machine:disk", quota=quota)
    reserved = await stage.attack("resources_machine:sparse_growth", quota=quota)
    return outcome.plus(*reserved.findings, await _works(stage))


async def interleave(stage: Stage) -> Outcome:
    """R10: counted here, line by line."""
    lines = 100_000
    outcome = await stage.attack(
        "resources_machine:interleave", lines=lines, output=8 * _MIB, timeout=2 * PATIENCE
    )
    result = outcome.result
    assert result is not None
    out = [line for line in result.stdout.split(b"\n") if line.startswith(b"o")]
    err = [line for line in result.stderr.split(b"\n") if line]
    return outcome.plus(
        Finding("stdout lost its order", out != [b"o%d" % n for n in range(lines)], f"{len(out)} lines"),
        Finding("stderr lost its order", err != [b"e%d" % n for n in range(lines)], f"{len(err)} lines"),
    )


async def sleepers(stage: Stage) -> Outcome:
    """R13: several boxes asleep; another one answers as before."""
    boxes = [await stage.engine.create(SandboxSpec()) for _ in range(4)]
    asleep = []
    try:
        for box in boxes:
            other = Stage(box, stage.engine, stage.canaries)
            events = box.run(other.command("resources_kernel:sleep_for_ever", timeout=60))
            asleep.append(events)
            async for event in events:
                if isinstance(event, Started):
                    break
        outcome = await stage.attack("files_inside:nothing")
    finally:
        for events in asleep:
            await stop(events)
        await asyncio.gather(*(box.close() for box in boxes))
    return outcome
