"""Specs, commands, errors, capabilities and results."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import List

import pytest

from sandlot.contracts import errors
from sandlot.contracts.capability import Feature, Viability, require
from sandlot.contracts.command import Command
from sandlot.contracts.events import (
    Event,
    Exited,
    Failed,
    Reason,
    Started,
    Stderr,
    Stdout,
    exit_code_of,
)
from sandlot.contracts.quantity import Bytes
from sandlot.contracts.result import Result, fold
from sandlot.contracts.service import RunRequest
from sandlot.contracts.spec import DEFAULT_LIMITS, Isolation, Limits, Network, SandboxSpec


def test_isolation_is_ordered() -> None:
    assert Isolation.PROCESS < Isolation.NAMESPACE < Isolation.USERKERNEL < Isolation.VM
    assert Isolation.parse("vm") is Isolation.VM


def test_unknown_names_are_refused_with_the_known_ones() -> None:
    with pytest.raises(errors.InvalidSpec, match="namespace"):
        Isolation.parse("strict")
    with pytest.raises(errors.InvalidSpec, match="none or full"):
        Network.parse("some")
    assert Network.parse("full") is Network.FULL


def test_limits_take_defaults_only_where_nothing_was_asked() -> None:
    limits = Limits(memory=Bytes(5)).or_else(DEFAULT_LIMITS)
    assert limits.memory == 5
    assert limits.pids == DEFAULT_LIMITS.pids
    assert Limits(memory=Bytes(5), pids=3).asked() == ("memory", "pids")


@pytest.mark.parametrize("name", ["pids", "inodes", "open_files"])
@pytest.mark.parametrize("count", [0, -1, 10**9])
def test_counts_out_of_range_are_refused(name: str, count: int) -> None:
    with pytest.raises(errors.InvalidSpec):
        Limits(**{name: count})  # type: ignore[arg-type]


def test_a_commands_variables_go_over_the_sandboxs() -> None:
    spec = SandboxSpec(env={"A": "1", "B": "1"})
    assert spec.environ({"B": "2"}) == {"A": "1", "B": "2"}
    assert RunRequest(Command(code="")).spec == SandboxSpec()


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"argv": ("a",), "code": "b"},
        {"argv": ("",)},
        {"argv": ("a\0",)},
        {"argv": ("x" * 200_000,)},
        {"code": "x" * (16 * 2**20 + 1)},
        {"code": "x", "workdir": PurePosixPath("relative")},
        {"code": "x", "workdir": PurePosixPath("/a/../b")},
        {"code": "x", "env": {"=": ""}},
    ],
)
def test_commands_that_are_no_commands_are_refused(wrong: dict) -> None:  # type: ignore[type-arg]
    with pytest.raises(errors.InvalidSpec):
        Command(**wrong)


def test_a_shell_line_is_one_argument() -> None:
    assert Command.shell("echo $X; ls", env={"X": "1"}).argv == ("/bin/sh", "-c", "echo $X; ls")


def test_every_error_has_a_code_of_its_own_and_a_fault() -> None:
    kinds = errors.kinds()
    assert len(kinds) == 20
    faults = (errors.Misuse, errors.Exceeded, errors.Denied, errors.Unavailable)
    assert all(issubclass(kind, faults) for kind in kinds.values())
    assert kinds["box_died"]("gone").retryable
    assert errors.BoxDied("gone", who="keeper").who == "keeper"


@pytest.mark.parametrize("kind", [errors.SandlotError, errors.Misuse, errors.Unavailable])
def test_faults_themselves_are_never_raised(kind: type) -> None:
    with pytest.raises(TypeError, match="raise one of its kinds"):
        kind("x")


def test_a_missing_feature_is_refused_by_name() -> None:
    require(Feature.FILES, Feature.FILES | Feature.MOUNTS, engine="e")
    with pytest.raises(errors.Unsupported, match=r"engine e .* limit_memory, terminals"):
        require(Feature.TERMINALS | Feature.LIMIT_MEMORY | Feature.FILES, Feature.FILES, engine="e")


def test_a_viability_works_unless_it_has_a_cause() -> None:
    assert Viability("e", Isolation.PROCESS).works
    assert not Viability("e", Isolation.PROCESS, cause="no").works


@pytest.mark.parametrize(
    ("reason", "code", "signal", "shown"),
    [
        (Reason.EXITED, 0, None, 0),
        (Reason.EXITED, 44, None, 44),
        (Reason.EXITED, None, None, 0),
        (Reason.SIGNALLED, None, 11, 139),
        (Reason.TIMEOUT, None, 9, 124),
        (Reason.OUT_OF_MEMORY, None, 9, 137),
        (Reason.OUTPUT_LIMIT, None, 9, 137),
        (Reason.KILLED, None, None, 137),
        (Reason.BOX_DIED, None, None, 125),
    ],
)
def test_exit_codes_are_what_a_shell_shows(reason: Reason, code: int, signal: int, shown: int) -> None:
    assert exit_code_of(reason, code, signal) == shown


def _fold(events: List[Event]) -> Result:
    return fold(events, engine="e", isolation=Isolation.NAMESPACE, enforced=("seccomp",))


def test_events_fold_into_a_result() -> None:
    end = Exited(Reason.EXITED, 3, stdout_truncated=True, duration=0.25, cpu_seconds=0.1, memory_peak=9)
    result = _fold([Started("1"), Stdout(b"a\xff"), Stderr(b"e"), Stdout(b"b"), end])
    assert (result.stdout, result.stderr, result.exit_code, result.ok) == (b"a\xffb", b"e", 3, False)
    assert (result.text, result.errors) == ("a\ufffdb", "e")
    assert result.to_json() == {
        "exitCode": 3,
        "signal": None,
        "reason": "exited",
        "stdout": "a\ufffdb",
        "stderr": "e",
        "truncated": {"stdout": True, "stderr": False},
        "durationMs": 250.0,
        "cpuMs": 100.0,
        "memoryPeakBytes": 9,
        "metrics": {"durationMs": 250.0, "cpuTimeMs": 100.0, "memoryPeakMb": 0.0},
        "engine": "e",
        "isolation": "namespace",
        "enforced": ["seccomp"],
        "who": None,
        "failover": [],
    }


def test_a_failed_event_raises_the_error_it_names() -> None:
    with pytest.raises(errors.NotFound, match="no such directory"):
        _fold([Failed("not_found", "no such directory")])
    with pytest.raises(errors.StartFailed):
        _fold([Failed("something else", "x")])


def test_events_without_an_end_are_a_dead_box() -> None:
    with pytest.raises(errors.BoxDied):
        _fold([Started("1"), Stdout(b"a")])
