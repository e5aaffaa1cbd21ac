"""A picture of a run: how far each promise is kept, and how cost grows (`sandlot bench --plot FILE`)."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sandlot.contracts.errors import InvalidSpec

from . import growth, words

_MET, _MISSED, _UNJUDGED = "#2e7d32", "#c62828", "#757575"
_LEAST = 0.001  # a bar on a logarithmic scale needs a length


@dataclass(frozen=True, slots=True)
class Bar:
    """One promise: `share` is the value over the limit, or the limit over the value where more is better."""

    label: str
    share: float
    met: bool | None


def prove_possible(path: Path) -> None:
    """Raise InvalidSpec, before anything is measured, when no picture can be drawn to *path*."""
    if importlib.util.find_spec("matplotlib") is None:
        raise InvalidSpec("--plot needs matplotlib, which is not installed: pip install 'sandlot[bench]'")
    from matplotlib.backend_bases import FigureCanvasBase

    known = sorted(FigureCanvasBase.get_supported_filetypes())
    if path.suffix.lstrip(".") not in known:
        raise InvalidSpec(f"--plot {path} has no ending of a picture: use one of {', '.join(known)}")


def bars(document: Mapping[str, Any]) -> list[Bar]:
    """Every promise of *document* that has a value; guides are left out."""
    found = []
    for result in document["results"]:
        for entry in result["goals"]:
            share = _share(entry["goal"], entry["value"])
            if share is not None and not entry["guide"]:
                label = f"{words.title(result)}: {entry['goal']} ({words.number(entry['value'])})"
                found.append(Bar(label, share, entry["met"]))
    return found


def draw(document: Mapping[str, Any], path: Path) -> None:
    """Draw *document* to *path*, in the format its ending names. Raises InvalidSpec when that fails."""
    from matplotlib.figure import Figure

    shown, curve = bars(document), _curve(document)
    figure = Figure(figsize=(11, 1.5 + 0.28 * max(len(shown), 8 if curve else 1)), layout="constrained")
    axes = figure.subplots(1, 2 if curve else 1, squeeze=False, width_ratios=[2, 1][: 2 if curve else 1])[0]
    _draw_bars(axes[0], shown)
    if curve:
        _draw_curve(axes[1], curve)
    figure.suptitle(f"sandlot {document['sandlot']} on {words.machine(document)}", fontsize=8)
    try:
        figure.savefig(path)
    except OSError as cause:
        raise InvalidSpec(f"--plot {path} cannot be written: {cause.strerror}") from cause


def _share(goal: str, value: float | None) -> float | None:
    """How much of what is allowed is used: 1 is exactly the promise, less is better. None without a scale."""
    limit = float(goal.rpartition(" ")[2])
    if value is None or limit <= 0:
        return None
    share = limit / value if " >= " in goal and value > 0 else value / limit
    return max(_LEAST, share)


def _curve(document: Mapping[str, Any]) -> dict[str, dict[int, float]]:
    for result in document["results"]:
        if found := growth.points(result["figures"]):
            return found
    return {}


def _draw_bars(axes: Any, shown: list[Bar]) -> None:
    colours = {True: _MET, False: _MISSED, None: _UNJUDGED}
    axes.barh(
        [each.label for each in shown],
        [each.share for each in shown],
        color=[colours[each.met] for each in shown],
    )
    axes.axvline(1, color="black", linewidth=1)
    axes.set_xscale("log")
    axes.invert_yaxis()
    axes.tick_params(labelsize=7)
    axes.set_xlabel("share of what the promise allows (left of 1: kept)")


def _draw_curve(axes: Any, curve: Mapping[str, Mapping[int, float]]) -> None:
    for verb, points in curve.items():
        axes.plot(list(points), list(points.values()), marker="o", label=verb)
    axes.set_xscale("log")
    axes.set_ylim(bottom=0)
    axes.set_xlabel("live sandboxes")
    axes.set_ylabel("p50 in ms")
    axes.legend(fontsize=8)
