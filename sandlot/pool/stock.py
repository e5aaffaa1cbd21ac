"""What the stocks of an engine need next: what to start, what to retire, whom to refuse (pure).

Theory. A claim takes a ready box, and making the next one takes as much of the machine as running a program
does. So it is put off until claims pause and what was claimed last has ended, as long as half of the stock is
left; below that, one is made at a time beside the claims; and with none left, as many at once as there are
processors, for now everybody waits for it. A claim that finds nothing is a box to be made before all others.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from sandlot.contracts.errors import InvalidSpec

from .memory import Memory

MOST_DEPTH = 64
"""A parked box costs about a mebibyte, and with hundreds of them every fork gets dearer."""
QUIET = 0.002
"""Seconds without a claim that count as a pause, once the box that was claimed last is gone."""
LONGEST = 0.025
"""Seconds without a claim that count as one where that box lives on: most one-shot runs are over by then."""
SHORT = 0.10
"""Share of the host's memory below which no box is made ahead."""
EASY = 0.15
"""Share from which boxes are made ahead again: shedding some must not bring them all back."""


@dataclass(frozen=True, slots=True)
class Rules:
    """Bounds. `depth` is per stock, counts are of all stocks of an engine, times are in seconds."""

    depth: int = 8
    at_once: int = 2
    """Boxes being made at once."""
    waiting: int = 256
    """Claims that wait for a box."""
    wait: float = 5.0
    """How long one waits until a box is being made for it."""
    age: float = 600.0
    """How long a box is kept."""
    idle: float = 600.0
    """How long a stock is kept that nobody asks for."""

    def __post_init__(self) -> None:
        """Refuse what cannot work."""
        if not 1 <= self.depth <= MOST_DEPTH:
            raise InvalidSpec(
                f"a pool {self.depth} deep is out of range: use 1 to {MOST_DEPTH}, or 0 for none"
            )
        if self.at_once < 1 or self.waiting < 0 or min(self.wait, self.age, self.idle) <= 0:
            raise InvalidSpec(f"{self} cannot work: use positive numbers")

    @property
    def low(self) -> int:
        """As many ready boxes, or more, leave time until claims pause."""
        return max(1, self.depth // 2)


class Stock(NamedTuple):
    """One stock at one moment; times are seconds of one clock."""

    ready: int = 0
    starting: int = 0
    waiting: int = 0
    asked: float = 0.0
    """When a box of it was last asked for."""
    oldest: float | None = None
    """When the oldest ready box was made."""
    is_kept: bool = False
    """Whether it is kept ready even when nobody asks for it."""
    is_proven: bool = True
    """Whether a box of it could be made before: the first one may take seconds."""
    rests_until: float = 0.0
    """When a box may be made ahead again, after some could not be made."""


class Moment(NamedTuple):
    """What matters to all stocks: the time, when the last claim came, whether memory is short.

    `is_busy` says that the box which was claimed last is not gone yet.
    """

    now: float
    claimed: float = float("-inf")
    is_short: bool = False
    is_busy: bool = False

    @property
    def quiet_from(self) -> float:
        """When claims pause, if none comes until then."""
        return self.claimed + (LONGEST if self.is_busy else QUIET)

    @property
    def is_quiet(self) -> bool:
        """Whether claims pause."""
        return self.now >= self.quiet_from


def starts(stocks: Mapping[str, Stock], rules: Rules, moment: Moment) -> Mapping[str, int]:
    """How many boxes of each stock to begin to make now."""
    found: dict[str, int] = {}
    after = dict(stocks)
    room = rules.at_once - sum([stock.starting for stock in stocks.values()])
    while room > 0 and (lacking := [name for name in after if _lacks(after[name], rules, moment)]):
        name = min(lacking, key=lambda name: _urgency(after[name]))
        found[name] = found.get(name, 0) + 1
        room -= 1
        if room:
            after[name] = after[name]._replace(starting=after[name].starting + 1)
    return found


def pause(stocks: Mapping[str, Stock], rules: Rules, moment: Moment) -> float | None:
    """Seconds until claims pause, when something is to be started then; None when nothing is."""
    if moment.is_quiet:
        return None
    quiet = moment._replace(claimed=float("-inf"))
    if not any(_lacks(stock, rules, quiet) for stock in stocks.values()):
        return None
    # A timer may be a trifle early: whoever is called then must not be told to come again at once, for ever.
    return max(moment.quiet_from - moment.now, QUIET / 2)


def retirements(stock: Stock, rules: Rules, moment: Moment) -> int:
    """How many ready boxes to end, oldest first, when this is asked once a second."""
    if moment.is_short:
        return (stock.ready + 1) // 2
    if not is_wanted(stock, rules, moment.now):
        return stock.ready
    # Boxes made together grow old together: one a second leaves the others to be claimed.
    is_old = stock.oldest is not None and moment.now - stock.oldest >= rules.age
    return max(stock.ready - rules.depth, int(is_old))


def is_wanted(stock: Stock, rules: Rules, now: float) -> bool:
    """Whether boxes of it are worth having before they are asked for."""
    return stock.is_kept or now - stock.asked < rules.idle


def is_full(waiting: int, rules: Rules) -> bool:
    """Whether one more claim that finds nothing is refused at once."""
    return waiting >= rules.waiting


def is_short(memory: Memory | None, was: bool) -> bool:
    """Whether memory is too short to make boxes ahead; *was* says whether it has been."""
    return memory is not None and memory.available < memory.total * (EASY if was else SHORT)


def _lacks(stock: Stock, rules: Rules, moment: Moment) -> bool:
    """Whether one box more should be begun."""
    if stock.starting and not stock.is_proven:
        return False
    ahead = stock.starting - stock.waiting
    if ahead < 0:
        return True
    if stock.ready + ahead >= rules.depth or moment.is_short or moment.now < stock.rests_until:
        return False
    return is_wanted(stock, rules, moment.now) and ahead < _ahead_at_once(stock.ready, rules, moment)


def _ahead_at_once(ready: int, rules: Rules, moment: Moment) -> int:
    if ready == 0:
        return rules.at_once
    if ready < rules.low:
        return rules.at_once if moment.is_quiet else 1
    return 1 if moment.is_quiet else 0


def _urgency(stock: Stock) -> tuple[bool, int]:
    """Claims that wait come first; then whoever has least."""
    return stock.waiting <= stock.starting, stock.ready + stock.starting
