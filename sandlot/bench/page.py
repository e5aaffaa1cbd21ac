"""docs/performance.md from a run's document: `python -m sandlot.bench.page out.json --output FILE`.

Pure but for `main`: the page is a function of the document, so it cannot claim what was not measured.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from . import baselines, catalogue, growth, prose, report, words

_HEAD = """# Performance: what is promised, and what was measured

Made by `python -m sandlot.bench.page` from the document of one run of `sandlot bench`; do not edit.
"""


def page(document: Mapping[str, Any]) -> str:
    """The text of docs/performance.md."""
    sections = (
        _HEAD,
        _circumstances(document),
        _ratios(document),
        _times(document),
        _curves(document),
        _missing(document),
        prose.HOW_TO_READ,
        _what(),
        prose.CLIENT,
        prose.TTI,
        prose.MEMORY,
        prose.REPRODUCE,
        _fields(),
    )
    return "\n".join(section for section in sections if section)


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table; cells never break out of it."""
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    lines += ["| " + " | ".join(_cell(cell) for cell in row) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    return text.strip().replace("|", "\\|").replace("\n", " ")


def _circumstances(document: Mapping[str, Any]) -> str:
    config = document["config"]
    text = f"sandlot {document['sandlot']}, {document['begun']}, on {words.machine(document)}.\n"
    if document["server"]:
        text += f"\nSandboxes were made by {words.server(document['server'])}.\n"
    if config["quick"]:
        text += (
            "\n**A quick run: it shows that everything can be measured. Its numbers are no measurement "
            "and no goal is judged by them.**\n"
        )
    return text


def _ratios(document: Mapping[str, Any]) -> str:
    rows = [
        (words.title(result), name, words.number(found["value"]), _range(found), _goals(result, name))
        for result in document["results"]
        for name, found in result["ratios"].items()
    ]
    head = ("what", "against", "ratio of the p50s", "range over the rounds", "goal")
    return "## Ratios\n\n" + table(head, rows) if rows else ""


def _range(found: Mapping[str, float]) -> str:
    return f"{words.number(found['least'])} to {words.number(found['most'])}"


def _goals(result: Mapping[str, Any], baseline: str | None) -> str:
    return "; ".join(words.goal(entry) for entry in result["goals"] if entry["baseline"] == baseline)


def _times(document: Mapping[str, Any]) -> str:
    head = ("what, in ms", "n", "failed", "min", "p50", "p95", "p99", "max", "besides", "goals")
    return "## Times\n\n" + table(head, map(_time, document["results"]))


def _time(result: Mapping[str, Any]) -> tuple[str, ...]:
    times = result["ms"]
    return (
        words.title(result),
        str(result["n"]),
        str(result["failures"]),
        *(words.number(times[name]) for name in ("min", "p50", "p95", "p99", "max")),
        "; ".join(words.told_figures(result)),
        _goals(result, None),
    )


def _missing(document: Mapping[str, Any]) -> str:
    lines = [
        f"- `{entry['benchmark']}`: {entry['kind']}: {_cell(entry['why'])}" for entry in document["skipped"]
    ]
    lines += [f"- not built yet: {promise}" for promise in document["notBuilt"]]
    return "## Not measured\n\n" + "\n".join(lines) + "\n"


def _curves(document: Mapping[str, Any]) -> str:
    """The cost of a sandbox's life beside more and more others."""
    rows = [
        (verb, *(words.number(value) for value in curve.values()))
        for result in document["results"]
        for verb, curve in growth.points(result["figures"]).items()
    ]
    if not rows:
        return ""
    levels = next(
        list(next(iter(found.values())))
        for result in document["results"]
        if (found := growth.points(result["figures"]))
    )
    head = ("p50 in ms", *(f"beside {level}" for level in levels))
    return "## Growth\n\n" + table(head, rows)


def _what() -> str:
    rows = [(f"`{each.name}`", each.does) for each in (*catalogue.BENCHMARKS, *catalogue.BY_NAME_ONLY)]
    beside = [(f"`{name}`", does) for name, does in baselines.DOES.items()]
    return (
        "## What is measured\n\n"
        + table(("benchmark", "what"), rows)
        + "\n"
        + table(("baseline", "what"), beside)
    )


def _fields() -> str:
    return "\n".join(
        (
            prose.DOCUMENT,
            table(("field", "meaning"), prose.FIELDS),
            table(("field of a result", "meaning"), prose.RESULT_FIELDS),
            table(("figure", "meaning"), prose.FIGURES),
        )
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Write or check the page; 0 when it is written or as it should be, 1 otherwise."""
    parser = argparse.ArgumentParser(prog="sandlot.bench.page", description=__doc__)
    parser.add_argument("document", type=Path, help="what `sandlot bench --output` wrote")
    parser.add_argument("--output", type=Path, required=True, help="the page to write, or to compare with")
    parser.add_argument("--check", action="store_true", help="write nothing; fail when the page differs")
    options = parser.parse_args(arguments)
    document = json.loads(options.document.read_text(encoding="utf-8"))
    if document.get("schema") != report.SCHEMA:
        sys.stderr.write(f"{options.document} is of schema {document.get('schema')!r}, not {report.SCHEMA}\n")
        return 1
    if not options.check:
        options.output.write_text(page(document), encoding="utf-8")
        return 0
    if options.output.is_file() and options.output.read_text(encoding="utf-8") == page(document):
        return 0
    sys.stderr.write(f"{options.output} is not what {options.document} says: run this without --check\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
