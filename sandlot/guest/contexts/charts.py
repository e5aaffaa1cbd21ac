"""A figure of matplotlib as data: its axes and the series in them, as they were drawn.

Nothing is imported for it: whoever has a figure has matplotlib. Only artists that are known are read, by
their public methods; others are named. Points beyond the bounds are thinned out evenly, and that is told.
"""

from __future__ import annotations

from . import plot_series
from .plot_values import Allowance, Scale, text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, List

MIME = "application/vnd.sandlot.chart+json"
VERSION = 1

MOST_POINTS = 1000
"""Of one series."""

_ALL_POINTS = 10_000
_MOST_AXES = 32
_MOST_SERIES = 100  # of all axes
_PLANE = ("rectilinear", "polar")


def chart(figure: Any) -> Dict[str, Any]:
    """The data of *figure*; raises whatever its parts raise."""
    shown = [each for each in figure.axes if each.get_visible() and each.get_label() != "<colorbar>"]
    allowance = Allowance(_MOST_SERIES, _ALL_POINTS, MOST_POINTS)
    told: Dict[str, Any] = {
        "version": VERSION,
        "title": _title(figure),
        "axes": [_axes(each, allowance) for each in shown[:_MOST_AXES]],
    }
    if len(shown) > _MOST_AXES:
        told["truncated"] = True
    return told


def _title(figure: Any) -> str:
    above = getattr(figure, "_suptitle", None)  # `get_suptitle` is of matplotlib 3.8
    return "" if above is None else text(above.get_text())


def _axes(axes: Any, allowance: Allowance) -> Dict[str, Any]:
    across, up = Scale(axes, axes.xaxis), Scale(axes, axes.yaxis)
    told: Dict[str, Any] = {"title": text(axes.get_title()), "x": across.described(), "y": up.described()}
    if axes.name != "rectilinear":
        told["projection"] = text(axes.name)
    if axes.get_legend() is not None:
        # Told apart from the series: a legend of texts alone does not say whose they are.
        told["legend"] = [text(each.get_text()) for each in axes.get_legend().get_texts()[:_MOST_SERIES]]
    if axes.name not in _PLANE:
        return {**told, "series": plot_series.unknown(_artists(axes))}
    reader = plot_series.Reader(axes, across, up, allowance)
    told["series"] = reader.series()
    if reader.omitted:
        told["omitted"] = reader.omitted
    return told


def _artists(axes: Any) -> List[Any]:
    """What stands in a space this knows nothing of."""
    return [*axes.lines, *axes.collections, *axes.patches, *axes.images]
