"""Probing an engine: a real payload tries the walls from inside, and what it saw is judged here.

The walls a box's maker and its agent claim are held against it: a single one that the payload saw missing
means that the engine does not work here.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

from sandlot.contracts.capability import Feature, Viability
from sandlot.contracts.command import Command
from sandlot.contracts.engine import Box
from sandlot.contracts.errors import SandlotError
from sandlot.contracts.quantity import Seconds
from sandlot.contracts.result import Result, fold
from sandlot.contracts.spec import Isolation
from sandlot.keeper.launch import Consumption

DEADLINE = 10.0
"""Seconds a probe may take, start to result."""

_LARGEST_REPORT = 65_536
_PROCESSES_OF_A_BOX = 8
_SCRATCH = frozenset({"/tmp", "/var/tmp", "/dev/shm"})
_PAYLOAD = "probe_payload.py"
_COUNTED = {"cgroup.memory": "memory_peak", "cgroup.cpu": "cpu_seconds", "cgroup.pids": "pids"}

Trial = Callable[[], AbstractAsyncContextManager[tuple[Box, Consumption]]]
Look = Callable[[Box, Consumption], Awaitable[tuple[str, ...]]]
"""The walls that a box claims and that were seen missing in it. Raises ProbeFailed, SandlotError kinds."""


async def tried(box: Box, consumption: Consumption) -> tuple[str, ...]:
    """The walls that *box* claims and the payload saw missing. Raises ProbeFailed, SandlotError kinds."""
    token = secrets.token_hex(16)
    report = _report(await _run(box, token), token)
    return disproved(report, box.enforced, box.isolation, consumption)


async def probe(
    name: str, isolation: Isolation, trial: Trial, remedy: str = "", look: Look = tried
) -> Viability:
    """Look into the box that *trial* makes, and judge what was seen. Raises nothing of ours.

    *isolation* is what the engine promises; a box may reach more. *remedy* is what to do when the box does
    not even start.
    """
    started = time.monotonic()
    try:
        async with asyncio.timeout(DEADLINE), trial() as (box, consumption):
            missing = await look(box, consumption)
            seconds = time.monotonic() - started
            enforced, features, reached = box.enforced, box.features, box.isolation
    except TimeoutError:
        return failure(
            name, isolation, f"its box was not ready within {DEADLINE:g} s", "try again on an idle machine"
        )
    except SandlotError as error:
        return failure(name, isolation, " ".join(error.message.split()), remedy)
    except ProbeFailed as error:
        return failure(name, isolation, str(error), "report this with the output of sandlot doctor --json")
    if missing:
        cause = f"a payload in its box found these walls missing: {', '.join(missing)}"
        return failure(name, isolation, cause, "do not use it on this machine")
    return Viability(name, reached, enforced, features, seconds=seconds)


class ProbeFailed(Exception):
    """The box came up but the payload did not report."""


def failure(name: str, isolation: Isolation, cause: str, remedy: str) -> Viability:
    """The answer of an engine that does not work here."""
    return Viability(name, isolation, (), Feature.NOTHING, cause=cause, remedy=remedy or None)


def disproved(
    report: Mapping[str, Any], enforced: tuple[str, ...], isolation: Isolation, consumption: Consumption
) -> tuple[str, ...]:
    """The walls claimed in *enforced* that the payload saw missing (pure)."""
    has_own_tree = isolation >= Isolation.NAMESPACE
    scratch = _SCRATCH if has_own_tree else frozenset()
    seen = {
        "capabilities": report["capabilities"] == 0,
        "no_new_privs": report["no_new_privs"] is True,
        "seccomp": report["seccomp"] is True and not report["can_sniff"],
        "session": report["leads_session"] is True,
        "rlimits": report["core"] == 0,
        "dumpable": not report["can_read_agent"],
        "landlock": set(report["writable"]) <= scratch and not report["can_read_shadow"],
        "users": report["uid"] != 0,
        "mounts": not report["can_set_kernel"] and set(report["writable"]) <= _SCRATCH,
    }
    if has_own_tree:
        alone = set(report["interfaces"]) <= {"lo"} and report["processes"] <= _PROCESSES_OF_A_BOX
        seen["namespaces"] = alone
        # The host's root owns /usr; seen as 0 it would be mapped into the box.
        seen["users"] = report["uid"] != 0 and report["owner_of_usr"] != 0
        seen["network"] = set(report["interfaces"]) <= {"lo"}
    else:
        seen["network"] = not report["can_connect"]
    for name, counter in _COUNTED.items():
        seen[name] = getattr(consumption, counter) is not None
    return tuple(name for name in enforced if not seen.get(name, True))


async def _run(box: Box, token: str) -> Result:
    source = Path(__file__).with_name(_PAYLOAD).read_text(encoding="utf-8") + "\nmain()\n"
    command = Command(code=source, stdin=token.encode(), timeout=Seconds(DEADLINE))
    events = [event async for event in box.run(command)]
    return fold(events, engine=box.engine, isolation=box.isolation, enforced=box.enforced)


def _report(result: Result, token: str) -> Mapping[str, Any]:
    """The payload's report; raises ProbeFailed unless it is whole and answers to *token*."""
    try:
        report = json.loads(result.stdout[:_LARGEST_REPORT])
    except ValueError:
        said = result.errors.strip()[-500:] or "nothing"
        raise ProbeFailed(
            f"the probe's payload ended with {result.reason.value} {result.exit_code}: {said}"
        ) from None
    if not isinstance(report, dict) or report.get("token") != token:
        raise ProbeFailed("the probe's payload did not give its token back")
    return report
