"""TTI: from the call that makes a sandbox to the end of its first command, by ComputeSDK's method.

Created, first command, and what tells whether somebody has used the sandbox before; then destroyed, timed
apart. The series' times end with the first command. The times in ComputeSDK's shape also hold the look for
an earlier user, as theirs do. Nothing is tried again.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, replace

from . import computesdk, talk
from .benchmark import FAILURES, Series, Stage, Wrong, elapsed, told
from .crowd import Crowd
from .summary import Launch, Round, percentile
from .talk import Calls, Talk

_QUICK_STAGGER = 0.01
_MOST = 1000
_REPEATED = 3
"""Sandboxes of a round that must tell the same before it is told: theirs counts so too."""

# The same two places as theirs: a reused container often keeps one of them. Both are looked at before either
# is marked, because the one may be a link to the other.
_LOOK = (
    "marks='/tmp/.sandlot-bench /var/tmp/.sandlot-bench';"
    ' for mark in $marks; do if [ -e "$mark" ]; then echo "used $mark"; fi; done;'
    ' for mark in $marks; do echo used > "$mark"; done;'
    ' read -r line < /proc/1/stat && set -- $line && shift 21 && echo "pid1 $1";'
    ' read -r line < /proc/sys/kernel/random/boot_id && echo "boot $line";'
    ' read -r line < /proc/self/cgroup && echo "cgroup $line";'
    " readlink /proc/self/ns/mnt /proc/self/ns/pid /proc/self/ns/uts; true"
)
PROBE = {"cmd": ["/bin/sh", "-c", _LOOK]}
_USED = "used "


@dataclass(frozen=True, slots=True)
class Iteration:
    """One sandbox's life in milliseconds: call, creation, first command, first command and the look for an
    earlier user, destruction. `identity` is what tells it from others.
    """

    launched: float
    created: float | None = None
    first: float | None = None
    whole: float | None = None
    destroyed: float | None = None
    error: str | None = None
    identity: tuple[str, ...] = ()


@asynccontextmanager
async def modes(stage: Stage) -> AsyncIterator[tuple[Series, ...]]:
    """One at a time; a new one every 200 ms; all at once."""
    stagger = stagger_of(is_quick=stage.is_quick)
    with closing(Crowd(stage.entrance)) as crowd:
        calls = Calls(stage.entrance)
        yield (
            _mode("sequential", crowd, calls, stagger=0.0, most=1),
            _mode("staggered", crowd, calls, stagger=stagger, most=_MOST),
            _mode("burst", crowd, calls, stagger=0.0, most=_MOST),
        )


@asynccontextmanager
async def burst(stage: Stage) -> AsyncIterator[tuple[Series, ...]]:
    """A hundred sandboxes at once up to the end of their first commands; nothing else runs meanwhile."""
    with closing(Crowd(stage.entrance)) as crowd:
        calls = Calls(stage.entrance)

        async def block(count: int) -> Round:
            return await _burst(crowd, calls, count)

        yield (Series("burst", block),)


def stagger_of(*, is_quick: bool) -> float:
    """Seconds between two launches of a staggered round."""
    return _QUICK_STAGGER if is_quick else computesdk.STAGGER


def _mode(name: str, crowd: Crowd, calls: Calls, *, stagger: float, most: int) -> Series:
    async def block(count: int) -> Round:
        found: list[Iteration] = []
        begun = time.perf_counter()
        visits = ((number * stagger, lambda _due: launch(calls, begun)) for number in range(count))
        await crowd.held(visits, lambda _number, each: found.append(each), most=most)
        found.sort(key=lambda each: each.launched)
        return summed(found, overlap=most > 1)

    return Series(name, block)


async def _burst(crowd: Crowd, calls: Calls, count: int) -> Round:
    """Launches first, then the looks for earlier users and the destructions, so that these cost no launch."""
    names = [talk.new_name() for _ in range(count)]
    found: dict[str, Iteration] = {}
    begun = time.perf_counter()
    visits = ((0.0, lambda _due, name=name: started(calls, name, begun)) for name in names)
    await crowd.held(visits, lambda number, each: found.update({names[number]: each}), most=_MOST)
    ended: list[Iteration] = []
    endings = ((0.0, lambda _due, name=name: finished(calls, name, found[name])) for name in names)
    await crowd.held(endings, lambda _number, each: ended.append(each), most=_MOST)
    # Without launches: in ComputeSDK's shape a burst is that of `tti`, whose times hold the looks.
    return replace(summed(ended, overlap=True), launches=())


def launch(calls: Calls, begun: float) -> Talk[Iteration]:
    """One sandbox from its creation to its destruction; a failure ends in an iteration that tells it."""
    name = talk.new_name()
    start = time.perf_counter()
    so_far = yield from started(calls, name, begun)
    ended = yield from finished(calls, name, so_far, start)
    return ended


def started(calls: Calls, name: str, begun: float) -> Talk[Iteration]:
    """The sandbox *name* up to the end of its first command."""
    create, execute = calls.create(name), calls.execute(name, talk.ECHO)
    launched, start = elapsed(begun), time.perf_counter()
    created: float | None = None
    try:
        talk.accepted((yield create))
        created = elapsed(start)
        answer = yield execute
        first = elapsed(start)
        talk.printed(answer, talk.ECHOED)
    except FAILURES as failure:
        return Iteration(launched, created, error=told(failure))
    return Iteration(launched, created, first)


def finished(calls: Calls, name: str, so_far: Iteration, start: float | None = None) -> Talk[Iteration]:
    """The look for an earlier user, and the destruction. With *start* the look belongs to `whole`."""
    first, whole, error = so_far.first, so_far.first, so_far.error
    identity: tuple[str, ...] = ()
    if error is None:
        try:
            answer = yield calls.execute(name, PROBE)
            whole = so_far.first if start is None else elapsed(start)
            identity = unused(talk.printed(answer)["stdout"])
        except FAILURES as failure:
            first, whole, error = None, None, told(failure)
    destroyed = yield from _destroyed(calls, name)
    return Iteration(so_far.launched, so_far.created, first, whole, destroyed, error, identity)


def unused(told_by_sandbox: str) -> tuple[str, ...]:
    """What the probe told of a sandbox's identity. Raises Wrong when it was used before."""
    lines = told_by_sandbox.splitlines()
    marks = [line.removeprefix(_USED) for line in lines if line.startswith(_USED)]
    if marks:
        raise Wrong(f"the sandbox was used before: {' '.join(marks)}")
    return tuple(lines)


def _destroyed(calls: Calls, name: str) -> Talk[float | None]:
    """How long the destruction took; None when it failed, which their method does not count."""
    try:
        took = yield from talk.deleted(calls, name)
    except FAILURES:
        return None
    return took


def repeats(identities: Iterable[Sequence[str]]) -> dict[str, float]:
    """For each kind of identity how many sandboxes told what at least three told: told, not judged.

    Kinds are `mnt`, `pid`, `uts`, `cgroup`, `boot` and `pid1`. The kernel gives a namespace's number out
    again once the namespace is gone, and all sandboxes of one kernel share its boot id.
    """
    seen = Counter(line for identity in identities for line in set(identity))
    found: Counter[str] = Counter()
    for line, count in seen.items():
        if count >= _REPEATED:
            found[line.replace(":", " ").split()[0]] += count
    return {f"{kind}Repeated": float(count) for kind, count in sorted(found.items())}


def summed(iterations: Sequence[Iteration], *, overlap: bool) -> Round:
    """The round that *iterations* amount to; *overlap* says that they ran beside each other."""
    launches = tuple(Launch(each.launched, each.whole, each.error) for each in iterations)
    ready = [each.launched + each.first for each in iterations if each.first is not None]
    parts = {
        "createMs": [each.created for each in iterations if each.created is not None],
        "destroyMs": [each.destroyed for each in iterations if each.destroyed is not None],
    }
    figures: dict[str, float] = {name: percentile(times, 50) for name, times in parts.items() if times}
    if ready and overlap:
        figures["wallClockMs"] = max(ready)
    return Round(
        times=tuple(each.first for each in iterations if each.first is not None),
        errors=tuple(each.error for each in iterations if each.error is not None),
        figures=figures | repeats(each.identity for each in iterations),
        launches=launches,
    )
