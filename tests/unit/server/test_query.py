from __future__ import annotations

from pathlib import PurePosixPath

import pytest

from sandlot.contracts.errors import InvalidSpec, PathEscape
from sandlot.server.query import Query


def test_parameters_are_unescaped_and_unknown_ones_ignored() -> None:
    query = Query(b"path=%2Fworkspace%2Fa+b&cmd=sh&cmd=-c&utm=1&empty=")
    assert query.path("path") == PurePosixPath("/workspace/a b")
    assert query.texts("cmd") == ("sh", "-c")
    assert query.text("empty") == ""
    assert query.text("missing") is None


@pytest.mark.parametrize("text", ["path=..", "path=%2e%2e%2fetc", "path=a/../b"])
def test_a_path_that_climbs_is_refused(text: str) -> None:
    with pytest.raises(PathEscape):
        Query(text.encode()).path("path")


@pytest.mark.parametrize(
    "text", ["path=", "path=a%00b", "path=%ff", "x=1", "path=a&path=b", "path=" + "a" * 5000]
)
def test_what_is_no_path_is_refused(text: str) -> None:
    with pytest.raises(InvalidSpec):
        Query(text.encode()).path("path")


@pytest.mark.parametrize(
    "text", ["n=-1", "n=1.0", "n=", "n=1e3", "n=11", "n=+1", "n=%201", "n=%D9%A1", "n=1&n=2"]
)
def test_what_is_no_count_in_range_is_refused(text: str) -> None:
    with pytest.raises(InvalidSpec, match="n"):
        Query(text.encode()).count("n", 0, most=10)


@pytest.mark.parametrize(("text", "value"), [("", False), ("f=true", True), ("f=false", False)])
def test_flags_are_true_or_false(text: str, *, value: bool) -> None:
    assert Query(text.encode()).flag("f") is value


@pytest.mark.parametrize("text", ["f=1", "f=", "f=True", "f=yes"])
def test_other_words_are_no_flags(text: str) -> None:
    with pytest.raises(InvalidSpec):
        Query(text.encode()).flag("f")


@pytest.mark.parametrize(("text", "mode"), [("", 0o644), ("m=0600", 0o600), ("m=755", 0o755)])
def test_modes_are_octal(text: str, mode: int) -> None:
    assert Query(text.encode()).mode("m", 0o644) == mode


@pytest.mark.parametrize("text", ["m=4755", "m=8", "m=-1", "m=0o644", "m="])
def test_other_modes_are_refused(text: str) -> None:
    with pytest.raises(InvalidSpec):
        Query(text.encode()).mode("m", 0o644)


@pytest.mark.parametrize("text", ["s=-1", "s=nan", "s=inf", "s=1e300", "s=11", "s=", "s=0x1"])
def test_other_lengths_of_time_are_refused(text: str) -> None:
    with pytest.raises(InvalidSpec):
        Query(text.encode()).seconds("s", most=10)


def test_a_length_of_time_may_be_zero_or_broken() -> None:
    assert Query(b"s=0").seconds("s", most=10) == 0
    assert Query(b"s=1e-05").seconds("s", most=10) == 1e-05
    assert Query(b"s=2.5").seconds("s", most=10) == 2.5
    assert Query(b"").seconds("s", most=10) is None


def test_a_query_of_very_many_parameters_is_refused() -> None:
    with pytest.raises(InvalidSpec):
        Query(b"&".join([b"a=1"] * 2000))


def test_a_query_of_bytes_that_are_no_text_is_refused() -> None:
    with pytest.raises(InvalidSpec):
        Query(b"path=\xff\xfe")
