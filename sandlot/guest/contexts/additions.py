"""What this program adds to the bundles of values it knows: pictures and data of figures, data of tables.

A figure is one of matplotlib, a table one of pandas. Neither is imported: who has one has loaded them.
"""

from __future__ import annotations

import sys

from . import charts, tables

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Container, Dict, Optional

PICTURES = {
    "image/png": "png",
    "image/svg+xml": "svg",
    "image/jpeg": "jpeg",
    "application/pdf": "pdf",
}
"""What a figure can be drawn as when it is asked for, by matplotlib's names."""

_LONGEST_ERROR = 500


def add(
    value: Any, data: Dict[str, Any], *, include: Optional[Container[str]], exclude: Container[str]
) -> None:
    """Add to *data*, the bundle of *value*; never raises for what *value* does.

    Of a figure the pictures among *include* are drawn, and a PNG when it has no picture and none is named.
    Data comes with every display, unless it is among *exclude*.
    """
    if _is_of(value, "matplotlib.figure", "Figure"):
        _draw(value, data, include, exclude)
        _add(charts.MIME, charts.chart, value, data, exclude)
    elif _is_of(value, "pandas", "DataFrame") or _is_of(value, "pandas", "Series"):
        _add(tables.MIME, tables.table, value, data, exclude)


def _is_of(value: object, module: str, name: str) -> bool:
    kind = getattr(sys.modules.get(module), name, None)
    return isinstance(kind, type) and isinstance(value, kind)


def _draw(
    figure: Any, data: Dict[str, Any], include: Optional[Container[str]], exclude: Container[str]
) -> None:
    has_picture = any(mime in PICTURES for mime in data)
    for mime, form in PICTURES.items():
        is_wanted = mime == "image/png" and not has_picture if include is None else mime in include
        if is_wanted and mime not in data and mime not in exclude:
            try:
                data[mime] = drawn(figure, form)
            except Exception as error:  # noqa: BLE001 - whatever drawing somebody's figure raises
                sys.stderr.write(f"Figure as {form}: {told_error(error)}\n")


def drawn(figure: Any, form: str) -> Any:
    """*figure* as bytes, SVG as text."""
    import io

    written = io.BytesIO()
    figure.savefig(written, format=form, bbox_inches="tight")
    return written.getvalue().decode("utf-8") if form == "svg" else written.getvalue()


def _add(
    mime: str, told: Callable[[Any], Any], value: Any, data: Dict[str, Any], exclude: Container[str]
) -> None:
    if mime in data or mime in exclude:
        return
    try:
        data[mime] = told(value)
    except Exception as error:  # noqa: BLE001 - libraries of any version, classes of anybody: no cell fails for it
        data[mime] = {"version": charts.VERSION, "error": told_error(error)}


def told_error(error: Exception) -> str:
    """What *error* says, in a line."""
    try:
        text = str(error)
    except Exception:  # noqa: BLE001 - somebody's __str__
        text = "<no text>"
    return f"{type(error).__name__}: {text}"[:_LONGEST_ERROR]
