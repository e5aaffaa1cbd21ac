"""Amounts with their units: bytes, seconds, processor cores."""

from __future__ import annotations

import math
from typing import Tuple, Union

from .errors import InvalidSpec

# Kubernetes resource suffixes, which NoxRunner's `memoryLimit` uses too.
# https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/
_BYTE_UNITS = {
    "": 1,
    "k": 10**3,
    "K": 10**3,
    "M": 10**6,
    "G": 10**9,
    "T": 10**12,
    "Ki": 2**10,
    "Mi": 2**20,
    "Gi": 2**30,
    "Ti": 2**40,
}
_TIME_UNITS = {"": 1.0, "ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_LARGEST_BYTES = 2**60
_LONGEST_SECONDS = 366 * 86400.0
_MOST_CORES = 4096.0


class Bytes(int):
    """An amount of memory or storage in bytes; positive, below 2**60."""

    @classmethod
    def parse(cls, value: Union[str, float]) -> Bytes:
        """Read `512Mi`, `1G`, `65536`.

        Raises InvalidSpec for anything that is not a positive finite amount.
        """
        number, unit = _split(value, "an amount of bytes such as 512Mi")
        if unit.endswith("B") and unit[:-1] in _BYTE_UNITS:
            unit = unit[:-1]
        if unit not in _BYTE_UNITS:
            raise InvalidSpec(f"unknown unit {unit!r} in {value!r}: use one of Ki, Mi, Gi, K, M, G")
        amount = number * _BYTE_UNITS[unit]
        if not 1 <= amount < _LARGEST_BYTES:
            raise InvalidSpec(f"{value} bytes is out of range: use 1 to 1 Ei")
        return cls(int(amount))

    def __str__(self) -> str:
        amount = float(self)
        for unit in ("B", "KiB", "MiB", "GiB"):
            if amount < 1024:
                return f"{amount:.4g} {unit}"
            amount /= 1024
        return f"{amount:.4g} TiB"


class Seconds(float):
    """A length of time in seconds; positive, at most 366 days."""

    @classmethod
    def parse(cls, value: Union[str, float]) -> Seconds:
        """Read `30`, `1.5`, `500ms`, `10m`.

        Raises InvalidSpec for zero, negative, infinite or unreadable lengths.
        """
        number, unit = _split(value, "a length of time such as 30s")
        if unit not in _TIME_UNITS:
            raise InvalidSpec(f"unknown unit {unit!r} in {value!r}: use ms, s, m, h or d")
        length = number * _TIME_UNITS[unit]
        if not 0 < length <= _LONGEST_SECONDS:
            raise InvalidSpec(f"{value} seconds is out of range: use more than 0 and at most 366 days")
        return cls(length)


class Cores(float):
    """Processor time per wall time: 1.0 is one core kept busy."""

    @classmethod
    def parse(cls, value: Union[str, float]) -> Cores:
        """Read `2`, `0.5`, `500m` (millicores, as Kubernetes writes them).

        Raises InvalidSpec outside 0.001 to 4096 cores.
        """
        number, unit = _split(value, "a number of cores such as 0.5 or 500m")
        if unit not in ("", "m"):
            raise InvalidSpec(f"unknown unit {unit!r} in {value!r}: use cores or millicores (500m)")
        cores = number / 1000 if unit == "m" else number
        if not 0.001 <= cores <= _MOST_CORES:
            raise InvalidSpec(f"{value} cores is out of range: use 1m to 4096")
        return cls(cores)


def _split(value: Union[str, float], wanted: str) -> Tuple[float, str]:
    """The number and the unit of *value*; whole numbers stay exact."""
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        raise InvalidSpec(f"{value!r} is not {wanted}")
    text = str(value).strip()
    digits = len(text.rstrip("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"))
    # repr() of a float may end in an exponent: keep it with the number.
    if isinstance(value, (int, float)):
        digits = len(text)
    try:
        number = int(text[:digits]) if text[:digits].isdecimal() else float(text[:digits])
    except ValueError:
        raise InvalidSpec(f"{value!r} is not {wanted}") from None
    if not math.isfinite(number):
        raise InvalidSpec(f"{value!r} is not {wanted}: it must be finite")
    return number, text[digits:]
