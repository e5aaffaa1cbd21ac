"""What to start, what to retire, whom to refuse: tables."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandlot.contracts.errors import InvalidSpec
from sandlot.pool import memory, stock
from sandlot.pool.memory import Memory
from sandlot.pool.stock import LONGEST, QUIET, Moment, Rules, Stock

RULES = Rules(depth=8, at_once=2)
QUIET_NOW = Moment(now=100.0)
BUSY_NOW = Moment(now=100.0, claimed=100.0)
SHORT_NOW = Moment(now=100.0, is_short=True)


def _started(wanted: Stock, moment: Moment = QUIET_NOW, rules: Rules = RULES) -> int:
    return stock.starts({"a": wanted}, rules, moment).get("a", 0)


@pytest.mark.parametrize(
    ("wanted", "moment", "count"),
    [
        # in a pause: an empty stock by all means, one that is half full one by one, a full one not at all
        ({"ready": 0}, QUIET_NOW, 2),
        ({"ready": 3}, QUIET_NOW, 2),
        ({"ready": 4}, QUIET_NOW, 1),
        ({"ready": 7}, QUIET_NOW, 1),
        ({"ready": 8}, QUIET_NOW, 0),
        ({"ready": 7, "starting": 1}, QUIET_NOW, 0),
        ({"ready": 6, "starting": 1}, QUIET_NOW, 0),
        # while claims come: not before half of it is gone, then beside them, and with nothing left in force
        ({"ready": 7}, BUSY_NOW, 0),
        ({"ready": 4}, BUSY_NOW, 0),
        ({"ready": 3}, BUSY_NOW, 1),
        ({"ready": 3, "starting": 1}, BUSY_NOW, 0),
        ({"ready": 0}, BUSY_NOW, 2),
        # claims that wait are served whatever else is true, and no more at once than may be
        ({"ready": 0, "waiting": 1}, SHORT_NOW, 1),
        ({"ready": 0, "waiting": 9}, BUSY_NOW, 2),
        ({"ready": 0, "waiting": 9, "starting": 2}, BUSY_NOW, 0),
        ({"ready": 8, "waiting": 1}, BUSY_NOW, 1),
        ({"waiting": 1, "rests_until": 101.0}, QUIET_NOW, 1),
        ({"waiting": 1, "asked": -1e9}, QUIET_NOW, 1),
        # what is not made ahead
        ({"ready": 0}, SHORT_NOW, 0),
        ({"ready": 0, "rests_until": 101.0}, QUIET_NOW, 0),
        ({"ready": 0, "rests_until": 100.0}, QUIET_NOW, 2),
        ({"ready": 0, "asked": 100.0 - 601}, QUIET_NOW, 0),
        ({"ready": 0, "asked": 100.0 - 601, "is_kept": True}, QUIET_NOW, 2),
        # the first box of a stock may take seconds, so no second one is begun beside it
        ({"ready": 0, "is_proven": False}, QUIET_NOW, 1),
        ({"waiting": 5, "is_proven": False}, QUIET_NOW, 1),
        ({"waiting": 5, "starting": 1, "is_proven": False}, QUIET_NOW, 0),
    ],
)
def test_what_is_started(wanted: dict[str, Any], moment: Moment, count: int) -> None:
    assert _started(Stock(**{"asked": 99.0, **wanted}), moment) == count


def test_claims_that_wait_come_before_boxes_made_ahead_and_then_who_has_least() -> None:
    full, empty, waited = Stock(ready=5), Stock(), Stock(waiting=1)
    one = Rules(at_once=1)
    assert stock.starts({"full": full, "empty": empty, "waited": waited}, one, QUIET_NOW) == {"waited": 1}
    assert stock.starts({"full": full, "empty": empty}, one, QUIET_NOW) == {"empty": 1}
    found = stock.starts({"a": Stock(waiting=9), "b": Stock(waiting=1)}, RULES, QUIET_NOW)
    assert found == {"a": 1, "b": 1}


@given(
    stocks=st.dictionaries(
        st.sampled_from("abc"),
        st.builds(
            Stock,
            ready=st.integers(0, 9),
            starting=st.integers(0, 4),
            waiting=st.integers(0, 20),
            asked=st.floats(0, 2000),
            is_kept=st.booleans(),
            is_proven=st.booleans(),
            rests_until=st.floats(0, 2000),
        ),
    ),
    rules=st.builds(Rules, depth=st.integers(1, 64), at_once=st.integers(1, 4)),
    moment=st.builds(Moment, st.floats(0, 2000), st.floats(0, 2000), st.booleans()),
)
def test_never_too_many_at_once_and_nobody_waits_for_nothing(
    stocks: dict[str, Stock], rules: Rules, moment: Moment
) -> None:
    found = stock.starts(stocks, rules, moment)
    already = sum(each.starting for each in stocks.values())
    assert already + sum(found.values()) <= max(rules.at_once, already)
    if already < rules.at_once and any(each.waiting > each.starting for each in stocks.values()):
        able = [each for each in stocks.values() if each.waiting > each.starting and not _is_first(each)]
        assert bool(found) or not able
    for name, count in found.items():
        each = stocks[name]
        assert count <= max(0, each.waiting - each.starting) + max(0, rules.depth - each.ready)


def _is_first(each: Stock) -> bool:
    return each.starting > 0 and not each.is_proven


@pytest.mark.parametrize(
    ("wanted", "moment", "delay"),
    [
        ({"ready": 7}, Moment(100.0, 100.0), QUIET),
        ({"ready": 7}, Moment(100.0, 100.0 - QUIET / 4), QUIET * 3 / 4),
        ({"ready": 7}, Moment(100.0, 100.0 - QUIET * 0.999), QUIET / 2),
        ({"ready": 7}, Moment(100.0, 90.0), None),
        ({"ready": 7}, Moment(100.0, 90.0, is_busy=True), None),
        ({"ready": 7}, Moment(100.0, 100.0 - 2 * QUIET, is_busy=True), LONGEST - 2 * QUIET),
        ({"ready": 8}, Moment(100.0, 100.0), None),
    ],
)
def test_what_waits_for_a_pause_is_looked_at_then(
    wanted: dict[str, Any], moment: Moment, delay: float | None
) -> None:
    found = stock.pause({"a": Stock(asked=99.0, **wanted)}, RULES, moment)
    assert found == (None if delay is None else pytest.approx(delay))


@pytest.mark.parametrize(
    ("wanted", "moment", "count"),
    [
        ({"ready": 8, "oldest": 99.0}, QUIET_NOW, 0),
        ({"ready": 8, "oldest": 100.0 - 600}, QUIET_NOW, 1),
        ({"ready": 11, "oldest": 99.0}, QUIET_NOW, 3),
        ({"ready": 8, "oldest": 99.0}, SHORT_NOW, 4),
        ({"ready": 1, "oldest": 99.0, "is_kept": True}, SHORT_NOW, 1),
        ({"ready": 0}, SHORT_NOW, 0),
        ({"ready": 8, "oldest": 99.0, "asked": 100.0 - 600}, QUIET_NOW, 8),
        ({"ready": 8, "oldest": 99.0, "asked": 100.0 - 600, "is_kept": True}, QUIET_NOW, 0),
    ],
)
def test_what_is_retired(wanted: dict[str, Any], moment: Moment, count: int) -> None:
    assert stock.retirements(Stock(**{"asked": 99.0, **wanted}), RULES, moment) == count


@pytest.mark.parametrize(
    ("available", "was", "short"),
    [(11, False, False), (9, False, True), (11, True, True), (14, True, True), (15, True, False)],
)
def test_memory_that_comes_back_must_come_back_further(available: int, was: bool, short: bool) -> None:
    assert stock.is_short(Memory(available, 100), was) is short


def test_a_host_that_does_not_tell_is_not_short() -> None:
    assert not stock.is_short(None, was=True)


def test_the_queue_has_an_end() -> None:
    rules = Rules(waiting=3)
    assert [stock.is_full(count, rules) for count in (0, 2, 3, 4)] == [False, False, True, True]


@pytest.mark.parametrize(
    "wrong",
    [
        {"depth": 0},
        {"depth": 65},
        {"at_once": 0},
        {"waiting": -1},
        {"wait": 0.0},
        {"age": -1.0},
        {"idle": 0.0},
    ],
)
def test_rules_that_cannot_work_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidSpec):
        replace(RULES, **wrong)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (b"MemTotal:  200 kB\nMemFree: 9 kB\nMemAvailable:  50 kB\n", Memory(50, 200)),
        (b"MemTotal:  200 kB\nMemFree: 9 kB\n", None),
        (b"MemTotal:  lots kB\nMemAvailable:  50 kB\n\n", None),
        (b"", None),
    ],
)
def test_memory_is_read_as_linux_tells_it(text: bytes, found: Memory | None) -> None:
    assert memory.parse(text) == found


@pytest.mark.linux
def test_this_host_tells() -> None:
    found = memory.read()
    assert found is not None
    assert 0 < found.available <= found.total
