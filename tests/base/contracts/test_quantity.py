"""Amounts are read exactly or refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandlot.contracts.errors import InvalidSpec
from sandlot.contracts.quantity import Bytes, Cores, Seconds


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("512Mi", 512 * 2**20),
        ("1Gi", 2**30),
        ("1G", 10**9),
        ("64KiB", 65536),
        ("1.5Ki", 1536),
        (65536, 65536),
        ("7", 7),
        (1e6, 10**6),
    ],
)
def test_bytes_are_read(text: object, amount: int) -> None:
    assert Bytes.parse(text) == amount  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "text", ["", "Mi", "-1", "0", "1Qi", "nan", "inf", "1e400", True, None, "9e99", [], "1 2"]
)
def test_bytes_that_cannot_be_meant_are_refused(text: object) -> None:
    with pytest.raises(InvalidSpec):
        Bytes.parse(text)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("amount", "text"),
    [(512 * 2**20, "512 MiB"), (17, "17 B"), (3 * 2**40, "3 TiB"), (1536, "1.5 KiB"), (2**31, "2 GiB")],
)
def test_bytes_are_shown_with_their_unit(amount: int, text: str) -> None:
    assert str(Bytes(amount)) == text


@given(st.integers(min_value=1, max_value=2**60 - 1))
def test_whole_bytes_are_exact(amount: int) -> None:
    assert Bytes.parse(str(amount)) == Bytes.parse(amount) == amount


@pytest.mark.parametrize(
    ("text", "length"),
    [("30", 30.0), ("1.5", 1.5), ("500ms", 0.5), ("2m", 120.0), ("1h", 3600.0), ("1d", 86400.0), (3, 3.0)],
)
def test_seconds_are_read(text: object, length: float) -> None:
    assert Seconds.parse(text) == length  # type: ignore[arg-type]


@pytest.mark.parametrize("text", [0, -1, "nan", "1e308", "5x", "", None, float("inf"), True])
def test_seconds_out_of_range_are_refused(text: object) -> None:
    with pytest.raises(InvalidSpec):
        Seconds.parse(text)  # type: ignore[arg-type]


@pytest.mark.parametrize(("text", "cores"), [("1", 1.0), ("500m", 0.5), (2, 2.0), ("0.25", 0.25)])
def test_cores_are_read(text: object, cores: float) -> None:
    assert Cores.parse(text) == cores  # type: ignore[arg-type]


@pytest.mark.parametrize("text", ["0", "-1", "5000", "1G", "nan", "", None])
def test_cores_out_of_range_are_refused(text: object) -> None:
    with pytest.raises(InvalidSpec):
        Cores.parse(text)  # type: ignore[arg-type]
