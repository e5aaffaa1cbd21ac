"""docs/engines.md from what was executed: `python -m sandlot.testing.conformance.report --help`.

Pure but for `main`: the page is a function of the reports that `pytest --sandlot-report FILE` wrote, so
it cannot claim what did not run.
"""

from __future__ import annotations

import argparse
import sys
import textwrap
from collections.abc import Iterable, Sequence
from pathlib import Path

from sandlot.contracts.capability import Feature
from sandlot.testing import ledger
from sandlot.testing.ledger import EngineFacts, Ledger, Record

_HEAD = """# Engines: what each enforces, and how that was proven

Made by `python -m sandlot.testing.conformance.report` from runs of the conformance and the hostile suite
(`make test-engines`, `make test-hostile`); do not edit. "root" and "user" are the kinds of host: what an
ordinary user's boxes can enforce depends on the machine (delegated control groups above all), and what
cannot be enforced is refused when it is asked for.
"""
_NOTES = {
    "remote": "`remote` makes its boxes on a server, here on one of the same machine with the engine that "
    "serves by default: what it can do and what holds are that server's, tried through it by the same "
    "payload and the same tests. The attacks are made on the engines themselves.",
    "zygote": "`zygote` makes its boxes ahead of the request, with their packages loaded "
    "([zygote.md](zygote.md)). Full network and mounts are served by `bubblewrap` where it is the default.",
}
_PROOFS = (
    ("hostile", "attacks with their pinned verdict"),
    ("control", "control runs in which the attack works with its wall off"),
    ("wall", "walls taken out one by one, each turning its case red"),
    ("conformance", "conformance tests passed"),
)
_LETTERS = {
    "F": "files", "N": "network", "P": "processes", "K": "kernel", "R": "resources", "Z": "archives",
}  # fmt: skip


def page(book: Ledger) -> str:
    """The text of docs/engines.md."""
    columns = sorted(book.facts, key=lambda facts: (facts.engine, facts.host))
    sections = (
        _HEAD,
        _overview(columns),
        _features(columns),
        _walls(columns),
        _proof(book, columns),
        _cases(book, columns),
    )
    return "\n".join(section for section in sections if section)


def unexpected(book: Ledger) -> list[Record]:
    """The records that did not go as pinned: a page is not made from a red run."""
    return [record for record in book.records if not record.as_expected]


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table; cells never break out of it."""
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    lines += ["| " + " | ".join(_cell(cell) for cell in row) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _filled(text: str) -> str:
    return textwrap.fill(text, 110, break_long_words=False, break_on_hyphens=False)


def _title(facts: EngineFacts) -> str:
    return f"{facts.engine}, {facts.host}"


def _overview(columns: Sequence[EngineFacts]) -> str:
    rows = [
        (facts.engine, facts.host, facts.isolation, "works" if facts.works else f"does not: {facts.cause}")
        for facts in columns
    ]
    there = {facts.engine for facts in columns}
    notes = [f"\n{_filled(note)}\n" for engine, note in _NOTES.items() if engine in there]
    return "## Isolation reached\n\n" + table(("engine", "host", "isolation", "probe"), rows) + "".join(notes)


def _features(columns: Sequence[EngineFacts]) -> str:
    names = [str(feature.name).lower() for feature in Feature if feature.value]
    rows = [(name, *("yes" if name in facts.features else "refused" for facts in columns)) for name in names]
    return "## Features and limits\n\n" + table(("feature", *map(_title, columns)), rows)


def _walls(columns: Sequence[EngineFacts]) -> str:
    names = sorted({name for facts in columns for name in facts.enforced})
    rows = [(name, *("holds" if name in facts.enforced else "" for facts in columns)) for name in names]
    return "## What holds in a default box\n\n" + table(("name in `enforced`", *map(_title, columns)), rows)


def _proof(book: Ledger, columns: Sequence[EngineFacts]) -> str:
    rows = [(words, *(_count(book, facts, suite) for facts in columns)) for suite, words in _PROOFS]
    return "## How it was proven\n\n" + table(("executed", *map(_title, columns)), rows)


def _mine(book: Ledger, facts: EngineFacts, suite: str) -> list[Record]:
    return [r for r in book.records if (r.engine, r.host, r.suite) == (facts.engine, facts.host, suite)]


def _count(book: Ledger, facts: EngineFacts, suite: str) -> str:
    records = _mine(book, facts, suite)
    refused = sum(record.outcome == "refused" for record in records)
    return f"{len(records)}" + (f" ({refused} by refusal)" if refused else "")


def _cases(book: Ledger, everybody: Sequence[EngineFacts]) -> str:
    attacked = {record.engine for record in book.records if record.suite == "hostile"}
    columns = [facts for facts in everybody if facts.engine in attacked]
    titles = {record.case: record.title for record in book.records if record.suite == "hostile"}
    found = {facts: {r.case: r.outcome for r in _mine(book, facts, "hostile")} for facts in columns}
    sections = []
    for letter, words in _LETTERS.items():
        cases = sorted(case for case in titles if case.startswith(letter))
        rows = [(case, titles[case], *(found[f].get(case, "not run") for f in columns)) for case in cases]
        if rows:
            head = ("case", "attack", *map(_title, columns))
            sections.append(f"### {letter}: {words}\n\n" + table(head, rows))
    return "## Verdicts\n\n" + "\n".join(sections) if sections else ""


def main(arguments: Sequence[str] | None = None) -> int:
    """Write or check the page; 0 when it is written or as it should be, 1 otherwise."""
    parser = argparse.ArgumentParser(prog="sandlot.testing.conformance.report", description=__doc__)
    parser.add_argument("reports", nargs="+", type=Path, help="files that pytest --sandlot-report wrote")
    parser.add_argument("--output", type=Path, required=True, help="the page to write, or to compare with")
    parser.add_argument("--check", action="store_true", help="write nothing; fail when the page differs")
    options = parser.parse_args(arguments)
    book = Ledger()
    book.extend(ledger.from_json(path.read_text(encoding="utf-8")) for path in options.reports)
    if red := unexpected(book):
        sys.stderr.write(f"{len(red)} records are not as pinned, {red[0]} first: run again until green\n")
        return 1
    return _compare(page(book), options.output) if options.check else _write(page(book), options.output)


def _write(text: str, target: Path) -> int:
    target.write_text(text, encoding="utf-8")
    return 0


def _compare(text: str, target: Path) -> int:
    if target.exists() and target.read_text(encoding="utf-8") == text:
        return 0
    sys.stderr.write(f"{target} is not what the reports say: run the same command without --check\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
