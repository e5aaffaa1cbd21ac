"""Files, changes and processes as JSON: the rows that Files, FileWatch and Processes speak in."""

from __future__ import annotations

from typing import Any, Dict, Mapping, Tuple

from .fields import Fields

_CHANGES = ("created", "modified", "deleted", "moved")


def entry_to_json(entry: Mapping[str, Any]) -> Dict[str, Any]:
    """One file as Files.stat and Files.list tell it."""
    named = ("name", "path", "kind", "size", "mode", "mtime", "target")
    return {name: entry[name] for name in named if entry.get(name) is not None}


def entry_from(value: object) -> Dict[str, Any]:
    """The file that *value* tells. Raises InvalidSpec."""
    fields = Fields(value, "entry")
    entry: Dict[str, Any] = {name: fields.file_name(name) for name in ("name", "path", "kind")}
    entry.update(size=fields.count("size"), mode=fields.count("mode", most=0o7777))
    entry["mtime"] = fields.number("mtime")
    if fields.has("target"):
        entry["target"] = fields.file_name("target")
    return entry


def entries_from(value: object) -> Tuple[Dict[str, Any], ...]:
    """The files of a directory. Raises InvalidSpec."""
    return tuple(entry_from(item) for item in Fields(value).items("entries"))


def change_to_json(change: Mapping[str, Any]) -> Dict[str, Any]:
    """One change as FileWatch.watch tells it."""
    return {"path": change["path"], "kind": change["kind"]}


def change_from(value: object) -> Dict[str, Any]:
    """The change that *value* tells. Raises InvalidSpec."""
    fields = Fields(value, "change")
    kind = fields.text("kind")
    if kind not in _CHANGES:
        raise fields.wrong("kind", f"is unknown: use one of {', '.join(_CHANGES)}")
    return {"path": fields.file_name("path"), "kind": kind}


def row_to_json(row: Mapping[str, Any]) -> Dict[str, Any]:
    """One process as Processes.processes tells it; `startedAt` is in seconds since the epoch."""
    told = {name: row[name] for name in ("id", "background", "running", "signal") if name in row}
    told["argv"] = list(row.get("argv", ()))
    if "exit_code" in row:
        told["exitCode"] = row["exit_code"]
    if "started" in row:
        told["startedAt"] = row["started"]
    return told


def row_from(value: object) -> Dict[str, Any]:
    """The process that *value* tells. Raises InvalidSpec."""
    fields = Fields(value, "process")
    row: Dict[str, Any] = {
        "id": fields.text("id"),
        "argv": list(fields.texts("argv")),
        "background": fields.flag("background", default=False),
        "running": fields.flag("running"),
        "exit_code": fields.count("exitCode", least=-255, most=255) if fields.has("exitCode") else None,
        "signal": fields.count("signal", most=255) if fields.has("signal") else None,
    }
    if fields.has("startedAt"):
        row["started"] = fields.number("startedAt")
    return row


def rows_from(value: object) -> Tuple[Dict[str, Any], ...]:
    """The processes of a sandbox. Raises InvalidSpec."""
    return tuple(row_from(item) for item in Fields(value).items("processes"))
