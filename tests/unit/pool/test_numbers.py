"""The numbers of the stocks, as Prometheus and people read them."""

from __future__ import annotations

from typing import Any

import pytest

from sandlot.cli import pool
from sandlot.contracts.errors import InvalidSpec
from sandlot.pool.supply import Supply
from sandlot.server.dialects.native import pool as route
from sandlot.server.dialects.native import told
from sandlot.server.metrics import Metrics

SUPPLY = Supply(
    engine="zygote",
    stock="system",
    ready=7,
    starting=1,
    waiting=2,
    hits=90,
    misses=10,
    wait_seconds=0.05,
    refused=3,
    refills=100,
    refill_seconds=0.3,
    failed=4,
    retired=5,
    dead=6,
)


def test_counters_carry_engine_and_stock() -> None:
    metrics = Metrics()
    metrics.follow_pools(lambda: (SUPPLY,))
    lines = metrics.text()[0].decode().splitlines()
    labels = '{engine="zygote",stock="system"}'
    for name, value in {
        "ready": 7.0,
        "starting": 1.0,
        "waiting": 2.0,
        "hits_total": 90.0,
        "misses_total": 10.0,
        "refused_total": 3.0,
        "failed_total": 4.0,
        "retired_total": 5.0,
        "dead_total": 6.0,
        "wait_seconds_count": 10.0,
        "wait_seconds_sum": 0.05,
        "refill_seconds_count": 100.0,
        "refill_seconds_sum": 0.3,
    }.items():
        assert f"sandlot_pool_{name}{labels} {value}" in lines


def test_no_pool_is_no_error() -> None:
    metrics = Metrics()
    metrics.follow_pools(lambda: ())
    assert b"# TYPE sandlot_pool_ready gauge\n" in metrics.text()[0]


def test_the_route_tells_what_its_document_says() -> None:
    row = route.row(SUPPLY)
    assert told.Stock.model_validate(row).model_dump(by_alias=True) == row
    assert (row["waitSeconds"], row["refillSeconds"]) == (0.05, 0.3)


def test_people_are_told_counts_and_means() -> None:
    assert pool.cells(route.row(SUPPLY)) == (
        *("zygote", "system", "7", "1", "2", "90", "10", "3", "5", "6", "4"),
        *("5.0 ms", "3.0 ms"),
    )


@pytest.mark.parametrize(
    ("row", "wait"),
    [({}, "-"), ({"waitSeconds": 1, "misses": 0}, "-"), ({"waitSeconds": "1", "misses": 1}, "-")],
)
def test_what_a_server_does_not_tell_is_left_open(row: dict[str, Any], wait: str) -> None:
    cells = pool.cells(row)
    assert (cells[0], cells[-2]) == ("-", wait)


@pytest.mark.parametrize("said", [{}, {"stocks": None}, {"stocks": [1]}, {"stocks": {"a": 1}}])
def test_an_answer_that_tells_no_stocks_is_refused(said: dict[str, Any]) -> None:
    with pytest.raises(InvalidSpec):
        pool.checked(said)
