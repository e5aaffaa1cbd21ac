"""The benchmarks by name, in the order in which they run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sandlot.contracts.errors import InvalidSpec

from . import (
    contexts,
    cycles,
    growth,
    idle,
    live,
    one_shot,
    prepared,
    soak,
    startup,
    throughput,
    transfer,
    tti,
)
from .benchmark import Benchmark

BENCHMARKS = (
    Benchmark(
        "http",
        "GET /healthz: what client, loopback and the server's HTTP cost by themselves, on one connection "
        f"(one-by-one) and by {throughput.CLIENTS} clients in one thread (closed-loop)",
        throughput.http_alone,
        ("python",),
        count=500,
    ),
    Benchmark(
        "one-shot",
        "`print(1)` in a fresh sandbox by POST /v1/run on one connection, "
        f"{one_shot.GAP * 1000:.0f} ms apart (spaced) and without a pause (back-to-back)",
        one_shot.over_http,
        ("python", "bwrap"),
    ),
    Benchmark(
        "numpy",
        f"the same of `{prepared.NUMPY}` in an environment that preloads it, spaced",
        prepared.numpy,
        ("import-numpy", "python"),
        count=40,
    ),
    Benchmark(
        "pandas",
        f"the same of `{prepared.PANDAS}`",
        prepared.pandas,
        ("import-pandas", "python"),
        count=40,
    ),
    Benchmark(
        "pool-empty",
        "one-shot spaced, by a server whose pool has no depth: each sandbox is made while its caller waits",
        one_shot.pool_empty,
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
        "burst",
        "100 sandboxes at once, each up to the end of its first command; nothing else meanwhile",
        tti.burst,
        ("python",),
        count=100,
    ),
    Benchmark(
        "throughput",
        f"2,000 one-shots by {throughput.CLIENTS} clients, each of which asks again as soon as it has its "
        "answer: what the pool has ahead is soon used up, so its refill is part of it",
        throughput.one_shots,
        (),
        count=2000,
        quick_count=16,
    ),
    Benchmark(
        "memory",
        "100 sandboxes that do nothing, made one after the other: what each of them takes",
        idle.memory,
        (),
        quick_count=1,
        count=1,
        is_counted=False,
        is_warmed=False,
    ),
    Benchmark(
        "density",
        "as many sandboxes that do nothing as --density says (200), made one after the other",
        idle.density,
        (),
        quick_count=1,
        count=1,
        most_rounds=1,
        is_counted=False,
        is_warmed=False,
    ),
    Benchmark(
        "growth",
        f"create, `/bin/true` and delete of one sandbox more, beside {growth.LEVELS[0]} to "
        f"{growth.LEVELS[-1]} that live",
        growth.curve,
        (),
        count=40,
        quick_count=2,
        is_warmed=False,
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
        count=40,
        quick_count=2,
    ),
    Benchmark(
        "download",
        "16 MiB from a file of a sandbox over HTTP",
        transfer.download,
        ("cp",),
        count=40,
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
        count=40,
        needs_server=False,
    ),
    Benchmark(
        "cell",
        "`print(1)` in a context that lives, one after the other over one WebSocket",
        contexts.one_by_one,
        ("ipykernel-cell",),
    ),
    Benchmark(
        "context",
        "a context in a sandbox that lives, from the request that makes it to the result of its first cell, "
        f"`print(1)`: {contexts.APART:g} s after the last one, and without a pause (context-back-to-back)",
        contexts.fresh,
        ("ipykernel-start",),
        count=20,
        quick_count=1,
    ),
    Benchmark(
        "cells",
        f"2,000 cells in {throughput.CLIENTS} contexts of one sandbox, over a WebSocket each, the next as "
        "soon as the last is over",
        contexts.many,
        (),
        count=2000,
        quick_count=16,
    ),
    Benchmark(
        "context-memory",
        "20 contexts of one sandbox that have imported pandas and do nothing: what each of them takes",
        contexts.memory,
        (),
        quick_count=1,
        count=1,
        is_counted=False,
        is_warmed=False,
    ),
)
"""What `sandlot bench` runs where no name is given."""

BY_NAME_ONLY = (
    Benchmark(
        "soak",
        "one-shots at --load of what the server can do (0.7), at a fixed rate, for --seconds (60); a time "
        "counts from when its request was due",
        soak.soaked,
        (),
        count=1,
        quick_count=1,
        most_rounds=1,
        is_counted=False,
        is_warmed=False,
    ),
    Benchmark(
        "cycles",
        "sandboxes that are created, run `/bin/true` and are deleted, one after the other; counters of the "
        "system before and after",
        cycles.repeated,
        (),
        count=1000,
        quick_count=5,
        most_rounds=1,
        is_warmed=False,
    ),
)
"""What takes as long as one says, and is run only when it is named."""


def named(names: Sequence[str], cycles: int | None = None) -> tuple[Benchmark, ...]:
    """The benchmarks called *names*, in the catalogue's order; for none, all that run unnamed.

    *cycles* is how many of them benchmark cycles runs. Raises InvalidSpec for a name that is none of theirs.
    """
    everything = (*BENCHMARKS, *BY_NAME_ONLY)
    known = [each.name for each in everything]
    for name in names:
        if name not in known:
            raise InvalidSpec(f"there is no benchmark {name!r}: use {', '.join(known)}")
    chosen = tuple(each for each in everything if each.name in names) if names else BENCHMARKS
    return tuple(_repeating(each, cycles) for each in chosen)


def _repeating(benchmark: Benchmark, cycles: int | None) -> Benchmark:
    if benchmark.name != "cycles" or cycles is None:
        return benchmark
    return replace(benchmark, count=cycles, quick_count=cycles)
