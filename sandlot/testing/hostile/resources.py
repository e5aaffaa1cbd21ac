"""R01 to R15: what is used up is used up inside only, and the caller is told."""

from __future__ import annotations

from sandlot.contracts.capability import Feature
from sandlot.contracts.events import Reason
from sandlot.contracts.quantity import Bytes, Cores
from sandlot.contracts.spec import Limits, SandboxSpec

from . import resource_plays as plays
from .case import Case, careless, ends_by, lifted, no_wall, walls
from .stage import play

_MIB = 2**20


def _limits(**values: object) -> SandboxSpec:
    return SandboxSpec(limits=Limits(**values))  # type: ignore[arg-type]


_PIDS = _limits(pids=48)
_MEMORY = _limits(memory=Bytes(96 * _MIB), disk=Bytes(48 * _MIB))
_MEMORY_LIFTED = _limits(memory=Bytes(512 * _MIB), disk=Bytes(256 * _MIB))

CASES = (
    Case(
        "R01",
        "fork bombs: counted, endless, of threads",
        plays.fork_bombs,
        lifted(_limits(pids=512)),
        spec=_PIDS,
        needs=Feature.LIMIT_PIDS,
    ),
    Case(
        "R02",
        "memory in every form",
        plays.memory_bombs,
        lifted(_MEMORY_LIFTED),
        spec=_MEMORY,
        needs=Feature.LIMIT_MEMORY,
        seconds=120.0,
    ),
    Case(
        "R03",
        "spin on every processor with many threads",
        play("resources_machine:spin", seconds=1.0, threads=30, cores=0.2),
        lifted(_limits(cpu=Cores(64))),
        spec=_limits(cpu=Cores(0.2)),
        needs=Feature.LIMIT_CPU,
    ),
    Case(
        "R04",
        "never come back",
        plays.never_back,
        careless(plays.polite_timeout),
        judge=ends_by(Reason.TIMEOUT),
    ),
    Case(
        "R05", "10 GB of output", plays.flood, careless(plays.unbounded), judge=ends_by(Reason.OUTPUT_LIMIT)
    ),
    Case(
        "R06",
        "fill the disk",
        plays.fill_disk,
        lifted(_limits(disk=Bytes(256 * _MIB))),
        spec=_limits(disk=Bytes(16 * _MIB)),
        needs=Feature.LIMIT_DISK,
    ),
    Case(
        "R07",
        "more files than allowed",
        play("resources_kernel:inodes", inodes=500),
        lifted(_limits(inodes=5000)),
        spec=_limits(inodes=500),
        needs=Feature.LIMIT_INODES,
    ),
    Case(
        "R08",
        "more descriptors than allowed",
        play("resources_kernel:descriptors", open_files=128),
        walls("rlimits"),
        spec=_limits(open_files=128),
    ),
    Case(
        "R09",
        "a byte now and then, for ever",
        play("resources_machine:drip", timeout=0.5),
        no_wall("bounded by the timeout, with every byte kept"),
        judge=ends_by(Reason.TIMEOUT),
    ),
    Case(
        "R10",
        "stdout and stderr, 100,000 lines each in turn",
        plays.interleave,
        no_wall("each stream keeps its order and loses nothing"),
        seconds=120.0,
    ),
    Case(
        "R11",
        "recursion without end",
        play("resources_machine:recursion"),
        no_wall("an error or a signal, told as such"),
    ),
    Case(
        "R12",
        "a bomb of zeros opened in the box",
        plays.inflate,
        lifted(_MEMORY_LIFTED),
        spec=_MEMORY,
        needs=Feature.LIMIT_MEMORY,
        judge=ends_by(Reason.OUT_OF_MEMORY),
    ),
    Case(
        "R13",
        "boxes that only sleep",
        plays.sleepers,
        no_wall("the pool's bound is of the server; here: others go on"),
    ),
    Case(
        "R14",
        "locked memory, huge pages, swap",
        play("resources_memory:locked_memory", wanted=32 * _MIB),
        no_wall("the limits of every user hold it; locked pages count as memory"),
    ),
    Case(
        "R15",
        "timers, watches, queues, keys and other objects of the kernel",
        play("resources_kernel:kernel_objects", objects=200_000),
        no_wall("each kind ends at a limit of the box, or of the kernel for its user"),
    ),
)
