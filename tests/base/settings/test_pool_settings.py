"""How deep a server's pool is, and what it keeps ready."""

from __future__ import annotations

import pytest

from sandlot import settings
from sandlot.contracts.errors import InvalidSpec


def test_a_pool_is_there_where_nobody_chose() -> None:
    chosen = settings.load({}, {"HOME": "/h"}, [])
    assert (chosen.pool_depth, float(chosen.pool_wait), chosen.pool_keep) == (8, 5.0, ("system",))


def test_it_is_chosen_by_flag_and_by_variables() -> None:
    environ = {"SANDLOT_POOL_DEPTH": "3", "SANDLOT_POOL_WAIT": "2s", "SANDLOT_POOL_KEEP": "Science, system"}
    chosen = settings.load({"pool_depth": "0"}, environ, [])
    assert (chosen.pool_depth, float(chosen.pool_wait), chosen.pool_keep) == (0, 2.0, ("Science", "system"))
    assert chosen.origins["pool_depth"] == "flag --pool"
    assert chosen.to_json()["pool_keep"]["value"] == ["Science", "system"]


@pytest.mark.parametrize(
    ("name", "raw"),
    [
        ("pool_depth", "65"),
        ("pool_depth", "-1"),
        ("pool_depth", "many"),
        ("pool_wait", "0"),
        ("pool_keep", "../x"),
        ("pool_keep", 5),
    ],
)
def test_what_cannot_be_meant_is_refused(name: str, raw: object) -> None:
    with pytest.raises(InvalidSpec):
        settings.load({name: raw}, {"HOME": "/h"}, [])
