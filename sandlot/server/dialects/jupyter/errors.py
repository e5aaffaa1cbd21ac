"""Errors as Jupyter's servers tell them: `message` and `reason`, beside our own code."""

from __future__ import annotations

import json

from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import Scope

from sandlot.server import answers, errors


def answer(error: Exception, scope: Scope, request_id: str) -> Response:
    """As sandlot.server.errors.answer, with the same statuses."""
    found = errors.answer(error, scope, request_id)
    if isinstance(error, ClientDisconnect):
        return found
    problem = json.loads(bytes(found.body))
    told = {"message": problem["detail"], "reason": problem["title"], "code": problem["code"]}
    headers = {name: value for name, value in found.headers.items() if not name.startswith("content-")}
    return answers.json({**told, "requestId": request_id}, found.status_code, headers)
