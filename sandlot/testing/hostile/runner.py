"""Runs a case: canaries out, box up, attack, box down, then everything is looked at."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

from sandlot.contracts.capability import Feature, require
from sandlot.contracts.engine import Box, Engine
from sandlot.contracts.errors import Unsupported
from sandlot.contracts.spec import SandboxSpec
from sandlot.testing import leaks
from sandlot.testing.suite import collect, shell

from . import canary
from .case import Case, Finding, Outcome, Play, Verdict
from .stage import Stage

_HEALTHY = 5.0
"""Seconds within which a box answers that lives beside the attacked one."""


@dataclass(frozen=True)
class Report:
    """What was found for one case, with the proof."""

    verdict: Verdict
    outcome: Outcome | None
    enforced: tuple[str, ...] = ()
    disturbances: tuple[str, ...] = ()
    leaked: tuple[str, ...] = ()
    seconds: float = 0.0
    error: str = ""

    def explain(self) -> str:
        """Everything known, for the reader of a red test."""
        lines = [
            f"verdict {self.verdict.value} after {self.seconds:.1f} s; enforced {' '.join(self.enforced)}"
        ]
        if self.error:
            lines.append(self.error)
        lines += [f"host changed: {line}" for line in self.disturbances]
        lines += [f"left behind: {line}" for line in self.leaked]
        if self.outcome is not None:
            broken = self.outcome.broken()
            held = len(self.outcome.findings) - len(broken)
            lines.append(
                f"alive {self.outcome.alive}, finished {self.outcome.finished}, {held} attempts held"
            )
            lines += [f"BROKE {finding.name}: {finding.seen}" for finding in broken]
            lines += _of_result(self.outcome)
        return "\n".join(lines)


def _of_result(outcome: Outcome) -> list[str]:
    result = outcome.result
    if result is None:
        return []
    end = (
        f"ended {result.reason.value}, exit code {result.exit_code}, signal {result.signal}, who {result.who}"
    )
    return [end, f"stderr: {result.errors[-1500:]}", f"stdout: {result.text[-1200:]}"]


_ASKED_BY_SPEC = (
    Feature.LIMIT_MEMORY
    | Feature.LIMIT_CPU
    | Feature.LIMIT_PIDS
    | Feature.LIMIT_DISK
    | Feature.LIMIT_INODES
    | Feature.NETWORK_FULL
    | Feature.MOUNTS
)


async def ask(case: Case, engine: Engine) -> Report:
    """Ask for what the engine does not promise: REFUSED, or BROKEN when it makes a box all the same."""
    spec = case.spec
    if engine.isolation < case.level:
        spec = SandboxSpec(isolation=case.level, limits=spec.limits, network=spec.network)
    try:
        box = await engine.create(spec)
    except Unsupported as error:
        return Report(Verdict.REFUSED, None, error=str(error))
    await box.close()
    try:
        # What no spec can ask for (files, terminals) shows in what the box says it can do.
        require(case.needs, box.features, engine=engine.name)
    except Unsupported as error:
        if not case.needs & _ASKED_BY_SPEC:
            return Report(Verdict.REFUSED, None, error=str(error))
    return Report(Verdict.BROKEN, None, error=f"a box was made for {spec}, which is not promised")


async def attempt(case: Case, engine: Engine, *, fuzz_seconds: float, sibling: Box | None = None) -> Report:
    """Play *case* on a new box of *engine*; judge it with canaries, leak counters and *sibling*."""
    began = time.monotonic()
    before = leaks.snapshot()
    canaries = canary.plant()
    try:
        outcome, enforced, error = await _played(case, case.play, case.spec, engine, canaries, fuzz_seconds)
        if outcome is not None and sibling is not None:
            outcome = outcome.plus(await _health(sibling))
        leaked = leaks.difference(before, await leaks.settled(before))
        disturbances = canaries.disturbances()
    finally:
        canaries.remove()
    verdict = judged(case, outcome, canaries, disturbances, leaked)
    return Report(verdict, outcome, enforced, disturbances, leaked, time.monotonic() - began, error)


def judged(
    case: Case,
    outcome: Outcome | None,
    canaries: canary.Canaries,
    disturbances: tuple[str, ...],
    leaked: tuple[str, ...],
) -> Verdict:
    """The verdict; what is seen on the host outweighs what the program says."""
    if outcome is None:
        return Verdict.CRASHED
    result = outcome.result
    read = result is not None and (canaries.seen_in(result.stdout) or canaries.seen_in(result.stderr))
    if disturbances or leaked or read:
        return Verdict.BROKEN
    return case.judge(outcome)


async def control(case: Case, engine: Engine, *, fuzz_seconds: float) -> Report:
    """Play the control of *case* on *engine*; BROKEN is what it should show."""
    chosen = case.control.on(engine.name)
    play, spec = chosen.play or case.play, chosen.spec or case.spec
    return await _unguarded(case, play, spec, engine, fuzz_seconds)


async def taken_out(case: Case, engine: Engine, *, fuzz_seconds: float) -> Report:
    """Play the very attack of *case* on an engine that lacks a wall; BROKEN is what it should show."""
    return await _unguarded(case, case.play, case.spec, engine, fuzz_seconds)


async def _unguarded(
    case: Case, play: Play, spec: SandboxSpec, engine: Engine, fuzz_seconds: float
) -> Report:
    began = time.monotonic()
    canaries = canary.plant()
    try:
        outcome, enforced, error = await _played(case, play, spec, engine, canaries, fuzz_seconds)
        disturbances = canaries.disturbances()
    finally:
        canaries.remove()
    verdict = judged(case, outcome, canaries, disturbances, ())
    return Report(verdict, outcome, enforced, disturbances, (), time.monotonic() - began, error)


async def _played(
    case: Case, play: Play, spec: SandboxSpec, engine: Engine, canaries: canary.Canaries, fuzz_seconds: float
) -> tuple[Outcome | None, tuple[str, ...], str]:
    box = await engine.create(spec)
    try:
        stage = Stage(box, engine, canaries, spec, fuzz_seconds)
        return await asyncio.wait_for(play(stage), case.seconds + fuzz_seconds), box.enforced, ""
    except TimeoutError:
        return None, box.enforced, f"no defined result within {case.seconds + fuzz_seconds} s"
    finally:
        await asyncio.wait_for(box.close(), case.seconds)


async def _health(sibling: Box) -> Finding:
    """A box that lives beside the attacked one must answer as if nothing had been."""
    began = time.monotonic()
    result = await collect(sibling, shell("echo well"))
    seconds = time.monotonic() - began
    ill = result.stdout != b"well\n" or seconds > _HEALTHY
    return Finding("a sibling box answers", ill, f"{result.stdout!r} after {seconds:.2f} s")
