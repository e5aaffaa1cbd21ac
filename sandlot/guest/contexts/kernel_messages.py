"""What a Jupyter kernel says on its IOPub channel (jupyter_client, "Messaging"), for the outlet of a cell."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict

    from .outlet import Outlet

_STREAMS = ("stdout", "stderr")


def tell(outlet: Outlet, kind: str, content: Dict[str, Any]) -> None:
    """Pass a message on; one of another kind says nothing to a cell."""
    if kind == "stream":
        name = content.get("name")
        outlet.text(name if name in _STREAMS else "stdout", str(content.get("text", "")))
    elif kind in ("display_data", "update_display_data"):
        known = _object(content, "transient").get("display_id")
        outlet.display(
            _object(content, "data"),
            _object(content, "metadata"),
            display_id=None if known is None else str(known),
            update=kind == "update_display_data",
        )
    elif kind == "execute_result":
        count = content.get("execution_count")
        outlet.result(_object(content, "data"), _object(content, "metadata"), count or 0)
    elif kind == "error":
        tell_error(outlet, content)
    elif kind == "clear_output":
        outlet.clear(wait=bool(content.get("wait")))


def tell_error(outlet: Outlet, content: Dict[str, Any]) -> None:
    """Pass on how a cell failed."""
    name, value = str(content.get("ename") or "Error"), str(content.get("evalue", ""))
    lines = content.get("traceback") or [f"{name}: {value}\n"]
    outlet.error(name, value, [str(line) for line in lines])


def tell_values(outlet: Outlet, found: Dict[str, Any]) -> None:
    """Pass on the values of expressions, by their names."""
    for name in found:
        told = _object(found, name)
        if told.get("status") == "ok":
            outlet.value(name, _object(told, "data"), _object(told, "metadata"))
        else:
            error, lines = str(told.get("ename") or "Error"), told.get("traceback") or []
            outlet.no_value(name, error, str(told.get("evalue", "")), [str(line) for line in lines])


def _object(content: Dict[str, Any], name: str) -> Dict[str, Any]:
    found = content.get(name)
    return found if isinstance(found, dict) else {}
