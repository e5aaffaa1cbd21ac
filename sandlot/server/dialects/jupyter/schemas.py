"""What bodies and replies hold, for the document of the API: `translate` is what reads them (JSON Schema)."""

from __future__ import annotations

from typing import Any, Final

Json = dict[str, Any]
_TEXT: Final[Json] = {"type": "string"}


def _record(required: Json, optional: Json | None = None) -> Json:
    return {
        "type": "object",
        "properties": {**required, **(optional or {})},
        **({"required": list(required)} if required else {}),
    }


def _listing(items: Json) -> Json:
    return {"type": "array", "items": items}


def _nullable(schema: Json) -> Json:
    return {"anyOf": [schema, {"type": "null"}]}


PLACES: Final[Json] = {
    "id": {"type": "string", "pattern": "^[0-9a-f-]{36}$"},
    "name": {"type": "string", "pattern": "^[A-Za-z0-9._-]{1,60}$"},
}
VERSION: Final = _record({"version": _TEXT})
KERNEL: Final = _record(
    {
        "id": _TEXT,
        "name": _TEXT,
        "last_activity": {**_TEXT, "format": "date-time"},
        "execution_state": {"enum": ["starting", "idle", "busy", "restarting", "dead"]},
        "connections": {"type": "integer", "minimum": 0},
        "sandbox": {**_TEXT, "description": "The sandbox it runs in"},
    }
)
KERNELS: Final = _listing(KERNEL)
_VARIABLES: Final[Json] = {
    "type": "object",
    "propertyNames": {"pattern": "^[A-Za-z_][A-Za-z0-9_]{0,255}$"},
    "additionalProperties": {**_TEXT, "pattern": "^[^\\u0000]*$", "maxLength": 131_072},
}
_SANDBOX: Final[Json] = {
    "type": "string",
    "pattern": "^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$",
    "description": "One of the caller's, which the kernel leaves when it is deleted; a new one otherwise",
}
ASKED_KERNEL: Final = _record(
    {},
    {
        "name": _nullable({"type": "string", "pattern": "^[a-z][a-z0-9+_-]{0,31}$"}),
        "env": _nullable(_VARIABLES),
        "sandbox": _nullable(_SANDBOX),
    },
)
_SPEC: Final = _record(
    {"argv": _listing(_TEXT), "display_name": _TEXT, "language": _TEXT, "interrupt_mode": _TEXT}
)
KERNELSPEC: Final = _record({"name": _TEXT, "spec": _SPEC, "resources": {"type": "object"}})
KERNELSPECS: Final = _record(
    {"default": _TEXT, "kernelspecs": {"type": "object", "additionalProperties": KERNELSPEC}}
)
SHARED: Final[Json] = {
    "JupyterError": _record({"message": _TEXT, "reason": _TEXT, "code": _TEXT, "requestId": _TEXT})
}
