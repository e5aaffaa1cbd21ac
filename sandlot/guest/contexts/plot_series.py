"""The series of one pair of axes: lines, points, bars, slices, boxes, fills, pictures."""

from __future__ import annotations

import sys

from .plot_boxes import Boxes, boxes_in
from .plot_values import name, number

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Dict, List, Optional, Set, Tuple

    from .plot_values import Allowance, Scale

_NO_LINE = ("None", "none", " ", "")
_MOST_TO_TOUCH = 200


class Reader:
    """Reads the artists of *axes*, each once."""

    def __init__(self, axes: Any, across: Scale, up: Scale, allowance: Allowance) -> None:
        """Tell points by their place *across* and *up*, within the *allowance*."""
        self._axes, self._x, self._y, self._allowance = axes, across, up, allowance
        self._read: Set[int] = set()
        self.omitted = 0
        """How many artists were left out because there are too many."""

    def series(self) -> List[Dict[str, Any]]:
        """Every visible series, and the names of what could not be read."""
        axes = self._axes
        told = [self._contained(each) for each in axes.containers if self._is_admitted()]
        told += [self._pie([each for each in axes.patches if type(each).__name__ == "Wedge"])]
        found = boxes_in(axes.lines)
        told += [] if found is None else [self._boxes(found)]
        strange = []
        for each in (*axes.lines, *axes.collections, *axes.patches, *axes.images):
            if id(each) in self._read or not each.get_visible() or not self._is_admitted():
                continue
            read = _READERS.get(type(each).__name__)
            series = None if read is None else read(self, each)
            told.append(series)
            if series is None:
                strange.append(each)
        return [each for each in told if each is not None] + unknown(strange)

    def _is_admitted(self) -> bool:
        is_admitted = self._allowance.admits()
        self.omitted += not is_admitted
        return is_admitted

    def _series(self, kind: str, artist: Any, x: Any, y: Any) -> Dict[str, Any]:
        numpy: Any = sys.modules["numpy"]
        x, y = numpy.ma.asarray(x, dtype=float).ravel(), numpy.ma.asarray(y, dtype=float).ravel()
        step = self._allowance.step(len(x))
        told = {"type": kind, "label": name(artist), "points": len(x), "truncated": step > 1}
        return {**told, "x": self._x.values(x[::step]), "y": self._y.values(y[::step])}

    def _contained(self, container: Any) -> Optional[Dict[str, Any]]:
        kind = type(container).__name__
        if kind == "BarContainer":
            self._read.update(map(id, container.patches))
            if getattr(container, "errorbar", None) is not None:
                self._read.update(map(id, _parts_of(container.errorbar)))
            return self._bars(container) if container.patches else None
        if kind == "ErrorbarContainer":
            return self._errors(container)
        if kind == "StemContainer":
            self._read.update(map(id, (container.markerline, container.stemlines, container.baseline)))
            return {**self.line(container.markerline), "type": "stem", "label": name(container)}
        return None

    def _bars(self, container: Any) -> Dict[str, Any]:
        """Bars; those that touch one another and have no names are a histogram's."""
        is_upright = getattr(container, "orientation", "vertical") != "horizontal"
        place, size = (self._x, self._y) if is_upright else (self._y, self._x)
        bars = list(container)
        step = self._allowance.step(len(bars))
        kept = [_shape(each, is_upright=is_upright) for each in bars[::step]]
        first = kept if step == 1 else [_shape(each, is_upright=is_upright) for each in bars[:_MOST_TO_TOUCH]]
        is_histogram = len(bars) > 1 and not place.has_labels and _touch(first)
        places = place.places(_floats([start + width / 2 for start, width, _, _ in kept]))
        sizes = [number(float(length)) for _, _, _, length in kept]
        told: Dict[str, Any] = {
            "type": "histogram" if is_histogram else "bar",
            "orientation": "vertical" if is_upright else "horizontal",
            "label": name(container),
            "points": len(bars),
            "truncated": step > 1,
            "x": places if is_upright else sizes,
            "y": sizes if is_upright else places,
        }
        if is_histogram and step == 1:
            last = kept[-1][0] + kept[-1][1]
            told["edges"] = place.values(_floats([*(start for start, _, _, _ in kept), last]))
        if any(base for _, _, base, _ in kept):
            told["base"] = size.values(_floats([base for _, _, base, _ in kept]))
        return told

    def _errors(self, container: Any) -> Optional[Dict[str, Any]]:
        self._read.update(map(id, _parts_of(container)))
        line, _caps, ranges = container.lines
        if line is None:
            return None
        told = {**self.line(line), "type": "errorbar", "label": name(container)}
        step = -(-told["points"] // max(1, len(told["x"])))
        flags = (("xError", container.has_xerr, self._x, 0), ("yError", container.has_yerr, self._y, 1))
        for (key, is_there, scale, index), drawn in zip((each for each in flags if each[1]), ranges):
            ends = [(each[0][index], each[-1][index]) for each in drawn.get_segments()[::step] if len(each)]
            low, high = (scale.values(_floats([end[which] for end in ends])) for which in (0, 1))
            told[key] = {"low": low, "high": high} if is_there else None
        return told

    def _pie(self, slices: List[Any]) -> Optional[Dict[str, Any]]:
        if not slices:
            return None
        self._read.update(map(id, slices))
        step = self._allowance.step(len(slices))
        kept = slices[::step]
        return {
            "type": "pie",
            "label": None,
            "points": len(slices),
            "truncated": step > 1,
            "x": [name(each) for each in kept],
            # What a slice knows is its part of the circle.
            "y": [number(round(float(each.theta2 - each.theta1) / 360, 9)) for each in kept],
        }

    def _boxes(self, found: Boxes) -> Dict[str, Any]:
        self._read.update(found.lines)
        # Their bodies, where those are filled.
        self._read.update(id(each) for each in self._axes.patches if type(each).__name__ == "PathPatch")
        step = self._allowance.step(len(found.boxes))
        place = self._x if found.is_upright else self._y
        return {
            "type": "box",
            "orientation": "vertical" if found.is_upright else "horizontal",
            "label": None,
            "points": len(found.boxes),
            "truncated": step > 1,
            "boxes": [
                {**each, "place": place.places(_floats([each["place"]]))[0]} for each in found.boxes[::step]
            ],
        }

    def line(self, line: Any) -> Dict[str, Any]:
        """A line; points without one are `scatter`, and those across the axes `hline` and `vline`."""
        self._read.add(id(line))
        is_across, is_up = line.get_transform().contains_branch_seperately(self._axes.transData)
        x, y = line.get_xdata(orig=False), line.get_ydata(orig=False)
        if not is_across or not is_up:  # as axhline has it: one of its numbers is a part of the axes
            kind = "hline" if is_up else "vline"
            told = self._series(kind, line, x[:1], y[:1])
            return {**told, "x": [] if is_up else told["x"], "y": told["y"] if is_up else []}
        return self._series("scatter" if line.get_linestyle() in _NO_LINE else "line", line, x, y)

    def points(self, points: Any) -> Dict[str, Any]:
        """What `scatter` draws."""
        offsets = points.get_offsets()
        return self._series("scatter", points, offsets[:, 0], offsets[:, 1])

    def fill(self, fill: Any) -> Optional[Dict[str, Any]]:
        """An area by its outline."""
        paths = fill.get_paths()
        if not paths or fill.get_array() is not None:  # with colours by number it is another thing, as hexbin
            return None
        outline = paths[0].vertices
        return self._series("fill", fill, outline[:, 0], outline[:, 1])

    def stairs(self, stairs: Any) -> Dict[str, Any]:
        """What `stairs` draws: values and the edges between them."""
        values, edges, _baseline = stairs.get_data()
        told = self._series("histogram", stairs, (edges[:-1] + edges[1:]) / 2, values)
        if not told["truncated"]:
            told["edges"] = self._x.values(edges)
        return {**told, "orientation": str(getattr(stairs, "orientation", "vertical"))}

    def picture(self, image: Any) -> Dict[str, Any]:
        """A picture, or a mesh of colours: its shape and where it lies, not its values."""
        found = image.get_array()
        extent: List[Any] = list(image.get_extent()) if hasattr(image, "get_extent") else []
        shape = [] if found is None else [int(each) for each in found.shape]
        return {
            "type": "image",
            "label": name(image),
            "shape": shape,
            "extent": [number(float(each)) for each in extent],
        }


_READERS: Dict[str, Callable[[Reader, Any], Optional[Dict[str, Any]]]] = {
    "Line2D": Reader.line,
    "PathCollection": Reader.points,
    "PolyCollection": Reader.fill,
    "FillBetweenPolyCollection": Reader.fill,
    "StepPatch": Reader.stairs,
    "AxesImage": Reader.picture,
    "QuadMesh": Reader.picture,
}


def unknown(artists: List[Any]) -> List[Dict[str, Any]]:
    """The names of what is not read, each once, and how many there are."""
    counts: Dict[str, int] = {}
    for each in artists:
        kind = type(each).__name__[:100]
        counts[kind] = counts.get(kind, 0) + 1
    return [{"type": "unknown", "artist": kind, "count": count} for kind, count in counts.items()]


def _floats(values: List[Any]) -> Any:
    numpy: Any = sys.modules["numpy"]
    return numpy.asarray(values, dtype=float)


def _shape(bar: Any, *, is_upright: bool) -> Tuple[float, float, float, float]:
    """Where it stands and how wide it is, where it begins and how long it is."""
    across, up = (bar.get_x(), bar.get_width()), (bar.get_y(), bar.get_height())
    return (*across, *up) if is_upright else (*up, *across)


def _touch(shapes: List[Tuple[float, float, float, float]]) -> bool:
    close = 1e-6 * abs(shapes[0][1])
    pairs = zip(shapes, shapes[1:])
    return all(abs(left[0] + left[1] - right[0]) <= close for left, right in pairs)


def _parts_of(errors: Any) -> List[Any]:
    line, caps, ranges = errors.lines
    return [*([] if line is None else [line]), *caps, *ranges]
