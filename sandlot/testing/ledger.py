"""What the suites really executed: records, and the JSON they travel in.

`docs/engines.md` and the terminal summary are made from it, so that neither can claim a case that
did not run.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field
from typing import Any, Dict, Iterable, List, Mapping, Tuple

SCHEMA = 1


def host_kind() -> str:
    """`root` or `user`: verdicts are pinned per kind of host."""
    return "root" if os.geteuid() == 0 else "user"


@dataclass(frozen=True)
class Record:
    """One thing proven (or not): a case of a suite on an engine on a kind of host.

    `suite` is conformance, hostile, control or wall; `outcome` is what happened: held, refused,
    broken, crashed (hostile), worked or held (control, wall), passed, failed or refused (conformance).
    """

    suite: str
    engine: str
    host: str
    case: str
    outcome: str
    expected: str
    seconds: float = 0.0
    note: str = ""
    title: str = ""

    @property
    def as_expected(self) -> bool:
        """Whether it went as pinned."""
        return self.outcome == self.expected


@dataclass(frozen=True)
class EngineFacts:
    """What an engine's probe and a default box said on one kind of host."""

    engine: str
    host: str
    isolation: str
    works: bool
    cause: str = ""
    enforced: Tuple[str, ...] = ()
    features: Tuple[str, ...] = ()


@dataclass
class Ledger:
    """The book of one test session; appended to, never edited."""

    records: List[Record] = field(default_factory=list)
    facts: List[EngineFacts] = field(default_factory=list)

    def write(self, record: Record) -> None:
        """Enter *record*."""
        self.records.append(record)

    def know(self, facts: EngineFacts) -> None:
        """Enter what is known of an engine; the first word stays."""
        if (facts.engine, facts.host) not in {(known.engine, known.host) for known in self.facts}:
            self.facts.append(facts)

    def to_json(self) -> str:
        """The book as text, stable in its order."""
        document = {
            "schema": SCHEMA,
            "engines": [asdict(facts) for facts in sorted(self.facts, key=lambda f: (f.engine, f.host))],
            "records": [
                asdict(r) for r in sorted(self.records, key=lambda r: (r.engine, r.host, r.suite, r.case))
            ],
        }
        return json.dumps(document, indent=1) + "\n"

    def extend(self, others: Iterable[Ledger]) -> None:
        """Take over what *others* hold: the runs of several kinds of host make one page."""
        for other in others:
            self.records.extend(other.records)
            for facts in other.facts:
                self.know(facts)


def from_json(text: str) -> Ledger:
    """The book that `to_json` wrote. Raises ValueError for anything else."""
    document = json.loads(text)
    if not isinstance(document, dict) or document.get("schema") != SCHEMA:
        raise ValueError(
            f"not a sandlot report of schema {SCHEMA}: make it with pytest --sandlot-report FILE"
        )
    try:
        facts = [_facts(entry) for entry in document["engines"]]
        records = [Record(**entry) for entry in document["records"]]
    except (KeyError, TypeError) as error:
        raise ValueError(f"a sandlot report with a broken entry: {error}") from error
    return Ledger(records, facts)


def _facts(entry: Mapping[str, Any]) -> EngineFacts:
    return EngineFacts(
        **{**entry, "enforced": tuple(entry["enforced"]), "features": tuple(entry["features"])}
    )


def summary(ledger: Ledger) -> List[str]:
    """One line per engine and kind of host: how many cases were really executed, and how they went."""
    lines = []
    for engine, host in sorted({(record.engine, record.host) for record in ledger.records}):
        mine = [record for record in ledger.records if (record.engine, record.host) == (engine, host)]
        parts = [_suite_line(name, [r for r in mine if r.suite == name]) for name in _SUITES]
        lines.append(f"{engine} as {host}: " + "; ".join(part for part in parts if part))
    return lines


_SUITES = ("conformance", "hostile", "control", "wall")


def _suite_line(name: str, records: List[Record]) -> str:
    if not records:
        return ""
    counts: Dict[str, int] = {}
    for record in records:
        counts[record.outcome] = counts.get(record.outcome, 0) + 1
    detail = ", ".join(f"{count} {outcome}" for outcome, count in sorted(counts.items()))
    return f"{len(records)} {name} executed ({detail})"
