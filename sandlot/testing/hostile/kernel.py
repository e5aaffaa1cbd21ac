"""K01 to K15 and K20: the kernel's surface, and what is said where a wall is missing."""

from __future__ import annotations

from . import kernel_plays as plays
from .case import Case, careless, no_wall, walls
from .process_plays import no_level_below
from .stage import play

_FILTER = walls("seccomp")
_LOG = no_wall("without the filter kernel.dmesg_restrict still holds")

CASES = (
    Case(
        "K01",
        "new namespaces",
        play("kernel_surface:new_namespaces"),
        walls("seccomp", "users", process=_FILTER),
    ),
    Case("K02", "io_uring", play("kernel_surface:io_uring"), _FILTER),
    Case(
        "K03",
        "bpf, keys, modules and other privileged calls",
        play("kernel_surface:privileged_calls"),
        _FILTER,
    ),
    Case(
        "K04",
        "mount calls old and new, setns",
        play("kernel_surface:mounts"),
        walls("seccomp", "landlock", "users", process=walls("seccomp", "landlock")),
    ),
    Case("K05", "control groups", play("kernel_state:control_groups"), careless(plays.own_group)),
    Case(
        "K06",
        "settings and memory of the machine",
        play("kernel_state:kernel_settings"),
        walls("mounts", process=walls("landlock")),
    ),
    Case("K07", "the kernel's log", play("kernel_state:kernel_log"), _LOG),
    Case("K08", "system calls by another door", play("kernel_surface:other_abis"), _FILTER),
    Case("K09", "packet, netlink, vsock, crypto sockets", play("sockets:socket_families"), _FILTER),
    Case("K10", "shed the filter", play("kernel_surface:shed_filter"), _FILTER),
    Case(
        "K11",
        "devices of virtual machines",
        play("kernel_state:virtual_machines"),
        careless(plays.device_there),
    ),
    Case(
        "K12",
        "random system calls and ioctls",
        plays.fuzz,
        no_wall("nothing outside notices: sibling, canaries, counters and the kernel's log are as before"),
    ),
    Case("K13", "sockets that load modules", plays.modules, _FILTER),
    Case("K14", "the machine's clock and names", play("kernel_state:clock_and_names"), _FILTER),
    Case("K15", "what is said to hold does hold", plays.claims, careless(plays.false_claims)),
    Case(
        "K20",
        "more isolation than there is",
        no_level_below,
        no_wall("the engine makes no box below the floor asked"),
    ),
)
