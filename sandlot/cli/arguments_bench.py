"""What `sandlot bench` understands."""

from __future__ import annotations

import argparse
from typing import Callable, Dict

from .parsing import parser_of


def bench() -> argparse.ArgumentParser:
    """`sandlot bench`."""
    parser = parser_of(
        "bench",
        "Measure what sandlot promises, each number beside its baselines in the same run: one-shot, exec, "
        "tti, bubblewrap-one-shot, upload, download, print-to-byte, startup. All of them take about ten "
        "minutes on a machine that does nothing else.",
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="only these benchmarks")
    parser.add_argument("--json", action="store_true", help="print the document instead of a table")
    parser.add_argument("--output", metavar="FILE", help="write the document to FILE too")
    parser.add_argument("--url", metavar="URL", help="measure this server (default: one of its own)")
    parser.add_argument("--rounds", type=_count, metavar="COUNT", help="rounds (default: 5)")
    parser.add_argument(
        "--count",
        type=_count,
        metavar="COUNT",
        help="samples per series and round (default: the benchmark's own)",
    )
    parser.add_argument(
        "--quick", action="store_true", help="a few samples, to see that it works: no numbers to compare"
    )
    return parser


def _count(text: str) -> int:
    number = int(text)
    if not 1 <= number <= 1_000_000:
        raise argparse.ArgumentTypeError(f"{text} is out of range: use 1 to 1000000")
    return number


PARSERS: Dict[str, Callable[[], argparse.ArgumentParser]] = {"bench": bench}
