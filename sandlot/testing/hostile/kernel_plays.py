"""How the kernel cases are played."""

from __future__ import annotations

from pathlib import Path

from .case import Finding, Outcome
from .stage import PATIENCE, Stage


async def fuzz(stage: Stage) -> Outcome:
    """K12: half the time for system calls, half for ioctls; then the kernel's log is read, where we may."""
    before = _kernel_log()
    seconds = stage.fuzz_seconds / 2
    calls = await stage.attack("fuzz:system_calls", timeout=seconds + PATIENCE, fuzz_seconds=seconds)
    ioctls = await stage.attack("fuzz:ioctls", timeout=seconds + PATIENCE, fuzz_seconds=seconds)
    added = [line for line in _kernel_log()[len(before) :] if any(word in line for word in _ALARMING)]
    both = Outcome(
        calls.alive and ioctls.alive, calls.finished and ioctls.finished, calls.findings, ioctls.result
    )
    return both.plus(*ioctls.findings, Finding("the kernel complained", bool(added), "; ".join(added[:3])))


_ALARMING = (
    "BUG:",
    "Oops",
    "WARNING: CPU",
    "general protection fault, probably",
    "KASAN",
    "UBSAN",
    "hung task",
)


def _kernel_log() -> list[str]:
    """The lines of the kernel's log; none where this user may not read them."""
    import os

    lines: list[str] = []
    try:
        descriptor = os.open("/dev/kmsg", os.O_RDONLY | os.O_NONBLOCK)
    except OSError:
        return lines
    try:
        while True:
            try:
                lines.append(os.read(descriptor, 8192).decode("utf-8", "replace"))
            except BrokenPipeError:  # lines were overwritten while we read: go on with the next
                continue
            except BlockingIOError:
                return lines
    finally:
        os.close(descriptor)


async def modules(stage: Stage) -> Outcome:
    """K13: the list of loaded modules is the same afterwards."""
    before = _modules()
    outcome = await stage.attack("sockets:socket_families")
    return outcome.plus(Finding("modules were loaded", _modules() != before, str(_modules() - before)))


def _modules() -> frozenset[str]:
    listing = Path("/proc/modules")
    return (
        frozenset(line.split()[0] for line in listing.read_text().splitlines())
        if listing.exists()
        else frozenset()
    )


async def claims(stage: Stage) -> Outcome:
    """K15: each wall the box says it has shows in what the kernel says of a process in it."""
    return await stage.attack("kernel_state:claims", claimed=list(stage.box.enforced))


async def false_claims(stage: Stage) -> Outcome:
    """Control of K15: a claim that is not true is found out; here, of limits nobody set."""
    return await stage.attack("kernel_state:claims", claimed=[*stage.box.enforced, "claim"])


async def own_group(stage: Stage) -> Outcome:
    """Control of K05: on a tree that may be written, the search finds files and opens them."""
    return await stage.attack("kernel_state:own_group")


async def device_there(stage: Stage) -> Outcome:
    """Control of K11: a device that is there is found."""
    return await stage.attack("kernel_state:device_there")
