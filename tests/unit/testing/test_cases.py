from __future__ import annotations

import ast
import importlib
import pkgutil
from pathlib import Path

import pytest

from sandlot.contracts.capability import Feature
from sandlot.contracts.events import Reason
from sandlot.contracts.result import Result
from sandlot.contracts.spec import Isolation
from sandlot.testing.hostile import CASES, Case, Control, Finding, Outcome, Verdict, programs
from sandlot.testing.hostile.canary import plant
from sandlot.testing.hostile.case import by_findings, ends_by, no_wall
from sandlot.testing.hostile.runner import judged
from sandlot.testing.hostile.stage import composed, outcome_of, play
from sandlot.testing.hostile.walls import WALLS

WANTED = {
    *(f"F{n:02}" for n in range(1, 19)),
    *(f"P{n:02}" for n in range(1, 17)),
    *(f"K{n:02}" for n in (*range(1, 16), 20)),
    *(f"R{n:02}" for n in range(1, 16)),
    *(f"Z{n:02}" for n in range(1, 16)),
    *("N06", "I05", "I06", "I08", "I09", "D04"),
}
MODULES = sorted(module.name for module in pkgutil.iter_modules(programs.__path__))


def result(stdout: bytes = b"", reason: Reason = Reason.EXITED) -> Result:
    return Result(0, reason, stdout, b"", "mine", Isolation.NAMESPACE, ())


def test_every_case_of_the_threat_list_is_there_once() -> None:
    ids = [case.id for case in CASES]
    assert len(ids) == len(set(ids))
    assert set(ids) >= WANTED


def test_a_case_without_a_control_says_why() -> None:
    assert all(
        case.control.why_none
        for case in CASES
        if not (case.control.walls or case.control.spec or case.control.play)
    )
    with pytest.raises(ValueError, match="a control has"):
        Control()


def test_every_wall_names_a_case_or_a_reason() -> None:
    for wall in WALLS:
        for engine in ("bubblewrap", "process", "foreign"):
            for host in ("root", "user"):
                case = wall.case_for(engine, host)
                assert (
                    case is not None
                    or wall.closes(engine, host)
                    or " " in wall.why_not(engine, host)[len(wall.name) + 2 :]
                )


@pytest.mark.parametrize("name", MODULES)
def test_importing_an_attack_program_does_nothing(name: str) -> None:
    module = importlib.import_module(f"{programs.__name__}.{name}")
    tree = ast.parse(Path(str(module.__file__)).read_text())
    calls = [
        node for node in tree.body if isinstance(node, ast.Expr) and not isinstance(node.value, ast.Constant)
    ]
    assert calls == []


@pytest.mark.parametrize("name", MODULES)
def test_an_attack_program_travels_as_text_and_only_once(name: str) -> None:
    text = composed(f"{name}:run")
    compile(text, "<code>", "exec")
    assert text.count(f"    ('{name}', ") == 1


def test_a_program_is_believed_from_its_first_line_to_its_last() -> None:
    lines = b"HELD too early: x\nALIVE n\nHELD one: EPERM\nnoise\nBROKE two: got 5: really\nVERDICT n\n"
    assert outcome_of(result(lines), "n").findings == (
        Finding("one", broke=False, seen="EPERM"),
        Finding("two", broke=True, seen="got 5: really"),
    )
    assert outcome_of(result(lines), "n").finished
    assert not outcome_of(result(lines), "another").alive


HELD = Finding("x", broke=False)
BROKE = Finding("y", broke=True)


@pytest.mark.parametrize(
    ("outcome", "verdict"),
    [
        (Outcome(alive=True, finished=True, findings=(HELD,)), Verdict.HELD),
        (Outcome(alive=True, finished=True, findings=(HELD, BROKE)), Verdict.BROKEN),
        (Outcome(alive=True, finished=False, findings=(HELD,)), Verdict.CRASHED),
        (Outcome(alive=False, finished=True, findings=(HELD,)), Verdict.CRASHED),
        (Outcome(alive=True, finished=True), Verdict.CRASHED),
        (Outcome(alive=False, finished=False, findings=(BROKE,)), Verdict.BROKEN),
    ],
)
def test_a_crash_is_no_pass(outcome: Outcome, verdict: Verdict) -> None:
    assert by_findings(outcome) is verdict


def test_an_end_counts_only_for_a_program_that_began() -> None:
    judge = ends_by(Reason.TIMEOUT)
    timed_out = result(reason=Reason.TIMEOUT)
    assert judge(Outcome(alive=True, finished=False, findings=(HELD,), result=timed_out)) is Verdict.HELD
    assert judge(Outcome(alive=False, finished=False, findings=(), result=timed_out)) is Verdict.CRASHED
    assert (
        judge(Outcome(alive=True, finished=False, findings=(), result=result(reason=Reason.SIGNALLED)))
        is Verdict.CRASHED
    )
    assert judge(Outcome(alive=True, finished=False, findings=(BROKE,), result=timed_out)) is Verdict.BROKEN


def test_the_most_special_expectation_counts() -> None:
    expected = {"mine": Verdict.REFUSED, "mine/user": Verdict.BROKEN, "vm": Verdict.CRASHED}
    case = Case("X01", "x", play("report:run"), no_wall("none"), expected=expected)
    nothing = Feature.NOTHING
    assert case.verdict_for("mine", Isolation.VM, nothing, "user") is Verdict.BROKEN
    assert case.verdict_for("mine", Isolation.VM, nothing, "root") is Verdict.REFUSED
    assert case.verdict_for("other", Isolation.VM, nothing, "root") is Verdict.CRASHED
    assert case.verdict_for("other", Isolation.NAMESPACE, nothing, "root") is Verdict.HELD


def test_what_is_not_promised_must_be_refused() -> None:
    case = Case(
        "X01", "x", play("report:run"), no_wall("none"), level=Isolation.NAMESPACE, needs=Feature.LIMIT_PIDS
    )
    assert case.verdict_for("a", Isolation.PROCESS, Feature.LIMIT_PIDS, "root") is Verdict.REFUSED
    assert case.verdict_for("a", Isolation.NAMESPACE, Feature.NOTHING, "root") is Verdict.REFUSED
    assert case.verdict_for("a", Isolation.NAMESPACE, Feature.LIMIT_PIDS, "root") is Verdict.HELD


def test_the_host_outweighs_what_the_program_says() -> None:
    case = Case("X01", "x", play("report:run"), no_wall("none"))
    canaries = plant()
    try:
        held = Outcome(alive=True, finished=True, findings=(HELD,), result=result(b"nothing"))
        told = Outcome(alive=True, finished=True, findings=(HELD,), result=result(canaries.token.encode()))
        assert judged(case, held, canaries, (), ()) is Verdict.HELD
        assert judged(case, told, canaries, (), ()) is Verdict.BROKEN
        assert judged(case, held, canaries, ("changed",), ()) is Verdict.BROKEN
        assert judged(case, held, canaries, (), ("a process",)) is Verdict.BROKEN
        assert judged(case, None, canaries, (), ()) is Verdict.CRASHED
    finally:
        canaries.remove()


def test_canaries_notice_every_disturbance() -> None:
    canaries = plant()
    try:
        assert canaries.disturbances() == ()
        (canaries.open_to_all / "new").touch()
        canaries.secret.write_text("changed")
        canaries.writable.chmod(0o600)
        (canaries.directory / "beside").touch()
        assert len(canaries.disturbances()) == 4
    finally:
        canaries.remove()
