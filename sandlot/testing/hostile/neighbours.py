"""N06, I05, I06, I08, I09, D04: what boxes, runs and those who make them know of each other."""

from __future__ import annotations

from sandlot.contracts.spec import Isolation

from . import neighbour_plays as plays
from .case import Case, careless, walls

CASES = (
    Case(
        "N06",
        "another box by TCP, UDP, abstract sockets, System V and POSIX names",
        plays.apart,
        careless(plays.together),
        level=Isolation.NAMESPACE,
    ),
    Case(
        "I05",
        "the same random numbers in two boxes or in two runs",
        plays.numbers,
        careless(plays.numbers_from_one_seed),
    ),
    Case(
        "I06",
        "the memory and files of the box before",
        plays.memory_of_the_one_before,
        careless(plays.memory_of_ones_own),
    ),
    Case(
        "I08",
        "umask, directory, variables, limits, locale and signals of the run before",
        plays.standing_of_the_one_before,
        careless(plays.standing_of_ones_own),
    ),
    Case(
        "I09",
        "write into the output of the next run",
        plays.late_writers,
        careless(plays.own_writer),
    ),
    Case(
        "D04",
        "reach the agent, the zygote, the warden, the keeper",
        plays.makers,
        walls("seccomp", "dumpable", "landlock"),
        level=Isolation.NAMESPACE,
    ),
)
