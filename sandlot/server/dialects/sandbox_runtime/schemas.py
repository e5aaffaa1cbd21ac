"""What bodies and replies hold, for the documents of the API: `asked` is what reads them (JSON Schema)."""

from __future__ import annotations

from typing import Any

from .asked import LONGEST_HANDLER, MOST_DOCUMENTS

Json = dict[str, Any]
_TEXT: Json = {"type": "string"}
_COUNT: Json = {"type": "integer", "minimum": 0}
_NUMBER: Json = {"type": "number"}
_FLAG: Json = {"type": "boolean"}
FILENAME: Json = {**_TEXT, "description": "Relative to the workspace, without `..`"}
BYTES: Json = {"type": "string", "format": "binary"}


def record(required: Json, optional: Json | None = None, **more: Any) -> Json:
    """An object with *required* members and *optional* ones; it may have more."""
    told = {"type": "object", "properties": {**required, **(optional or {})}, **more}
    return {**told, "required": list(required)} if required else told


def listing(items: Json, **more: Any) -> Json:
    """A list of *items*."""
    return {"type": "array", "items": items, **more}


def nullable(schema: Json) -> Json:
    """*schema*, or null."""
    return {"anyOf": [schema, {"type": "null"}]}


def superset(payload: Json) -> Json:
    """What `replies.superset` makes of *payload*."""
    members = {**payload["properties"], "result": payload, "full_result": payload}
    return {
        **payload,
        "properties": members,
        "required": [*payload.get("required", ()), "result", "full_result"],
    }


_METRICS = record({"duration_ms": _NUMBER, "cpu_time_ms": _NUMBER, "memory_peak_mb": _NUMBER})
_CUT = record({"stdout": _FLAG, "stderr": _FLAG})
_ENTRY = {"filename": _TEXT, "name": _TEXT, "size": _COUNT, "type": _TEXT}
_SECONDS: Json = nullable({"type": "number", "exclusiveMinimum": 0, "maximum": 31_622_400})
_ERROR = {
    "error_code": _TEXT,
    "description": _TEXT,
    "error_detail": _TEXT,
    "error_link": _TEXT,
    "solution": _TEXT,
}

SIZE = record(
    {},
    {
        "size": nullable(
            {"type": "string", "pattern": "^[1-9][0-9]{0,3}[kKmMgG]$", "description": "Such as 100M"}
        )
    },
)
FORCE = record({}, {"force": nullable(_FLAG)})
CONTENT = record({"filename": FILENAME, "content": _TEXT}, {"mode": nullable({**_COUNT, "maximum": 0o7777})})
FORM = record({"file": BYTES})
COMMAND = record(
    {"command": {**_TEXT, "minLength": 1}}, {"args": nullable(listing(_TEXT)), "timeout": _SECONDS}
)
SCRIPT = record(
    {"code": _TEXT},
    {
        "filename": nullable(FILENAME),
        "args": nullable(listing(_TEXT)),
        "script_type": nullable({"enum": ["python", "shell"]}),
        "output_params": nullable(listing(_TEXT)),
        "timeout": _SECONDS,
    },
)
HANDLER = record(
    {"handler_code": {**_TEXT, "minLength": 1, "maxLength": LONGEST_HANDLER}},
    {
        "event": {
            "type": ["object", "null"],
            "description": "`__timeout` in it: seconds, 300 unless above 0",
        },
        "context": {"type": ["object", "null"], "description": "What the handler's context tells"},
    },
)
DOCUMENTS = record(
    {
        "file_params": listing(
            record(
                {"docid": {**_TEXT, "minLength": 1}},
                {"rev": nullable(_TEXT), "savename": nullable(FILENAME)},
            ),
            minItems=1,
            maxItems=MOST_DOCUMENTS,
        )
    },
    {
        "efast_url": nullable(_TEXT),
        "save_path": nullable(FILENAME),
        "token": nullable({**_TEXT, "pattern": "^[!-~]{1,8192}$"}),
        "timeout": _SECONDS,
    },
)

STATUS = record({"status": {"const": "success"}})
SESSION = record({"session_id": _TEXT, "size": nullable(_TEXT), "size_enforced": _FLAG})
ABOUT = record(
    {
        "id": _TEXT,
        "exists": _FLAG,
        "created_at": nullable(_NUMBER),
        "mount_point": nullable(_TEXT),
        "is_mounted": _FLAG,
        "files": listing(record({**_ENTRY, "modified_at": _NUMBER})),
    },
    {"state": _TEXT, "expires_at": nullable(_NUMBER)},
)
_PLACE = record({"mount_point": _TEXT, "created_at": _NUMBER})
WORKSPACES = record({"workspaces": {"type": "object", "additionalProperties": _PLACE}})
CLEANED = record({"total": _COUNT, "success": _COUNT, "failed": listing(_TEXT), "skipped": listing(_TEXT)})
WRITTEN = record({"filename": _TEXT, "size": _COUNT})
LISTED = record({"files": listing(record(_ENTRY))})
PAGE = record({"content": _TEXT, "is_binary": _FLAG, "offset": _COUNT, "size": _COUNT, "is_eof": _FLAG})
EXECUTED = record(
    {
        "stdout": _TEXT,
        "stderr": _TEXT,
        "returncode": _COUNT,
        "exit_code": _COUNT,
        "reason": _TEXT,
        "timed_out": _FLAG,
        "truncated": _CUT,
        "metrics": _METRICS,
    },
    {"output_variables": {"type": "object"}},
)
HANDLED = record(
    {
        "stdout": _TEXT,
        "stderr": _TEXT,
        "result": {"description": "What the handler returned"},
        "exit_code": _COUNT,
        "reason": _TEXT,
        "truncated": _CUT,
        "metrics": record({**_METRICS["properties"], "timeout_seconds": _NUMBER}),
    },
    _ERROR,
)
_FETCHED_ONE = record(
    {"success": _FLAG, "index": _COUNT, "docid": _TEXT, "savename": _TEXT},
    {"file_path": _TEXT, "error": _TEXT},
)
FETCHED = record(
    {
        "message": _TEXT,
        "success_count": _COUNT,
        "failed_count": _COUNT,
        "total_count": _COUNT,
        "results": listing(_FETCHED_ONE),
        "save_path": _TEXT,
    }
)
SHARED: Json = {
    "SandboxRuntimeError": record(
        {**_ERROR, "detail": {"description": "Text, a list of faults, or the object itself"}}
    )
}
OWN_DOCUMENT: Json = {
    "operationId": "getApiJson",
    "summary": "This document",
    "tags": ["sandbox_runtime"],
    "responses": {
        "200": {"description": "OpenAPI 3.1", "content": {"application/json": {"schema": {"type": "object"}}}}
    },
}
