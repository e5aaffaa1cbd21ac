"""The benchmarks by name, in the order in which they run."""

from __future__ import annotations

from collections.abc import Sequence

from sandlot.contracts.errors import InvalidSpec

from . import live, one_shot, startup, transfer, tti
from .benchmark import Benchmark

BENCHMARKS = (
    Benchmark(
        "one-shot",
        "`print(1)` in a fresh sandbox by POST /v1/run on one connection, "
        f"{one_shot.PAUSE * 1000:.0f} ms apart (spaced) and without a pause (back-to-back)",
        one_shot.over_http,
        ("python", "bwrap"),
    ),
    Benchmark("exec", "`/bin/true` in a live sandbox over HTTP", live.execs, ("true", "python")),
    Benchmark(
        "tti",
        "a sandbox from the call that makes it to the end of its first command (`echo`) over HTTP: one at "
        "a time (sequential), a new one every 200 ms (staggered), all at once (burst)",
        tti.modes,
        ("python",),
        count=100,
    ),
    Benchmark(
        "bubblewrap-one-shot",
        "`print(1)` in a fresh sandbox of engine bubblewrap in this process, without a server",
        one_shot.in_process,
        ("bwrap", "python"),
        needs_server=False,
    ),
    Benchmark(
        "upload",
        "16 MiB into a file of a sandbox over HTTP",
        transfer.upload,
        ("cp",),
        count=10,
        quick_count=2,
    ),
    Benchmark(
        "download",
        "16 MiB from a file of a sandbox over HTTP",
        transfer.download,
        ("cp",),
        count=10,
        quick_count=2,
    ),
    Benchmark(
        "print-to-byte",
        "from `print` in a sandbox to the line at the client of a streaming exec",
        live.printed,
        (),
    ),
    Benchmark(
        "startup",
        "a new process of this interpreter that imports sandlot, and one that prints `sandlot --help`",
        startup.costs,
        ("interpreter",),
        count=20,
        needs_server=False,
    ),
)
"""Everything `sandlot bench` can run."""


def named(names: Sequence[str]) -> tuple[Benchmark, ...]:
    """The benchmarks called *names*, in the catalogue's order; all of them for none.

    Raises InvalidSpec for a name that is none of theirs.
    """
    known = [each.name for each in BENCHMARKS]
    for name in names:
        if name not in known:
            raise InvalidSpec(f"there is no benchmark {name!r}: use {', '.join(known)}")
    return tuple(each for each in BENCHMARKS if not names or each.name in names)
