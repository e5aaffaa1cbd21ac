"""The stocks of warm boxes."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from sandlot.pool.supply import Supply
from sandlot.server import answers
from sandlot.server.access import context_of


async def stocks(request: Request) -> Response:
    """GET /v1/pool."""
    return answers.json({"stocks": [row(supply) for supply in context_of(request).service.supplies()]})


def row(supply: Supply) -> dict[str, Any]:
    """*supply* as JSON; told.Stock is its shape."""
    return {
        "engine": supply.engine,
        "stock": supply.stock,
        "ready": supply.ready,
        "starting": supply.starting,
        "waiting": supply.waiting,
        "hits": supply.hits,
        "misses": supply.misses,
        "waitSeconds": round(supply.wait_seconds, 6),
        "refused": supply.refused,
        "refills": supply.refills,
        "refillSeconds": round(supply.refill_seconds, 6),
        "failed": supply.failed,
        "retired": supply.retired,
        "dead": supply.dead,
    }
