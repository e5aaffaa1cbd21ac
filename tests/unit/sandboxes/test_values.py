"""The pure parts: codec, agreement, agenda, tombstones, what is inherited."""

from __future__ import annotations

from dataclasses import replace
from pathlib import PurePosixPath
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandlot.contracts.capability import Feature
from sandlot.contracts.errors import InvalidSpec, Unsupported
from sandlot.contracts.lease import Ending, EndReason, Lease, State
from sandlot.contracts.quantity import Bytes, Cores, Seconds
from sandlot.contracts.spec import Isolation, Limits, Mount, Network, SandboxSpec, WorkspaceKind
from sandlot.sandboxes.agenda import Agenda
from sandlot.sandboxes.agreement import WorkspacePolicy, difference, kinds_to_try, settled, without_image
from sandlot.sandboxes.codec import record_of, text_of
from sandlot.sandboxes.opening import inherit
from sandlot.sandboxes.record import Record
from sandlot.sandboxes.tombstones import Tombstones
from tests.unit.sandboxes.house import LEASED, record

IMAGE, DIRECTORY, MEMORY = WorkspaceKind.IMAGE, WorkspaceKind.DIRECTORY, WorkspaceKind.MEMORY
FULL = SandboxSpec(
    environment="science",
    isolation=Isolation.VM,
    engine="microvm",
    limits=Limits(Bytes(2**30), Cores(0.5), 10, Bytes(2**20), 100, Bytes(5), 64),
    network=Network.FULL,
    env={"A": "é\n", "B": ""},
    ttl=Seconds(0.5),
)

times = st.floats(0, 4e9)
texts = st.text(st.characters(codec="utf-8"), max_size=20)
names = st.from_regex("[A-Za-z0-9][A-Za-z0-9._-]{0,20}", fullmatch=True)
endings = st.builds(Ending, st.sampled_from(EndReason), times, texts)
records = st.builds(
    Record,
    owner=texts,
    id=names,
    key=names,
    spec=st.sampled_from([SandboxSpec(), LEASED, FULL]),
    lease=st.builds(Lease, st.none() | st.floats(0.001, 1e6).map(Seconds), times),
    created=times,
    kind=st.sampled_from(WorkspaceKind),
    state=st.sampled_from(State),
    ending=st.none() | endings,
    engine=texts,
    isolation=st.sampled_from(Isolation),
    enforced=st.lists(texts, max_size=3).map(tuple),
    features=st.sampled_from([Feature.NOTHING, Feature.FILES | Feature.MOUNTS]),
)


@given(records)
def test_a_record_comes_back_as_it_was_written(written: Record) -> None:
    assert record_of(text_of(written)) == written


@pytest.mark.parametrize(
    ("found", "instead"),
    [
        ('"stopped"', '"asleep"'),
        ('"memory"', '"tape"'),
        ('"namespace"', '"tent"'),
        ('"features":[]', '"features":["WINGS"]'),
        ('"created":1000000.0', '"created":"yesterday"'),
        ('"id":"one"', '"id":"../one"'),
        ('"ttl":900.0', '"ttl":-1'),
        ('{"owner"', '{"surprise":1,"owner"'),
        ("{", "["),
    ],
)
def test_a_record_that_was_tampered_with_is_refused(found: str, instead: str) -> None:
    text = text_of(replace(record(), isolation=Isolation.NAMESPACE))
    assert found in text
    with pytest.raises(InvalidSpec):
        record_of(text.replace(found, instead, 1))


def test_mounts_of_the_host_are_not_written_down() -> None:
    mounted = SandboxSpec(mounts=(Mount("/srv", PurePosixPath("/srv")),))
    with pytest.raises(Unsupported):
        text_of(replace(record(), spec=mounted))


def test_variables_of_an_ended_sandbox_are_forgotten() -> None:
    ended = replace(record(), spec=FULL).ended(Ending(EndReason.DELETED, 1.0))
    assert "é" not in text_of(ended)
    assert ended.spec == replace(FULL, env={})


def test_what_is_asked_goes_before_the_defaults() -> None:
    defaults = SandboxSpec("plain", Isolation.NAMESPACE, limits=Limits(pids=7, inodes=9), ttl=Seconds(60))
    asked = SandboxSpec("science", limits=Limits(pids=8), env={"A": "1"})
    assert settled(asked, defaults) == SandboxSpec(
        "science", Isolation.NAMESPACE, limits=Limits(pids=8, inodes=9), env={"A": "1"}, ttl=Seconds(60)
    )
    assert settled(FULL, defaults) == FULL
    assert settled(SandboxSpec(), defaults) == defaults


@pytest.mark.parametrize(
    ("asked", "what"),
    [
        (SandboxSpec(), None),
        (FULL, None),
        (SandboxSpec(ttl=Seconds(5)), None),
        (SandboxSpec(limits=Limits(pids=10)), None),
        (SandboxSpec("other"), "environment"),
        (SandboxSpec(isolation=Isolation.PROCESS), "isolation"),
        (SandboxSpec(engine="process"), "engine"),
        (SandboxSpec(env={"A": "é\n"}), "env"),
        (SandboxSpec(mounts=(Mount("/srv", PurePosixPath("/srv")),)), "mounts"),
        (SandboxSpec(limits=Limits(memory=Bytes(1))), "limits.memory"),
        (SandboxSpec(limits=Limits(open_files=1)), "limits.open_files"),
    ],
)
def test_only_what_was_asked_can_differ(asked: SandboxSpec, what: str | None) -> None:
    assert difference(asked, FULL) == what


@pytest.mark.parametrize(
    ("image", "environment"), [("python:3.11", "science"), ("data", "data"), ("mapped", "other")]
)
def test_an_image_means_the_environment_it_is_mapped_to_or_that_of_its_name(
    image: str, environment: str
) -> None:
    images = {"python:3.11": "science", "mapped": "other"}
    assert without_image(SandboxSpec(image=image), images) == SandboxSpec(environment)
    assert without_image(FULL, images) == FULL


def test_an_image_that_means_nothing_is_refused() -> None:
    with pytest.raises(InvalidSpec, match=r"no environment for image 'python:3\.12': map it"):
        without_image(SandboxSpec(image="python:3.12"), {"python:3.11": "science"})


def test_a_network_nobody_gave_is_a_difference() -> None:
    assert difference(SandboxSpec(network=Network.FULL), LEASED) == "network"


@pytest.mark.parametrize(
    ("policy", "ttl", "proven", "kinds"),
    [
        ("auto", 9.0, [IMAGE, DIRECTORY], (IMAGE, MEMORY)),
        ("auto", 9.0, [DIRECTORY], (MEMORY,)),
        ("disk", 9.0, [IMAGE, DIRECTORY], (IMAGE,)),
        ("disk", 9.0, [DIRECTORY], (DIRECTORY,)),
        ("memory", 9.0, [IMAGE, DIRECTORY], (MEMORY,)),
        ("auto", None, [IMAGE], (MEMORY,)),
        ("disk", None, [IMAGE], (MEMORY,)),
    ],
)
def test_what_a_workspace_lies_on(
    policy: WorkspacePolicy, ttl: float | None, proven: list[WorkspaceKind], kinds: tuple[WorkspaceKind, ...]
) -> None:
    assert kinds_to_try(policy, ttl, proven) == kinds


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 50)), max_size=40))
def test_an_agenda_tells_every_key_no_later_than_its_earliest_time(noted: list[tuple[int, int]]) -> None:
    agenda: Agenda[int] = Agenda()
    earliest: dict[int, int] = {}
    for key, when in noted:
        is_first = agenda.note(key, when)
        before = min(earliest.values(), default=None)
        assert is_first == (before is None or when < before)
        earliest[key] = min(when, earliest.get(key, when))
    for now in range(51):
        assert agenda.first == min(earliest.values(), default=None)
        due = agenda.due(now)
        assert sorted(due) == sorted(key for key, when in earliest.items() if when <= now)
        earliest = {key: when for key, when in earliest.items() if when > now}


def test_a_lease_renewed_often_costs_one_entry() -> None:
    agenda: Agenda[str] = Agenda()
    for when in range(1000):
        agenda.note("one", 100 + when)
    assert agenda.due(100) == ["one"]
    assert agenda.first is None


def test_what_is_forgotten_and_what_was_put_earlier_take_no_room() -> None:
    agenda: Agenda[str] = Agenda()
    for count in range(10_000):
        agenda.note(f"box-{count}", 1_000_000 + count)
        agenda.note("kept", 900_000 - count)
        agenda.forget(f"box-{count}")
    assert len(agenda._heap) < 100
    assert agenda.first == 900_000 - 9_999
    assert agenda.due(2_000_000) == ["kept"]
    assert agenda.first is None


def _grave(name: str, at: float) -> Record:
    return record(name=name).ended(Ending(EndReason.EXPIRED, at))


def test_tombstones_make_room_and_grow_old() -> None:
    stones = Tombstones(most=2, kept_for=10)
    first, again, other, third = _grave("a", 1), _grave("a", 2), _grave("b", 3), _grave("c", 4)
    assert stones.add(first) == []
    assert stones.add(again) == [first.key]
    assert stones.add(other) == []
    assert stones.add(third) == [again.key]
    assert stones.find("local", "a") is None
    assert stones.find("stranger", "b") is None
    assert stones.find("local", "b") == other
    assert stones.outdated(12.9) == []
    assert stones.outdated(13) == [other.key]
    assert stones.take("local", "c") == third
    assert stones.outdated(99) == []


NOW = 1_000_100.0


def _left(state: State, kind: WorkspaceKind, **rest: Any) -> Record:
    return replace(record(), state=state, kind=kind, **rest)


RESTART = Ending(EndReason.HOST_RESTART, NOW)
OLD = Ending(EndReason.OUT_OF_MEMORY, 1.0)


@pytest.mark.parametrize(
    ("left", "state", "ending"),
    [
        (_left(State.RUNNING, IMAGE), State.STOPPED, RESTART),
        (_left(State.RUNNING, MEMORY), State.ENDED, RESTART),
        (_left(State.STOPPED, IMAGE, ending=OLD), State.STOPPED, OLD),
        (_left(State.STOPPED, MEMORY), State.ENDED, RESTART),
        (_left(State.ENDED, MEMORY, ending=OLD), State.ENDED, OLD),
        (
            _left(State.RUNNING, IMAGE, lease=Lease(Seconds(60), NOW - 61)),
            State.ENDED,
            Ending(EndReason.EXPIRED, NOW - 1),
        ),
    ],
)
def test_what_a_killed_service_left_is_told_truthfully(left: Record, state: State, ending: Ending) -> None:
    found = inherit([left], [left.key, "stray"], NOW)
    (after,) = (*found.living, *found.ended)
    assert (after.state, after.ending) == (state, ending)
    assert found.changed == (() if after == left else (after,))
    assert found.strays == ("stray",) if after in found.living else (left.key, "stray")


def test_a_sandbox_whose_workspace_is_gone_has_ended() -> None:
    left = _left(State.STOPPED, IMAGE)
    (after,) = inherit([left], [], NOW).ended
    assert after.ending == Ending(EndReason.HOST_RESTART, NOW, "its workspace is gone")
    assert inherit([left], None, NOW).living == (left,)
