"""A table of pandas as data: its columns and their types, its first rows, its size.

The words for types are those of Table Schema (https://specs.frictionlessdata.io/table-schema/). Its MIME type
is our own, for the one pandas has for that standard, application/vnd.dataresource+json, cannot say how large
a table is whose first rows are told. Nothing is imported: whoever has a table has pandas.
"""

from __future__ import annotations

import sys

from .plot_values import number

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, List

MIME = "application/vnd.sandlot.table+json"
VERSION = 1
MOST_ROWS = 20
MOST_COLUMNS = 20

_LONGEST = 200
_LARGEST = 2**63
_TYPES = {"b": "boolean", "i": "integer", "u": "integer", "f": "number", "M": "datetime", "m": "duration"}
_TYPES_BY_NAME = {"string": "string", "str": "string", "category": "string", "boolean": "boolean"}


def table(value: Any) -> Dict[str, Any]:
    """The data of a DataFrame or a Series; raises whatever its parts raise."""
    frame = value.to_frame() if value.ndim == 1 else value
    names = [value.name] if value.ndim == 1 else frame.columns[:MOST_COLUMNS]
    rows, columns = frame.shape
    shown = frame.iloc[:MOST_ROWS, :MOST_COLUMNS]
    cells = [[_cell(each) for each in shown.iloc[:, at].tolist()] for at in range(shown.shape[1])]
    return {
        "version": VERSION,
        "schema": {
            "fields": [_field(name, shown.iloc[:, at].dtype) for at, name in enumerate(names)],
            "index": [_field(name, kind) for name, kind in _levels(frame.index)],
        },
        "index": [_cell(each) for each in shown.index.tolist()],
        "rows": [list(row) for row in zip(*cells)] if cells else [[] for _ in range(len(shown))],
        "shape": [rows, columns],
        "truncated": rows > MOST_ROWS or columns > MOST_COLUMNS,
        "memoryBytes": int(value.memory_usage(index=True).sum() if value.ndim > 1 else value.memory_usage()),
    }


def _levels(index: Any) -> List[Any]:
    if index.nlevels > 1:
        return list(zip(index.names, index.dtypes.tolist()))
    return [(index.name, index.dtype)]


def _field(name: object, kind: Any) -> Dict[str, Any]:
    by_name = _TYPES_BY_NAME.get(str(kind))
    by_kind = _TYPES.get(getattr(kind, "kind", ""), "any")
    return {"name": None if name is None else _cut(str(name)), "type": by_name or by_kind, "dtype": str(kind)}


def _cell(value: Any) -> Any:
    """*value* as JSON has it: what is missing or no number is null, moments are ISO 8601, texts are cut."""
    pandas: Any = sys.modules["pandas"]
    if value is None or value is pandas.NaT or value is pandas.NA:
        return None
    if isinstance(value, (bool, float)):
        return number(value)
    if isinstance(value, int):
        return value if abs(value) < _LARGEST else _cut(str(value))
    if isinstance(value, str):
        return _cut(value)
    if isinstance(value, tuple):  # a row's name in an index of several levels
        return [_cell(each) for each in value[:MOST_COLUMNS]]
    if hasattr(value, "isoformat"):
        return _cut(value.isoformat())
    return _cut(_shown(value))


def _shown(value: Any) -> str:
    if hasattr(value, "as_tuple") or type(value).__module__ == "pandas":  # decimals, periods, intervals
        return str(value)
    import reprlib

    return reprlib.repr(value)


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}\N{HORIZONTAL ELLIPSIS}"
