"""Box plots among the lines of a plot.

Matplotlib keeps no record of them on the axes: it draws, for every box, two whiskers, two caps and a median,
and perhaps the box before and a mean and the outliers behind (Axes.bxp). Five lines are taken for a box only
when every end of theirs meets as it must.
"""

from __future__ import annotations

from .plot_values import number

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, List, Optional, Sequence, Tuple

    Line = Tuple[List[float], List[float]]

_MOST_LINES = 500
_MOST_OUTLIERS = 200
_NO_LINE = ("None", "none", " ", "")


class Boxes:
    """What was found: *boxes* in their order, and the ids of the *lines* they consist of."""

    def __init__(self, *, is_upright: bool) -> None:
        """None yet."""
        self.is_upright = is_upright
        self.boxes: List[Dict[str, Any]] = []
        self.lines: List[int] = []


def boxes_in(lines: Sequence[Any]) -> Optional[Boxes]:
    """The boxes that *lines* draw; None when they draw none."""
    artists = list(lines)[:_MOST_LINES]
    if len(artists) < 5:
        return None
    for is_upright in (True, False):
        found = _found(artists, is_upright=is_upright)
        if found.boxes:
            return found
    return None


def _found(artists: List[Any], *, is_upright: bool) -> Boxes:
    found = Boxes(is_upright=is_upright)
    shapes = [_shape(each, is_upright=is_upright) for each in artists]
    start = 0
    while start + 5 <= len(artists):
        box = _box(shapes[start : start + 5])
        if box is None:
            start += 1
            continue
        first, end = start - _has_body(shapes, start, box), start + 5
        while end < len(artists) and artists[end].get_linestyle() in _NO_LINE:
            _add(box, shapes[end])
            end += 1
        found.boxes.append(box)
        found.lines += [id(each) for each in artists[first:end]]
        start = end
    return found


def _shape(line: Any, *, is_upright: bool) -> Optional[Line]:
    """Its places and its values; None for one that has too many points to be a part of a box."""
    places, values = line.get_xdata(orig=False), line.get_ydata(orig=False)
    if len(places) != len(values) or (len(places) > 16 and line.get_linestyle() not in _NO_LINE):
        return None
    told = [float(each) for each in places], [float(each) for each in values]
    return told if is_upright else (told[1], told[0])


def _box(shapes: Sequence[Optional[Line]]) -> Optional[Dict[str, Any]]:
    """The numbers of a box when these five are its whiskers, caps and median."""
    pairs = [each for each in shapes if each is not None and len(each[0]) == 2]
    if len(pairs) != 5:
        return None
    below, above, floor, ceiling, median = pairs
    place = below[0][0]
    if {*below[0], *above[0]} != {place}:
        return None
    (first, low), (third, high) = below[1], above[1]
    is_met = floor[1] == [low, low] and ceiling[1] == [high, high] and median[1][0] == median[1][1]
    is_centred = all(abs(sum(each[0]) / 2 - place) < 1e-6 for each in (floor, ceiling, median))
    if not is_met or not is_centred or not low <= first <= median[1][0] <= third <= high:
        return None
    words = ("low", "q1", "median", "q3", "high")
    numbers = (low, first, median[1][0], third, high)
    return {"place": place, **{word: number(each) for word, each in zip(words, numbers)}, "outliers": []}


def _has_body(shapes: Sequence[Optional[Line]], start: int, box: Dict[str, Any]) -> int:
    """1 when the line before is the box's outline."""
    before = shapes[start - 1] if start else None
    is_outline = before is not None and len(before[0]) >= 5 and before[0][0] == before[0][-1]
    return int(is_outline and before is not None and {box["q1"], box["q3"]} <= set(before[1]))


def _add(box: Dict[str, Any], points: Optional[Line]) -> None:
    """Outliers, or a mean, which is one point within."""
    values = [] if points is None else points[1]
    if len(values) == 1 and box["low"] <= values[0] <= box["high"]:
        box["mean"] = number(values[0])
    elif values:
        box["outliers"] = [number(each) for each in values[:_MOST_OUTLIERS]]
        if len(values) > _MOST_OUTLIERS:
            box["truncated"] = True
