from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import Any, Callable, Dict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandlot.contracts.capability import Feature
from sandlot.contracts.errors import InvalidSpec
from sandlot.contracts.events import Reason
from sandlot.contracts.lease import Ending, EndReason, Lease, State
from sandlot.contracts.result import Result
from sandlot.contracts.service import SandboxStatus
from sandlot.contracts.spec import Isolation
from sandlot.wire.entries import entries_from, rows_from
from sandlot.wire.statuses import feature_names, features_of, statuses_from
from sandlot.wire.values import (
    change_from,
    change_to_json,
    entry_from,
    entry_to_json,
    result_from,
    result_to_json,
    row_from,
    row_to_json,
    status_from,
    status_to_json,
    time_from,
    time_text,
)
from tests.base.wire.hostile_json import json_values, names, near, objects, seconds, texts, values
from tests.base.wire.test_requests import carried

milliseconds = st.integers(0, 4 * 10**12).map(lambda ms: ms / 1000)
results = st.builds(
    Result,
    exit_code=st.integers(0, 255),
    reason=st.sampled_from(Reason),
    stdout=st.binary(max_size=20),
    stderr=st.binary(max_size=20),
    engine=names,
    isolation=st.sampled_from(Isolation),
    enforced=st.lists(names, max_size=3).map(tuple),
    signal=st.none() | st.integers(1, 64),
    stdout_truncated=st.booleans(),
    stderr_truncated=st.booleans(),
    duration=milliseconds,
    cpu_seconds=milliseconds,
    memory_peak=st.integers(0, 2**60),
    who=st.none() | names,
    failover=st.lists(texts, max_size=2).map(tuple),
)
returned = st.builds(lambda result, value: replace(result, result=value, has_result=True), results, values)
endings = st.builds(Ending, st.sampled_from(EndReason), milliseconds, texts)
statuses = st.builds(
    SandboxStatus,
    id=names,
    engine=names,
    isolation=st.sampled_from(Isolation),
    enforced=st.lists(names, max_size=3).map(tuple),
    lease=st.builds(Lease, st.none() | seconds, milliseconds),
    state=st.sampled_from(State),
    features=st.lists(st.sampled_from(Feature)).map(
        lambda some: features_of(tuple(f.name or "" for f in some))
    ),
    created=milliseconds,
    is_durable=st.booleans(),
    ending=st.none() | endings,
)
SOUND_STATUS = status_to_json(
    SandboxStatus("a", "e", Isolation.VM, ("x",), Lease(None, 5.0), ending=Ending(EndReason.DELETED, 1.0)),
    "sbx-0",
)
SOUND_RESULT = result_to_json(Result(0, Reason.EXITED, b"\xff", b"", "e", Isolation.VM, ()))
ENTRY = {
    "name": "a",
    "path": "/a",
    "kind": "symlink",
    "size": 1,
    "mode": 0o644,
    "mtime": 1.5,
    "target": "caf\udce9",
}
ROW = {
    "id": "1",
    "argv": ["ls"],
    "background": True,
    "running": False,
    "exit_code": 0,
    "signal": None,
    "started": 2.5,
}


@given(results | returned)
def test_a_result_arrives_as_it_was(result: Result) -> None:
    told = result_to_json(result)
    assert isinstance(told["durationMs"], int)
    assert ("stdoutBase64" in told) == (result.stdout.decode("utf-8", "ignore").encode() != result.stdout)
    assert result_from(carried(told)) == replace(result, cpu_seconds=result_from(told).cpu_seconds)


@given(statuses)
def test_a_status_arrives_as_it_was(status: SandboxStatus) -> None:
    told = carried(status_to_json(status, "sbx-0123456789"))
    found = status_from(told)
    assert found == replace(status, lease=found.lease, created=found.created, ending=found.ending)
    assert found.lease.ttl == status.lease.ttl
    assert found.lease.active == pytest.approx(status.lease.active, abs=0.0006)
    assert (found.ending is None) == (status.ending is None)
    assert (told["expiresAt"] is None) == (status.lease.ttl is None)


@pytest.mark.parametrize(
    ("read", "values"),
    [
        (result_from, objects("exitCode", "reason", "stdout", "isolation") | near(SOUND_RESULT)),
        (status_from, objects("id", "state", "ending") | near(SOUND_STATUS)),
        (statuses_from, objects("sandboxes", "next") | near({"sandboxes": [SOUND_STATUS], "next": "a"})),
        (entry_from, objects("name", "path") | near(entry_to_json(ENTRY))),
        (entries_from, objects("entries") | near({"entries": [entry_to_json(ENTRY)]})),
        (change_from, objects("path", "kind")),
        (row_from, objects("id", "argv") | near(row_to_json(ROW))),
        (rows_from, objects("processes") | near({"processes": [row_to_json(ROW)]})),
    ],
)
def test_whatever_comes_is_read_or_refused_as_invalid(
    read: Callable[[object], object], values: st.SearchStrategy[object]
) -> None:
    @given(values | json_values)
    def attempt(value: object) -> None:
        with suppress(InvalidSpec):
            read(value)

    attempt()


@pytest.mark.parametrize(
    ("read", "value", "why"),
    [
        (status_from, {**SOUND_STATUS, "state": "asleep"}, "state 'asleep' is unknown"),
        (
            status_from,
            {**SOUND_STATUS, "ending": {"reason": "bored", "at": "x"}},
            "ending.reason 'bored' is unknown",
        ),
        (status_from, {**SOUND_STATUS, "createdAt": "x"}, "createdAt is wrong"),
        (status_from, {**SOUND_STATUS, "id": "/"}, "id is wrong"),
        (result_from, {**SOUND_RESULT, "reason": "bored"}, "reason 'bored' is unknown"),
        (result_from, {**SOUND_RESULT, "exitCode": 256}, "exitCode 256 is out of range"),
        (result_from, {**SOUND_RESULT, "durationMs": 10**30}, "durationMs"),
        (entry_from, {**ENTRY, "name": "\ud800"}, "name '\\ud800' is not valid Unicode"),
        (change_from, {"path": "/a", "kind": "eaten"}, "kind 'eaten' is unknown"),
        (row_from, {"id": "1", "argv": [5], "running": True}, "argv"),
    ],
)
def test_a_wrong_answer_is_refused_with_the_fields_name(
    read: Callable[[object], object], value: object, why: str
) -> None:
    with pytest.raises(InvalidSpec) as refused:
        read(value)
    assert why in refused.value.message


def test_files_and_processes_arrive_as_they_were() -> None:
    assert entry_from(carried(entry_to_json(ENTRY))) == ENTRY
    plain = {name: value for name, value in ENTRY.items() if name != "target"}
    assert entry_from(carried(entry_to_json(plain))) == plain
    assert row_from(carried(row_to_json(ROW))) == ROW
    assert row_to_json(ROW)["exitCode"] == 0
    assert "exitCode" not in row_to_json({"id": "1", "running": True})
    running: Dict[str, Any] = {**ROW, "running": True, "exit_code": None}
    assert row_from(carried(row_to_json(running))) == running
    change = {"path": "/a", "kind": "moved"}
    assert change_from(carried(change_to_json(change))) == change


def test_features_of_newer_servers_are_passed_over() -> None:
    assert features_of(("files", "time_travel")) is Feature.FILES
    assert feature_names(Feature.FILES | Feature.FILE_WATCH) == ("files", "file_watch")
    assert features_of(()) is Feature.NOTHING


def test_an_older_servers_result_needs_no_extras() -> None:
    told = {"exitCode": 1, "reason": "exited", "stdout": "a", "stderr": "", "engine": "x", "isolation": "vm"}
    assert result_from(told).stdout == b"a"


@given(st.integers(-6 * 10**13, 2 * 10**14))
def test_a_time_returns_to_the_millisecond(ms: int) -> None:
    text = time_text(ms / 1000)
    assert text.endswith("Z")
    assert time_from(text) == pytest.approx(ms / 1000, abs=0.0006)


@pytest.mark.parametrize(
    ("text", "epoch"),
    [
        ("1970-01-01T00:00:00Z", 0.0),
        ("1970-01-01t00:00:01.5z", 1.5),
        ("1970-01-01T02:00:00+02:00", 0.0),
        ("1969-12-31T22:30:00-01:30", 0.0),
        ("2026-01-02T12:34:56.123Z", 1767357296.123),
    ],
)
def test_times_are_read_as_rfc_3339_says(text: str, epoch: float) -> None:
    assert time_from(text) == pytest.approx(epoch)


def test_whole_seconds_are_written_without_a_fraction() -> None:
    assert time_text(1767357296) == "2026-01-02T12:34:56Z"
    assert time_text(1767357296.1226) == "2026-01-02T12:34:56.123Z"


@pytest.mark.parametrize(
    "text",
    ["", "now", "2026-01-02", "2026-13-02T00:00:00Z", "2026-01-02T00:00:60Z", "0001-01-01T00:00:00+01:00"],
)
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(InvalidSpec, match="is no time"):
        time_from(text)


@pytest.mark.parametrize("epoch", [float("nan"), float("inf"), 1e300, -1e15])
def test_what_no_calendar_holds_is_refused(epoch: float) -> None:
    with pytest.raises(InvalidSpec, match="no time of the years"):
        time_text(epoch)


@given(st.text())
def test_no_text_breaks_the_clock(text: str) -> None:
    with suppress(InvalidSpec):
        time_from(text)
