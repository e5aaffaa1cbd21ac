from __future__ import annotations

import json
from typing import Any, Dict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandlot.walls.plan import INNER, NETWORKS, OUTER, WALLS, Plan, PlanError
from sandlot.walls.rlimits import NAMES

paths = st.lists(st.text("abc/_-. ", max_size=12).map("/{}".format), max_size=4).map(tuple)
plans = st.builds(
    Plan,
    rlimits=st.dictionaries(st.sampled_from(NAMES), st.integers(0, 2**63 - 1)),
    readable=paths.filter(lambda found: not any(".." in path for path in found)),
    writable=st.just(("/workspace", "/tmp")),
    network=st.sampled_from(NETWORKS),
    walls=st.lists(st.sampled_from(INNER), unique=True).map(tuple),
    ipc=st.booleans(),
)


@given(plans)
def test_a_plan_survives_the_wire(plan: Plan) -> None:
    assert Plan.from_json(json.loads(json.dumps(plan.to_json()))) == plan


def good() -> Dict[str, Any]:
    return {
        "rlimits": {"nofile": 64},
        "readable": ["/usr"],
        "writable": ["/workspace"],
        "network": "none",
        "walls": list(INNER),
        "ipc": False,
    }


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("rlimits", []),
        ("rlimits", {"nofiles": 1}),
        ("rlimits", {"nofile": -1}),
        ("rlimits", {"nofile": True}),
        ("rlimits", {"nofile": 1.5}),
        ("rlimits", {"nofile": 2**63}),
        ("readable", "/usr"),
        ("readable", [1]),
        ("readable", ["usr"]),
        ("readable", ["/usr/../etc"]),
        ("writable", ["/a\0b"]),
        ("network", "host"),
        ("network", None),
        ("walls", ["seccomp", "seccomp"]),
        ("walls", ["moat"]),
        ("walls", ["namespaces"]),
        ("ipc", 1),
        ("extra", 1),
    ],
)
def test_a_wrong_field_is_refused_by_name(field: str, value: object) -> None:
    with pytest.raises(PlanError, match=field):
        Plan.from_json({**good(), field: value})


@pytest.mark.parametrize("field", sorted(good()))
def test_a_missing_field_is_refused(field: str) -> None:
    with pytest.raises(PlanError, match="fields"):
        Plan.from_json({name: value for name, value in good().items() if name != field})


def test_anything_but_an_object_is_refused() -> None:
    with pytest.raises(PlanError, match="list"):
        Plan.from_json([])


def test_a_plan_is_frozen_and_compared_by_value() -> None:
    plan, same = Plan.from_json(good()), Plan.from_json(good())
    assert plan == same != plan.without("landlock")
    with pytest.raises(AttributeError, match="network"):
        plan.network = "full"
    with pytest.raises(AttributeError, match="walls"):
        del plan.walls


def test_walls_can_be_left_out_by_name() -> None:
    plan = Plan.from_json(good()).without("seccomp", "landlock")
    assert plan.walls == ("session", "rlimits", "capabilities", "no_new_privs", "dumpable")


def test_every_wall_has_one_place() -> None:
    assert len(set(WALLS)) == len(WALLS) == len(OUTER) + len(INNER) == 11
    assert INNER[-1] == "seccomp"
