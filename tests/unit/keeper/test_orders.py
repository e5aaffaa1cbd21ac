from __future__ import annotations

from typing import Any

import pytest

from sandlot.keeper.launch import KeptMount, Refusal
from sandlot.keeper.orders import Fit, Limits, ZygoteOrder

ORDER: dict[str, Any] = {
    "argv": ("/usr/bin/python3", "-c", "pass"),
    "env": {"PATH": "/usr/bin"},
    "tree": (("show", "/usr", "/usr"), ("proc", "/proc", "")),
}


@pytest.mark.parametrize(
    "wrong",
    [
        {"argv": ()},
        {"argv": ("python3",)},
        {"argv": ["/usr/bin/python3"]},
        {"argv": ("/usr/bin/python3", "a\0b")},
        {"env": {"A=B": "c"}},
        {"env": {"A": None}},
        {"env": ["A"]},
        {"tree": (("mount", "/usr", "/usr"),)},
        {"tree": (("show", "/usr"),)},
        {"tree": (("show", "/usr", "/usr", ""),)},
        {"tree": (("show", "/usr", None),)},
        {"tree": (("file", "/note\0", "x"),)},
        {"tree": (["show", "/usr", "/usr"],)},
        {"tree": ("show",)},
        {"tree": (5,)},
        {"loading": 0},
        {"loading": -1.0},
        {"loading": float("nan")},
        {"loading": float("inf")},
        {"loading": "60"},
        {"loading": None},
        {"making": 0},
        {"making": 3601},
        {"making": [1]},
    ],
)
def test_a_zygote_that_cannot_be_started_as_written_is_never_ordered(wrong: dict[str, Any]) -> None:
    with pytest.raises(Refusal) as refused:
        ZygoteOrder(**{**ORDER, **wrong})
    assert refused.value.code == "invalid"


def test_an_order_has_time_to_load_and_to_make_boxes() -> None:
    order = ZygoteOrder(**ORDER)
    assert 0 < order.making < order.loading


@pytest.mark.parametrize(
    "wrong",
    [
        {"memory": 0}, {"memory": -1}, {"memory": True}, {"memory": 1.5}, {"memory": "1"},
        {"pids": 0}, {"pids": True}, {"pids": 2.0},
        {"cpu": 0}, {"cpu": 0.001}, {"cpu": 5000}, {"cpu": float("nan")}, {"cpu": True}, {"cpu": "1"},
    ],
)  # fmt: skip
def test_limits_that_cannot_be_counted_are_never_set(wrong: dict[str, Any]) -> None:
    with pytest.raises(Refusal) as refused:
        Limits(**wrong)
    assert refused.value.code == "invalid"


def test_no_limit_is_a_limit_too() -> None:
    assert Limits() == Limits(None, None, None)
    assert Limits(1, 0.01, 1) != Limits()


@pytest.mark.parametrize(
    "wrong",
    [
        {"disk": 4096},
        {"inodes": 8},
        {"disk": 0, "inodes": 8},
        {"disk": 4096, "inodes": 0},
        {"disk": True, "inodes": True},
        {"disk": "4096", "inodes": 8},
        {"scratch": 0},
        {"scratch": 1.5},
        {"kept": "workspace"},
        {"kept": {"name": "w", "kind": "image"}},
    ],
)
def test_a_size_that_is_none_is_never_fitted(wrong: dict[str, Any]) -> None:
    with pytest.raises(Refusal) as refused:
        Fit(Limits(), **wrong)
    assert refused.value.code == "invalid"


def test_what_makes_sense_is_taken() -> None:
    assert Fit(Limits(memory=1), 4096, 8, 4096).inodes == 8
    assert Fit(Limits(), kept=KeptMount("w", "image")).disk is None
