"""Paths, ids and variables are accepted or refused, never repaired."""

from __future__ import annotations

from pathlib import PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandlot.contracts.errors import InvalidSpec, PathEscape
from sandlot.contracts.paths import identifier, sandbox_path, variables


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("a.txt", "/workspace/a.txt"),
        ("/tmp/x", "/tmp/x"),
        ("a..b", "/workspace/a..b"),
        ("./a", "/workspace/a"),
        ("//tmp/x", "/tmp/x"),
        ("a\nb", "/workspace/a\nb"),
        ("-rf", "/workspace/-rf"),
    ],
)
def test_paths_mean_one_place(text: str, path: str) -> None:
    assert sandbox_path(text) == PurePosixPath(path)


@pytest.mark.parametrize("text", ["..", "a/../b", "/../etc", "/workspace/.."])
def test_paths_that_climb_are_refused(text: str) -> None:
    with pytest.raises(PathEscape):
        sandbox_path(text)


@pytest.mark.parametrize("text", ["", "a\0b", "x" * 5000, "y" * 256, "\ud800"])
def test_paths_that_are_no_paths_are_refused(text: str) -> None:
    with pytest.raises(InvalidSpec):
        sandbox_path(text)


@given(st.text(max_size=40))
def test_no_accepted_path_holds_a_climb(text: str) -> None:
    try:
        path = sandbox_path(text)
    except (InvalidSpec, PathEscape):
        return
    assert path.is_absolute()
    assert ".." not in path.parts


@pytest.mark.parametrize("value", ["a", "A-1_b.c", "0", "x" * 128])
def test_ids_are_given_back(value: str) -> None:
    assert identifier(value) == value


@pytest.mark.parametrize(
    "value", ["", "..", ".a", "a/b", "%2e", "a\0", "x" * 129, "ä", "a b", "a\n", None, 7]
)
def test_ids_of_other_shapes_are_refused(value: object) -> None:
    with pytest.raises(InvalidSpec):
        identifier(value)  # type: ignore[arg-type]


def test_variables_are_given_back() -> None:
    assert variables({"A_1": "x\ny"}) == {"A_1": "x\ny"}


@pytest.mark.parametrize(
    "values",
    [
        {"": "x"},
        {"A=B": "x"},
        {"1A": "x"},
        {"A": "s3cret\0"},
        {"A": 1},
        {"A": "s3cret" * 30000},
        {"A": "s3cret\ud800"},
    ],
)
def test_other_variables_are_refused_without_showing_the_value(values: object) -> None:
    with pytest.raises(InvalidSpec) as caught:
        variables(values)  # type: ignore[arg-type]
    assert "s3cret" not in str(caught.value)
