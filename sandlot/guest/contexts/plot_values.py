"""Numbers of a plot as JSON has them, read as its axes show them: numbers, moments, categories."""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, List, Optional

LONGEST = 1000
"""Characters of one text."""

_MOST_TICKS = 100
_MICROSECONDS = 86_400_000_000  # of a day, the unit of matplotlib's dates


class Allowance:
    """How many series and points a chart may still tell."""

    def __init__(self, series: int, whole: int, each: int) -> None:
        """At most so many *series*, *whole* points together, *each* of a series."""
        self._series, self._left, self._each = series, whole, each

    def admits(self) -> bool:
        """Whether one more series is told; it is counted."""
        self._series -= 1
        return self._series >= 0

    def step(self, count: int) -> int:
        """Every how manieth of *count* points is told; they are counted."""
        most = max(1, min(self._each, self._left))
        step = max(1, -(-count // most))
        self._left -= -(-count // step)
        return step


class Scale:
    """One axis of a plot: what its numbers mean."""

    def __init__(self, axes: Any, axis: Any) -> None:
        """Read *axis* of *axes*."""
        self._axes, self._axis = axes, axis
        converter = axis.get_converter() if hasattr(axis, "get_converter") else axis.converter
        self.kind = _KINDS.get(type(converter).__name__, "")
        self._labels = {each["at"]: each["label"] for each in self._fixed()}

    def described(self) -> Dict[str, Any]:
        """Its label, its scale, and the ticks that have names of their own."""
        told: Dict[str, Any] = {
            "label": text(self._axis.get_label_text()),
            "scale": _SCALES.get(self.kind) or str(self._axis.get_scale()),
        }
        if self._labels:
            told["ticks"] = [{"at": at, "label": label} for at, label in self._labels.items()]
        return told

    def values(self, found: Any) -> List[Any]:
        """*found*, an array of floats, as the axis means them."""
        if self.kind == "date":
            return self._moments(found)
        if self.kind == "period" and getattr(self._axes, "freq", None) is not None:
            pandas: Any = sys.modules["pandas"]
            periods = pandas.PeriodIndex.from_ordinals(found.astype("int64"), freq=self._axes.freq)
            return [str(each) for each in periods]
        numbers = [number(each) for each in found.tolist()]
        if self.kind == "category":
            return [self._labels.get(each, each) for each in numbers]
        return numbers

    def places(self, found: Any) -> List[Any]:
        """As `values`, of things that stand at ticks: those by their label."""
        return [self._labels.get(each, each) if self._labels else each for each in self.values(found)]

    @property
    def has_labels(self) -> bool:
        """Whether its ticks have names of their own."""
        return bool(self._labels)

    def _moments(self, days: Any) -> List[Optional[str]]:
        numpy: Any = sys.modules["numpy"]
        dates: Any = sys.modules["matplotlib.dates"]
        days = numpy.ma.filled(numpy.ma.asarray(days, dtype=float), numpy.nan)
        is_known = numpy.isfinite(days)
        passed = numpy.rint(numpy.where(is_known, days, 0) * _MICROSECONDS).astype("timedelta64[us]")
        moments = numpy.datetime64(dates.get_epoch(), "us") + passed
        has_fractions = bool((passed.astype("int64") % 1_000_000).any())
        told = numpy.datetime_as_string(moments, unit="us" if has_fractions else "s").tolist()
        return [each if known else None for each, known in zip(told, is_known.tolist())]

    def _fixed(self) -> List[Dict[str, Any]]:
        """Ticks whose labels somebody chose: categories, and those of `set_xticks` and the like."""
        locator, formatter = self._axis.get_major_locator(), self._axis.get_major_formatter()
        is_chosen = type(locator).__name__ == "FixedLocator" and type(formatter).__name__ != "ScalarFormatter"
        if not is_chosen and self.kind != "category":
            return []
        places = list(locator())[:_MOST_TICKS]
        labels = formatter.format_ticks(places)
        return [{"at": number(float(at)), "label": text(each)} for at, each in zip(places, labels)]


_KINDS = {
    "StrCategoryConverter": "category",
    "_SwitchableDateConverter": "date",
    "DateConverter": "date",
    "ConciseDateConverter": "date",
    "DatetimeConverter": "date",  # of pandas
    "PeriodConverter": "period",
}
_SCALES = {"category": "category", "date": "date", "period": "date"}


def number(value: Any) -> Any:
    """A number as JSON has it; None for what is none: NaN, infinities, masked values."""
    if isinstance(value, float):
        return value if value - value == 0 else None
    return value if isinstance(value, int) else None


def text(value: object) -> str:
    """*value* as text that is not too long."""
    return str(value)[:LONGEST]


def name(artist: Any) -> Optional[str]:
    """The label somebody gave *artist*; matplotlib's own begin with an underscore."""
    label = artist.get_label()
    return None if not label or str(label).startswith("_") else text(label)
