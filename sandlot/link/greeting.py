"""The first words: what a host tells an agent about its box, and the walls the agent answers with."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from sandlot.contracts.errors import Conflict, StartFailed
from sandlot.wire.frames import FrameError

from . import replies
from .calls import Calls, Patience
from .channel import Channel
from .connection import Connection, ConnectionEnded
from .life import Life, Usage
from .places import Places


@dataclass(frozen=True, slots=True)
class Greeted:
    """An agent that has answered, with the walls that are up in its box."""

    calls: Calls
    walls: frozenset[str]

    def reserve(self) -> None:
        """Take a parked box, before anything in it is changed. Raises Conflict the second time."""
        if self.calls.connection.is_claimed:
            raise Conflict("this box was claimed before: a parked box serves once")
        self.calls.connection.is_claimed = True

    def claim(self, limits: Mapping[str, int], patience: Patience, *, is_moved: bool) -> None:
        """Tell a reserved box its terms: programs get these *limits*, by names of walls.rlimits.

        *is_moved* says that another workspace was mounted in it.
        """
        self.calls.patience = patience
        self.calls.connection.claim(limits, is_moved=is_moved)


async def greet(
    channel: Channel,
    life: Life,
    places: Places,
    plan: Mapping[str, object],
    *,
    within: float,
    patience: Patience | None = None,
    unused: Usage | None = None,
) -> Greeted:
    """Greet the agent at the end of *channel* and check that every wall of *plan* is up.

    *unused* is what counts as used before the first command. Raises StartFailed when it does not answer
    *within* so many seconds, breaks the protocol or lacks a wall; the box is killed then.
    """
    calls = Calls(channel, life, places, patience, unused)
    is_up = False
    try:
        async with asyncio.timeout(within):
            greeting = await _greeting(calls.connection, places, plan)
        is_up = True
    except ConnectionEnded as error:
        raise StartFailed(_stillborn(calls, (await calls.death()).detail)) from error
    except TimeoutError as error:
        raise StartFailed(_stillborn(calls, f"its agent did not answer within {within:g} s")) from error
    except FrameError as error:
        raise StartFailed(_stillborn(calls, str(error))) from error
    finally:
        if not is_up:
            calls.connection.close()
            await asyncio.shield(life.kill())
    calls.takes_orders = greeting.takes_orders
    return Greeted(calls, greeting.walls)


async def _greeting(connection: Connection, places: Places, plan: Mapping[str, object]) -> replies.Greeting:
    """What the agent says; raises FrameError when a wall of *plan* is not up."""
    roots = [str(root.real) for root in places.roots]
    hello = {"protocol": replies.PROTOCOL, "workspace": places.workspace, "roots": roots, "plan": plan}
    greeting = replies.greeting(await connection.greet(hello))
    wanted = plan.get("walls")
    missing = set(wanted if isinstance(wanted, (list, tuple)) else ()) - greeting.walls
    if missing:
        raise FrameError(f"the box lacks the walls {', '.join(sorted(missing))}")
    return greeting


def _stillborn(calls: Calls, what: str) -> str:
    tail = calls.connection.diagnostics().decode("utf-8", "replace").strip()[-1000:]
    said = f", saying: {tail}" if tail else ""
    return f"the box did not start ({what}){said}"
