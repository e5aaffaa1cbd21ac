"""F01 to F18: files of the host, of others, and traps laid in one's own."""

from __future__ import annotations

from sandlot.contracts.capability import Feature
from sandlot.contracts.quantity import Bytes
from sandlot.contracts.spec import Isolation, Limits, SandboxSpec

from . import filesystem_plays as plays
from . import filesystem_traces as traces
from .case import Case, Control, careless, lifted, no_wall, walls
from .stage import play

_MIB = 2**20
_FILES = Feature.FILES
_SMALL = SandboxSpec(limits=Limits(disk=Bytes(16 * _MIB)))
_ROOMY = SandboxSpec(limits=Limits(disk=Bytes(128 * _MIB)))


def _outside(program: str) -> Control:
    """The host's directory shown in the box; where there are no mounts, Landlock alone is the door."""
    return careless(traces.host_shown(program), process=walls("landlock"))


CASES = (
    Case(
        "F01",
        "read secrets of the host",
        play("files_outside:read_secrets"),
        _outside("files_outside:read_secrets"),
    ),
    Case(
        "F02",
        "write outside the workspace",
        play("files_outside:write_outside"),
        _outside("files_outside:write_outside"),
    ),
    Case(
        "F02b",
        "change modes, times, owners and attributes of the host's files",
        play("files_outside:change_metadata"),
        careless(traces.host_shown("files_outside:change_metadata")),
        level=Isolation.NAMESPACE,
    ),
    Case(
        "F03",
        "climb out by the paths of the file interface",
        plays.climb,
        careless(plays.climb_carelessly),
        needs=_FILES,
    ),
    Case(
        "F04",
        "links out of the workspace, then read, list, delete and download them",
        plays.follow_links,
        careless(play("files_inside:careless_reader")),
        needs=_FILES,
    ),
    Case(
        "F05",
        "swap a directory and a link while files are written",
        plays.swap_race,
        careless(play("files_inside:careless_writer")),
        needs=_FILES,
    ),
    Case(
        "F06",
        "link a file of somebody else to one's own place",
        play("files_outside:hard_links"),
        _outside("files_outside:hard_links"),
    ),
    Case(
        "F07",
        "leave by /proc/*/root, cwd and fd",
        play("files_outside:through_proc"),
        _outside("files_outside:through_proc"),
    ),
    Case(
        "F08",
        "FIFO, socket and sparse file, then read and download them",
        plays.odd_files,
        careless(plays.open_fifo_carelessly),
        needs=_FILES,
    ),
    Case(
        "F09",
        "file names nobody would choose",
        traces.odd_names,
        no_wall("names round-trip or are refused"),
        needs=_FILES,
    ),
    Case(
        "F10",
        "a directory 10,000 deep and more files than allowed",
        traces.deep,
        careless(play("files_inside:careless_delete", depth=2000)),
        needs=_FILES,
    ),
    Case(
        "F11",
        "set-uid bits and file capabilities",
        traces.set_uid,
        walls(
            "no_new_privs",
            "landlock",
            "seccomp",
            hosts=("root",),
            bubblewrap=no_wall("bubblewrap always sets no_new_privs"),
            zygote=no_wall("a zygote always has no_new_privs"),
        ),
        needs=_FILES,
    ),
    Case(
        "F12",
        "make device nodes, open dangerous devices",
        play("files_outside:devices"),
        walls("seccomp", "landlock"),
    ),
    Case("F13", "read another box's files", traces.other_box, careless(traces.same_box)),
    Case("F14", "leftovers for the next box", traces.next_box, careless(traces.same_box)),
    Case(
        "F15",
        "mount, remount, bind, pivot_root, open_by_handle_at",
        play("kernel_surface:mounts"),
        walls("seccomp", "landlock", bubblewrap=walls("seccomp", "landlock", "users")),
    ),
    Case(
        "F16",
        "a workspace nobody may read or enter",
        traces.closed_tree,
        careless(play("files_inside:careless_delete_of_closed")),
        needs=_FILES,
    ),
    Case(
        "F17",
        "modules planted for the trusted side",
        traces.poison,
        careless(play("files_inside:careless_python")),
    ),
    Case(
        "F18",
        "fill the disk through a file without a name",
        play("files_inside:unlinked_fill", fill=64 * _MIB),
        lifted(_ROOMY),
        spec=_SMALL,
        needs=Feature.LIMIT_DISK,
    ),
)
