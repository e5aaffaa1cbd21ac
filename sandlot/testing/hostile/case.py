"""What a hostile case is: a value. What came of it is judged by pure functions here."""

from __future__ import annotations

import enum
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sandlot.contracts.capability import Feature
from sandlot.contracts.events import Reason
from sandlot.contracts.result import Result
from sandlot.contracts.spec import Isolation, SandboxSpec

if TYPE_CHECKING:
    from .stage import Stage


class Verdict(enum.Enum):
    """What became of an attack."""

    HELD = "held"
    """It was really tried and did not work; host, siblings and leak counters are as before."""
    REFUSED = "refused"
    """The engine does not promise this and says so when asked for it: nothing ran."""
    BROKEN = "broken"
    """It worked."""
    CRASHED = "crashed"
    """It was not tried to its end, so nothing is known."""


@dataclass(frozen=True)
class Finding:
    """One thing tried: its name, whether it broke out, and what was seen."""

    name: str
    broke: bool
    seen: str = ""


@dataclass(frozen=True)
class Outcome:
    """Everything known after an attack; `alive` says that the program really began, `finished` that it
    came to its last line.
    """

    alive: bool
    finished: bool
    findings: tuple[Finding, ...] = ()
    result: Result | None = None

    def broken(self) -> tuple[Finding, ...]:
        """The findings that got through."""
        return tuple(finding for finding in self.findings if finding.broke)

    def plus(self, *findings: Finding) -> Outcome:
        """This outcome with *findings* seen from outside."""
        return Outcome(self.alive, self.finished, (*self.findings, *findings), self.result)


Judge = Callable[[Outcome], Verdict]
Play = Callable[["Stage"], Awaitable[Outcome]]


def by_findings(outcome: Outcome) -> Verdict:
    """HELD when the program began, tried something, came to its end, and nothing broke."""
    if outcome.broken():
        return Verdict.BROKEN
    if outcome.alive and outcome.finished and outcome.findings:
        return Verdict.HELD
    return Verdict.CRASHED


def ends_by(*reasons: Reason) -> Judge:
    """HELD when the program began, broke nothing, and was ended for one of *reasons* (or came to its end)."""

    def judge(outcome: Outcome) -> Verdict:
        if outcome.broken():
            return Verdict.BROKEN
        ended = outcome.result is not None and outcome.result.reason in reasons
        return Verdict.HELD if outcome.alive and (ended or outcome.finished) else Verdict.CRASHED

    return judge


@dataclass(frozen=True)
class Control:
    """The proof that the attack works where the wall is missing.

    Either the same play in a box made without `walls`, or with `spec` (a limit lifted); or `play`:
    another one, in a full box, that does the careless thing. `why_none` says for a case that attacks no
    wall of ours what it pins instead. `per_engine` replaces all of it for an engine where other layers
    hold the same attack. `hosts` are the kinds of host that can show it.
    """

    walls: frozenset[str] = frozenset()
    spec: SandboxSpec | None = None
    play: Play | None = None
    why_none: str = ""
    per_engine: Mapping[str, Control] = field(default_factory=dict)
    hosts: frozenset[str] = frozenset({"root", "user"})

    def __post_init__(self) -> None:
        """Refuse a control that controls nothing without saying why."""
        ways = (bool(self.walls), self.spec is not None, self.play is not None, bool(self.why_none))
        if not any(ways) or (self.why_none and sum(ways) > 1):
            raise ValueError("a control has something to take away, or a careless play, or a reason for none")

    def on(self, engine: str) -> Control:
        """The control to make on *engine*."""
        return self.per_engine.get(engine, self)


@dataclass(frozen=True)
class Case:
    """One attack. `level` is the lowest isolation that promises to hold it.

    An engine below the level, or without a feature in `needs`, is asked for it and must refuse.
    `expected` overrides the verdict for "engine/host", "engine", "level/host" or "level", most special
    first; without an entry it is HELD.
    """

    id: str
    title: str
    play: Play
    control: Control
    level: Isolation = Isolation.PROCESS
    spec: SandboxSpec = field(default_factory=SandboxSpec)
    needs: Feature = Feature.NOTHING
    judge: Judge = by_findings
    expected: Mapping[str, Verdict] = field(default_factory=dict)
    seconds: float = 60.0
    """Deadline of one play; the attack must have its end long before."""

    def verdict_for(self, engine: str, isolation: Isolation, features: Feature, host: str) -> Verdict:
        """The pinned verdict."""
        level = isolation.name.lower()
        for key in (f"{engine}/{host}", engine, f"{level}/{host}", level):
            if key in self.expected:
                return self.expected[key]
        promised = isolation >= self.level and not self.needs & ~features
        return Verdict.HELD if promised else Verdict.REFUSED


def walls(*names: str, hosts: tuple[str, ...] = ("root", "user"), **per_engine: Control) -> Control:
    """A control in a box made without the walls *names*; other engines may have another."""
    return Control(walls=frozenset(names), per_engine=per_engine, hosts=frozenset(hosts))


def lifted(spec: SandboxSpec, *names: str, **per_engine: Control) -> Control:
    """A control in a box with the wider limits of *spec* (and without the walls *names*)."""
    return Control(walls=frozenset(names), spec=spec, per_engine=per_engine)


def careless(play: Play, **per_engine: Control) -> Control:
    """A control that does the careless thing inside a full box."""
    return Control(play=play, per_engine=per_engine)


def no_wall(why: str) -> Control:
    """For a case that pins a defined result rather than a wall; *why* says what it pins."""
    return Control(why_none=why)
