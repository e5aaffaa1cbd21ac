"""`sandlot pool`: what a server keeps ready."""

from __future__ import annotations

import argparse
from typing import Any, Dict, Mapping, Sequence, Tuple

from sandlot.client.address import chosen_server
from sandlot.client.async_driver import AsyncDriver
from sandlot.contracts.errors import InvalidSpec
from sandlot.transport import aio
from sandlot.wire.fields import object_from
from sandlot.wire.flows.exchange import Ask, Flow, accepted, asking, understood

from . import arguments_sandboxes, render, service, signals

_PATIENCE = 10.0
_COUNTS = ("ready", "starting", "waiting", "hits", "misses", "refused", "retired", "dead", "failed")
_TIMES = (("wait", "misses"), ("refill", "refills"))


def main(words: Sequence[str]) -> int:
    """List the stocks of the server that *words* ask for; 0."""
    options = arguments_sandboxes.pool().parse_intermixed_args(words)
    return signals.run(_list(options, service.asked(options)))


async def _list(options: argparse.Namespace, asked: service.Asked) -> int:
    server = chosen_server(asked.settings)
    transport = aio.connect(server.url, key=server.key)
    try:
        told = await AsyncDriver(transport).value(_stocks())
    finally:
        await transport.close()
    if options.json:
        render.document(told)
    else:
        head = ("ENGINE", "STOCK", *(name.upper() for name in _COUNTS), "WAIT", "REFILL")
        render.table([head, *(cells(stock) for stock in told["stocks"])])
    return 0


def _stocks() -> Flow[Dict[str, Any]]:
    answer = accepted((yield Ask(asking("GET", "/v1/pool"), patience=_PATIENCE)), 200)
    return understood(lambda: checked(object_from(answer.body)))


def checked(told: Dict[str, Any]) -> Dict[str, Any]:
    """*told* itself, when it is what is asked for; of a server that is not ours it may be anything."""
    stocks = told.get("stocks")
    if not isinstance(stocks, list) or not all(isinstance(stock, dict) for stock in stocks):
        raise InvalidSpec("it tells no stocks")
    return told


def cells(stock: Mapping[str, Any]) -> Tuple[str, ...]:
    """The line of the table that tells *stock*: counts, and how long a wait and a refill took on average."""
    return (
        str(stock.get("engine", "-")),
        str(stock.get("stock", "-")),
        *(str(stock.get(name, "-")) for name in _COUNTS),
        *(_mean(stock.get(f"{what}Seconds"), stock.get(count)) for what, count in _TIMES),
    )


def _mean(seconds: Any, count: Any) -> str:
    """How long one of *count* took."""
    if not isinstance(seconds, (int, float)) or not isinstance(count, int) or count <= 0:
        return "-"
    return f"{1000 * seconds / count:.1f} ms"
