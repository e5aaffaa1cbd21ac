"""P01 to P16: other processes, one's own standing, and what the caller is told."""

from __future__ import annotations

from sandlot.contracts.events import Reason
from sandlot.contracts.spec import Isolation

from . import process_plays as plays
from .case import Case, careless, ends_by, no_wall, walls
from .stage import play

_OTHERS = walls("namespaces.pid", "landlock", process=walls("landlock"))

CASES = (
    Case("P01", "signal processes of the host", plays.kill_others, _OTHERS),
    Case(
        "P02",
        "see processes of the host",
        plays.see_others,
        walls("namespaces.pid"),
        level=Isolation.NAMESPACE,
    ),
    Case(
        "P03",
        "take memory or descriptors of the agent",
        play("processes_others:trace_others"),
        walls("seccomp", "dumpable", "landlock"),
    ),
    Case(
        "P04",
        "a daemon that outlives its command",
        plays.daemon,
        careless(plays.daemon_while_it_runs),
    ),
    Case(
        "P05", "inherited descriptors", play("processes_others:descriptors"), careless(plays.descriptor_given)
    ),
    Case(
        "P06",
        "kill pid 1 of the box, stop oneself",
        plays.kill_the_box,
        no_wall("whatever dies, the run has a defined end and the engine makes new boxes"),
    ),
    Case(
        "P07",
        "ignore every signal",
        play("processes_own:ignore_signals", timeout=0.4),
        careless(plays.killed_politely),
        judge=ends_by(Reason.TIMEOUT),
    ),
    Case(
        "P08",
        "thousands of orphans",
        play("processes_own:orphans", batches=40),
        careless(play("processes_own:orphans_nobody_collects")),
    ),
    Case(
        "P09",
        "real-time scheduling and better priorities",
        play("processes_others:priorities"),
        no_wall("the kernel asks for a privilege of the machine, which no box has; seccomp is a second lock"),
    ),
    Case(
        "P10",
        "a false name",
        plays.masquerade,
        no_wall("what is told of a run comes from the host's own record"),
    ),
    Case("P11", "type into somebody's terminal", play("processes_own:type_into_terminal"), walls("seccomp")),
    Case("P12", "every way to end", plays.every_end, no_wall("each has its defined exit code")),
    Case(
        "P13",
        "forge a result on the agent's channel",
        plays.forge,
        careless(plays.forge_where_it_is_believed),
    ),
    Case(
        "P14",
        "change the interpreter for later runs",
        plays.monkeypatch,
        careless(plays.monkeypatched_itself),
    ),
    Case(
        "P15",
        "core files",
        play("processes_others:core_dump"),
        no_wall("two layers: RLIMIT_CORE and the supervisor's"),
    ),
    Case(
        "P16",
        "uid, capabilities, new privileges, filter, session",
        plays.standing,
        walls("seccomp", "session", "dumpable"),
    ),
)
