"""What `sandlot bench` understands."""

from __future__ import annotations

import argparse
from typing import Callable, Dict

from .parsing import parser_of


def bench() -> argparse.ArgumentParser:
    """`sandlot bench`."""
    parser = parser_of(
        "bench",
        "Measure what sandlot promises, each number beside its baselines in the same run. Without a name: "
        "http, one-shot, numpy, pandas, pool-empty, exec, tti, burst, throughput, memory, density, growth, "
        "bubblewrap-one-shot, upload, download, print-to-byte, startup, cell, context, cells, "
        "context-memory; half an hour on a machine that does nothing else. Only by name: soak, cycles (a "
        "number after it says how many). Ends with 1 when a promise is missed; what is not built yet or not "
        "possible here is told and misses nothing.",
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="only these benchmarks")
    parser.add_argument("--json", action="store_true", help="print the document instead of a table")
    parser.add_argument("--output", metavar="FILE", help="write the document to FILE too")
    parser.add_argument("--plot", metavar="FILE", help="draw it to FILE (.svg, .png, .pdf)")
    parser.add_argument("--url", metavar="URL", help="measure this server (default: one of its own)")
    parser.add_argument("--rounds", type=_count, metavar="COUNT", help="rounds (default: 5)")
    parser.add_argument(
        "--count",
        type=_count,
        metavar="COUNT",
        help="samples per series and round (default: the benchmark's own)",
    )
    parser.add_argument(
        "--data-environment",
        default="data",
        metavar="NAME",
        help="the environment with numpy, pandas and IPython (default: data)",
    )
    parser.add_argument(
        "--density",
        type=_count,
        default=200,
        metavar="COUNT",
        help="idle sandboxes of benchmark density; 5000 are promised (default: 200)",
    )
    parser.add_argument(
        "--seconds", type=_seconds, default=60.0, metavar="SECONDS", help="how long soak takes (default: 60)"
    )
    parser.add_argument(
        "--load",
        type=_load,
        default=0.7,
        metavar="SHARE",
        help="the part of what the server can do that soak asks of it (default: 0.7)",
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


def _seconds(text: str) -> float:
    number = float(text)
    if not 1 <= number <= 7 * 86_400:
        raise argparse.ArgumentTypeError(f"{text} is out of range: use 1 to {7 * 86_400}")
    return number


def _load(text: str) -> float:
    number = float(text)
    if not 0.01 <= number <= 2:
        raise argparse.ArgumentTypeError(f"{text} is out of range: use 0.01 to 2, where 1 is all it can do")
    return number


PARSERS: Dict[str, Callable[[], argparse.ArgumentParser]] = {"bench": bench}
