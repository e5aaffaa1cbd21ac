"""Replies in every form that its clients read: flat, and wrapped as `result` and `full_result` (pure)."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from sandlot.wire import json_object

JSON = "application/json"


def superset(payload: dict[str, Any]) -> Response:
    """*payload*, its members both at the top and within `result` and `full_result`.

    Clients of 0.1.0 read the wrapped form, those of 0.1.1 and people at a prompt the flat one.
    """
    text = json_object.render(payload)
    rest = b"," + text[1:-1] if payload else b""
    return Response(b'{"result":' + text + b',"full_result":' + text + rest + b"}", media_type=JSON)


def flat(payload: dict[str, Any], status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """*payload* alone."""
    return Response(json_object.render(payload), status, headers, JSON)
