"""`sandlot health`: whether a server can be used."""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from typing import Any, Dict, List, Sequence, Tuple

from sandlot.client.address import chosen_server
from sandlot.client.async_driver import AsyncDriver
from sandlot.contracts.errors import TimedOut, Unavailable
from sandlot.contracts.quantity import Seconds
from sandlot.transport import aio
from sandlot.wire.fields import object_from
from sandlot.wire.flows.exchange import Ask, Flow, accepted, asking, refusal, understood

from . import arguments_sandboxes, render, service, signals

_PATIENCE = 10.0
_AGAIN = 0.1
_USABLE = ("ready", "alive")


def main(words: Sequence[str]) -> int:
    """Tell how the server *words* ask for is; 0 when it can be used, else 1."""
    options = arguments_sandboxes.health().parse_intermixed_args(words)
    patience = 0.0 if options.wait is None else float(Seconds.parse(options.wait))
    return signals.run(_ask(options, service.asked(options), time.monotonic() + patience))


async def _ask(options: argparse.Namespace, asked: service.Asked, until: float) -> int:
    server = chosen_server(asked.settings)
    transport = aio.connect(server.url, key=server.key)
    try:
        while True:
            told = await _told(AsyncDriver(transport))
            if told["status"] in _USABLE or time.monotonic() >= until:
                break
            await asyncio.sleep(_AGAIN)
    finally:
        await transport.close()
    _tell({"url": server.url, **told}, as_json=options.json)
    return 0 if told["status"] in _USABLE else 1


async def _told(driver: AsyncDriver) -> Dict[str, Any]:
    """What the server says of itself; one that cannot be reached says `unreachable`, and why."""
    try:
        return await driver.value(_readiness())
    except (Unavailable, TimedOut) as error:
        return {"status": "unreachable", "cause": error.message}


def _readiness() -> Flow[Dict[str, Any]]:
    answer = yield Ask(asking("GET", "/readyz"), patience=_PATIENCE)
    if answer.head.status == 404:
        # A server of NoxRunner's API that is not ours has this one only.
        accepted((yield Ask(asking("GET", "/healthz"), patience=_PATIENCE)), 200)
        return {"status": "alive"}
    if answer.head.status not in (200, 503):
        raise refusal(answer)
    return understood(lambda: {"status": "", **object_from(answer.body)})


def _tell(told: Dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        render.document(told)
        return
    tone = "good" if told["status"] in _USABLE else "bad"
    mark = render.coloured(render.escaped(str(told["status"])), tone, sys.stdout)
    print(f"{render.escaped(told['url'])}: {mark}")
    rows = [("  " + name, found) for name, found in _rows(told)]
    if rows:
        render.table(rows)


def _rows(told: Dict[str, Any]) -> List[Tuple[str, str]]:
    """What the server told besides its status, for people (pure)."""
    proven = [str(told[name]) for name in ("engine", "isolation") if told.get(name)]
    rows = [("version", str(told["version"]))] if told.get("version") else []
    rows += [("default engine", ", ".join(proven))] if proven else []
    checks = told.get("checks")
    if isinstance(checks, dict):
        rows += [(str(name), str(found)) for name, found in checks.items()]
    return rows + ([("because", str(told["cause"]))] if "cause" in told else [])
