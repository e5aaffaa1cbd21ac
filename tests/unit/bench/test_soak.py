from __future__ import annotations

import pytest

from sandlot.bench import cycles, soak
from sandlot.bench.census import Counts
from sandlot.bench.soak import Reading
from tests.unit.bench.test_talk import held, ran

MIB = 2**20
COUNTS = Counts(processes=3, mounts=40, cgroups=0, namespaces=9, descriptors=42, files=12)


def test_requests_are_due_at_a_fixed_rate() -> None:
    assert [offset for offset, _ in soak.schedule(b"", 4.0, 1.0)] == [0.0, 0.25, 0.5, 0.75]
    assert len(list(soak.schedule(b"", 0.1, 1.0))) == 1


def test_a_late_request_counts_from_when_it_was_due() -> None:
    ((_, make),) = soak.schedule(b"", 1.0, 1.0)
    assert held(make(0.0), ran("1\n"))[1] > 0


def test_drift_is_that_of_the_server_and_of_helpers_that_lived_through_it() -> None:
    before = Reading(COUNTS, {1: 100 * MIB, 2: 40 * MIB, 3: 10 * MIB})
    after = Reading(COUNTS, {1: 104 * MIB, 2: 41 * MIB, 9: 10 * MIB})
    found = soak.drift(before, after)
    assert found["serverDriftPercent"] == pytest.approx(4.0)
    assert found["helpersDriftPercent"] == pytest.approx(2.5)
    assert (found["serverMiBBefore"], found["serverMiBAfter"]) == (100.0, 104.0)


def test_a_server_without_helpers_has_no_drift_of_helpers() -> None:
    reading = Reading(COUNTS, {1: MIB})
    assert "helpersDriftPercent" not in soak.drift(reading, reading)


def test_the_last_tenths_p99_is_compared_with_the_firsts() -> None:
    times = [1.0] * 10 + [5.0] * 80 + [1.5] * 10
    assert soak.lateness(times) == {"p99MsEarly": 1.0, "p99MsLate": 1.5, "p99DriftPercent": 50.0}
    assert soak.lateness([1.0] * 9) == {}


def test_a_leak_is_what_there_is_more_of() -> None:
    after = Counts(processes=3, mounts=42, cgroups=0, namespaces=8, descriptors=42, files=12)
    found = cycles.leaks(COUNTS, after)
    assert (found["mountsBefore"], found["mountsAfter"], found["mountsLeaked"]) == (40.0, 42.0, 2.0)
    assert found["namespacesLeaked"] == 0.0
