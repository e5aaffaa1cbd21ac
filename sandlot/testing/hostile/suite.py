"""The hostile suite as tests: every case, every control, and the table of walls, on one engine."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

import pytest

from sandlot.contracts.engine import Engine
from sandlot.contracts.errors import StartFailed, Unsupported
from sandlot.contracts.spec import SandboxSpec
from sandlot.testing.ledger import Record, host_kind
from sandlot.testing.suite import Suite

from .case import Case, Verdict
from .catalogue import CASES
from .runner import Report, ask, attempt, control, taken_out
from .walls import WALLS, Wall

CONTROLLED = [case for case in CASES if not case.control.why_none]


def _name(value: Any) -> str:
    return value.id if isinstance(value, Case) else str(value.name)


class HostileSuite(Suite):
    """Subclass it, name the engine, begin the class's name with Test."""

    pytestmark: ClassVar[list[pytest.MarkDecorator]] = [pytest.mark.hostile]
    deadline: ClassVar[float] = 55.0
    executed: ClassVar[list[str]]
    """Ids of the cases that were really played or refused in this session."""
    controlled: ClassVar[list[str]]
    """Ids of the cases whose control was made."""
    fewest_controls: ClassVar[tuple[int, int]] = (0, 0)
    """How many controls this engine must have made, as root and as a user, when all were asked for."""

    @classmethod
    def raise_curtain(cls) -> None:
        """As every suite, with an empty list of executed cases."""
        cls.executed, cls.controlled = [], []
        super().raise_curtain()

    @pytest.mark.parametrize("case", CASES, ids=_name)
    async def test_attack(self, case: Case) -> None:
        """The attack has its pinned verdict."""
        expected = case.verdict_for(
            self.engine_name, self.engine.isolation, self.viability.features, host_kind()
        )
        if expected is Verdict.REFUSED:
            report = await ask(case, self.engine)
        else:
            sibling = await self.bench.shared_box()
            report = await attempt(case, self.engine, fuzz_seconds=self.fuzz_seconds, sibling=sibling)
        self.executed.append(case.id)
        self._enter("hostile", case.id, case.title, report, expected.value)
        assert report.verdict is expected, f"{case.id} {case.title}\n{report.explain()}"

    @pytest.mark.parametrize("case", CONTROLLED, ids=_name)
    async def test_control(self, case: Case) -> None:
        """The same attack works where its wall is missing, so that the case can turn red at all."""
        self._controllable(case)
        without = case.control.on(self.engine_name).walls
        try:
            engine = self.bench.engine(without)
            report = await control(case, engine, fuzz_seconds=self.fuzz_seconds)
        except Unsupported as error:
            pytest.skip(f"{self.engine_name} cannot leave out {', '.join(sorted(without))}: {error}")
        self.controlled.append(case.id)
        self._enter("control", case.id, case.title, report, Verdict.BROKEN.value)
        assert report.verdict is Verdict.BROKEN, f"the control of {case.id} shows nothing\n{report.explain()}"

    @pytest.mark.parametrize("wall", WALLS, ids=_name)
    async def test_a_wall_taken_out_turns_its_case_red(self, wall: Wall) -> None:
        """Only this wall is missing, and the case named for it no longer holds."""
        try:
            engine = self.bench.engine(frozenset({wall.name}))
        except Unsupported as error:
            pytest.skip(f"{self.engine_name} has no wall {wall.name} to leave out: {error}")
        if wall.closes(self.engine_name, host_kind()):
            with pytest.raises(StartFailed, match=r"wall \w+ could not be put up"):
                await engine.create(SandboxSpec())
            report = Report(Verdict.REFUSED, None)
            self._enter("wall", wall.name, "nothing starts", report, Verdict.REFUSED.value)
            return
        case = wall.case_for(self.engine_name, host_kind())
        if case is None:
            pytest.skip(wall.why_not(self.engine_name, host_kind()))
        await self._turns_red(wall, case, engine)

    async def _turns_red(self, wall: Wall, case: Case, engine: Engine) -> None:
        try:
            report = await taken_out(case, engine, fuzz_seconds=self.fuzz_seconds)
        except Unsupported as error:  # a limit that can no longer be enforced is refused: red, and honest
            report = Report(Verdict.REFUSED, None, error=str(error))
        expected = Verdict.REFUSED if report.verdict is Verdict.REFUSED else Verdict.BROKEN
        self._enter("wall", wall.name, case.id, report, expected.value)
        assert wall.name not in report.enforced, f"{wall.name} was left out and is still said to be enforced"
        red = report.verdict in (Verdict.BROKEN, Verdict.REFUSED)
        assert red, f"{case.id} stays green without {wall.name}\n{report.explain()}"

    def test_every_case_asked_for_was_executed(self, request: pytest.FixtureRequest) -> None:
        """Nothing is missing silently."""
        assert self.executed == self._asked(request, "test_attack", CASES)

    def test_enough_controls_were_made(self, request: pytest.FixtureRequest) -> None:
        """Controls may be skipped, each with its reason, but not more of them than is known."""
        asked = self._asked(request, "test_control", CONTROLLED)
        if len(asked) == len(CONTROLLED):
            assert len(self.controlled) >= self.fewest_controls[host_kind() == "user"]

    def _asked(self, request: pytest.FixtureRequest, test: str, cases: Iterable[Case]) -> list[str]:
        names = {item.name for item in request.session.items if getattr(item, "cls", None) is type(self)}
        return [case.id for case in cases if f"{test}[{case.id}]" in names]

    def _controllable(self, case: Case) -> None:
        expected = case.verdict_for(
            self.engine_name, self.engine.isolation, self.viability.features, host_kind()
        )
        if expected is not Verdict.HELD:
            pytest.skip(f"{self.engine_name} refuses {case.id} on this host: there is no wall to take away")
        chosen = case.control.on(self.engine_name)
        if chosen.why_none or host_kind() not in chosen.hosts:
            shown = chosen.why_none or f"shown as {' or '.join(sorted(chosen.hosts))} only"
            pytest.skip(f"no control of {case.id} on {self.engine_name}: {shown}")

    def _enter(self, suite: str, case: str, title: str, report: Report, expected: str) -> None:
        broken = report.outcome.broken() if report.outcome else ()
        note = "; ".join(f"{finding.name}: {finding.seen}" for finding in broken)[:300]
        entry = Record(
            suite=suite,
            engine=self.engine_name,
            host=host_kind(),
            case=case,
            outcome=report.verdict.value,
            expected=expected,
            seconds=report.seconds,
            note=note,
            title=title,
        )
        self.ledger.write(entry)
