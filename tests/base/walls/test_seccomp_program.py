"""The filter is run here by an interpreter of our own, on every architecture, wherever the tests run."""

from __future__ import annotations

import errno
import struct
from typing import Dict, List, Optional, Sequence, Tuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandlot.walls import bpf, seccomp
from sandlot.walls.syscall_numbers import ABSENT, MACHINES, NEWEST, NUMBERS

I386 = 0x40000003
BOTH = pytest.mark.parametrize("machine", MACHINES)
NETWORKS = ("none", "own", "full")


def decode(program: bytes) -> List[Tuple[int, int, int, int]]:
    return list(struct.iter_unpack("=HBBI", program))


def run(program: bytes, architecture: int, number: int, arguments: Sequence[int] = ()) -> int:
    """The action the kernel would take; falling off the end or reading outside the data is an error."""
    words = [argument & 2**64 - 1 for argument in (*arguments, 0, 0, 0, 0, 0, 0)][:6]
    data = struct.pack(
        "<iIQ6Q", struct.unpack("<i", struct.pack("<I", number & bpf.WORD))[0], architecture, 0, *words
    )
    code = decode(program)
    at = accumulator = 0
    while True:
        operation, on_true, on_false, operand = code[at]
        at += 1
        if operation == bpf.RETURN:
            return operand
        if operation == bpf.LOAD:
            assert operand % 4 == 0
            (accumulator,) = struct.unpack_from("<I", data, operand)
        elif operation == bpf.AND:
            accumulator &= operand
        elif operation == bpf.JUMP:
            at += operand
        elif operation == bpf.IF_EQUAL:
            at += on_true if accumulator == operand else on_false
        elif operation == bpf.IF_AT_LEAST:
            at += on_true if accumulator >= operand else on_false
        else:
            pytest.fail(f"instruction {operation:#x} at {at - 1} is not one the filter uses")


def verdict(
    machine: str, name: str, *arguments: int, network: str = "own", ipc: bool = False
) -> Optional[int]:
    """The errno a call gets, 0 for allowed, None where the architecture lacks it."""
    number = NUMBERS[name][MACHINES.index(machine)]
    if number == ABSENT:
        return None
    program = seccomp.filter_for(network, ipc, machine)
    action = run(program, seccomp.AUDIT_ARCHITECTURES[machine], number, arguments)
    if action == bpf.ALLOW:
        return 0
    assert action & 0xFFFF0000 == bpf.ERRNO
    return action & 0xFFFF


@BOTH
@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("ipc", [True, False])
def test_the_kernel_would_load_the_program(machine: str, network: str, ipc: bool) -> None:
    code = decode(seccomp.filter_for(network, ipc, machine))
    assert len(code) <= 4096  # BPF_MAXINSNS
    for at, (operation, on_true, on_false, operand) in enumerate(code):
        farthest = operand if operation == bpf.JUMP else max(on_true, on_false)
        assert at + farthest + 1 < len(code) or operation == bpf.RETURN
    assert code[-1][0] == bpf.RETURN


@BOTH
@pytest.mark.parametrize("name", seccomp.REFUSED)
def test_a_refused_call_is_not_permitted(machine: str, name: str) -> None:
    assert verdict(machine, name) in {errno.EPERM, None}
    assert verdict(machine, name, -1, -1, -1, network="full", ipc=True) in {errno.EPERM, None}


@BOTH
@pytest.mark.parametrize("name", seccomp.UNKNOWN)
def test_a_probed_call_looks_absent(machine: str, name: str) -> None:
    assert verdict(machine, name) in {errno.ENOSYS, None}


@BOTH
@pytest.mark.parametrize("name", seccomp.SHARED_MEMORY)
def test_shared_memory_needs_a_namespace_of_its_own(machine: str, name: str) -> None:
    assert verdict(machine, name, ipc=False) == errno.EPERM
    assert verdict(machine, name, ipc=True) == 0


ARGUMENTS: Dict[str, List[Tuple[Tuple[int, ...], int]]] = {
    "clone": [
        ((0x01200011,), 0),  # fork
        ((0x3D0F00,), 0),  # a thread
        *(((bit | 17,), errno.EPERM) for bit in (0x20000, *(1 << shift for shift in range(25, 31)))),
        ((0x7E020000,), errno.EPERM),
    ],
    "prlimit64": [((0, 7), 0), ((1, 7), errno.EPERM), ((2**32 - 1,), errno.EPERM)],
    "personality": [((0,), 0), ((0xFFFFFFFF,), 0), ((0x0040000,), errno.EPERM), ((8,), errno.EPERM)],
    "sched_setscheduler": [
        *(((0, policy), 0) for policy in (0, 3, 5, 0x40000003)),
        *(((0, policy), errno.EPERM) for policy in (1, 2, 6, 7, 0x40000001)),
        *(((1, policy), errno.EPERM) for policy in (3, 5, 0x40000000)),  # the agent
        ((1, 0), 0),  # a thread of its own, or another process that is left as it was
    ],
    "sched_setparam": [((0,), 0), ((1,), errno.EPERM)],
    "setpriority": [
        ((0, 0, 19), 0),
        *(((which, who, 19), errno.EPERM) for which, who in ((0, 1), (1, 0), (2, 0), (2, 1000))),
    ],
    "ioprio_set": [((1, 0, 3 << 13), 0), *(((which, 1, 3 << 13), errno.EPERM) for which in (1, 2, 3))],
    "ioctl": [
        *(((0, command), errno.EPERM) for command in (0x5412, 0x541C, 0x5423)),
        *(((0, command), 0) for command in (0x5401, 0x5413, 0x541B, 0x5411)),
        ((0, 0x5412 | 1 << 32), errno.EPERM),  # the kernel takes the command as 32 bits
    ],
    "mknod": [
        *(((0, kind | 0o600, 0), 0) for kind in (0, 0o100000, 0o010000, 0o140000)),
        *(((0, kind | 0o600, 0), errno.EPERM) for kind in (0o020000, 0o060000, 0o040000, 0o120000)),
    ],
    "mknodat": [((0, 0, 0o010600), 0), ((0, 0, 0o020600), errno.EPERM), ((0, 0, 0o060600), errno.EPERM)],
}


@BOTH
@pytest.mark.parametrize(
    ("name", "arguments", "expected"),
    [(name, arguments, expected) for name, rows in ARGUMENTS.items() for arguments, expected in rows],
)
def test_arguments_decide(machine: str, name: str, arguments: Tuple[int, ...], expected: int) -> None:
    assert verdict(machine, name, *arguments) in {expected, None}


def test_every_checked_call_has_its_rows() -> None:
    assert set(ARGUMENTS) == set(seccomp.CHECKED)


UNIX, INET, NETLINK, INET6 = 1, 2, 16, 10
STREAM, DGRAM, RAW, SEQPACKET, OLD_PACKET = 1, 2, 3, 5, 10
CLOEXEC, NONBLOCK = 0o2000000, 0o4000


@BOTH
@pytest.mark.parametrize("network", ["own", "full"])
def test_local_and_internet_sockets_only(machine: str, network: str) -> None:
    allowed = [
        *((UNIX, kind, 0) for kind in (STREAM, DGRAM, SEQPACKET, STREAM | CLOEXEC | NONBLOCK)),
        *((family, STREAM | CLOEXEC, protocol) for family in (INET, INET6) for protocol in (0, 6)),
        *((family, DGRAM, protocol) for family in (INET, INET6) for protocol in (0, 17)),
    ]
    refused = [
        *((family, STREAM, 0) for family in range(64) if family not in {UNIX, INET, INET6}),
        *(
            (family, kind, 0)
            for family in (INET, INET6)
            for kind in (RAW, RAW | CLOEXEC, SEQPACKET, 4, 6, OLD_PACKET)
        ),
        *((INET, STREAM, protocol) for protocol in (1, 33, 132, 136, 255, 262)),
        (UNIX, RAW, 0),
    ]
    for arguments in allowed:
        assert verdict(machine, "socket", *arguments, network=network, ipc=True) == 0, arguments
    for arguments in refused:
        assert verdict(machine, "socket", *arguments, network=network, ipc=True) == errno.EINVAL, arguments
    assert verdict(machine, "connect", network=network, ipc=True) == 0
    assert verdict(machine, "socketpair", UNIX, DGRAM, network=network, ipc=True) == 0
    assert verdict(machine, "socketpair", NETLINK, DGRAM, network=network, ipc=True) == errno.EAFNOSUPPORT


@BOTH
def test_the_hosts_network_without_a_tree_of_its_own_brings_no_local_sockets(machine: str) -> None:
    for kind in (STREAM, DGRAM, SEQPACKET):
        assert verdict(machine, "socket", UNIX, kind, network="full", ipc=False) == errno.EINVAL
    assert verdict(machine, "socket", INET, STREAM, network="full", ipc=False) == 0
    assert verdict(machine, "socketpair", UNIX, STREAM, network="full", ipc=False) == 0
    assert verdict(machine, "socketpair", UNIX, DGRAM, network="full", ipc=False) == errno.EAFNOSUPPORT


@BOTH
def test_without_a_network_namespace_no_socket_reaches_anything(machine: str) -> None:
    for family in range(64):
        for kind in (STREAM, DGRAM, RAW, SEQPACKET):
            assert verdict(machine, "socket", family, kind, network="none") == errno.EAFNOSUPPORT
    assert verdict(machine, "connect", network="none") == errno.EPERM
    assert verdict(machine, "socketpair", UNIX, STREAM | CLOEXEC, network="none") == 0
    assert verdict(machine, "socketpair", UNIX, DGRAM, network="none") == errno.EAFNOSUPPORT


@BOTH
def test_a_foreign_architecture_is_killed(machine: str) -> None:
    program = seccomp.filter_for("full", True, machine)
    for architecture in (
        I386,
        0,
        *(set(seccomp.AUDIT_ARCHITECTURES.values()) - {seccomp.AUDIT_ARCHITECTURES[machine]}),
    ):
        assert run(program, architecture, 1) == bpf.KILL_PROCESS


@BOTH
def test_x32_and_numbers_nobody_reviewed_look_absent(machine: str) -> None:
    program = seccomp.filter_for("full", True, machine)
    architecture = seccomp.AUDIT_ARCHITECTURES[machine]
    for number in (NEWEST + 1, 512, 547, 0x40000000, 0x40000000 | 59, -1, 2**31):
        assert run(program, architecture, number) == bpf.ERRNO | errno.ENOSYS


@BOTH
@pytest.mark.parametrize("network", NETWORKS)
def test_every_number_means_what_the_list_says(machine: str, network: str) -> None:
    column = MACHINES.index(machine)
    rules = seccomp._rules(network, ipc=False)
    special = {NUMBERS[name][column] for name in rules}
    program = seccomp.filter_for(network, False, machine)
    architecture = seccomp.AUDIT_ARCHITECTURES[machine]
    allowed = {number for number in range(NEWEST + 1) if run(program, architecture, number) == bpf.ALLOW}
    assert {number for number in range(NEWEST + 1) if number not in special} <= allowed
    refused = {NUMBERS[name][column] for name in (*seccomp.REFUSED, *seccomp.UNKNOWN)}
    assert not refused & allowed


def test_an_unknown_architecture_gets_no_filter() -> None:
    with pytest.raises(OSError, match="riscv64"):
        seccomp.filter_for("none", False, "riscv64")


@BOTH
def test_the_table_names_each_call_once(machine: str) -> None:
    column = [pair[MACHINES.index(machine)] for pair in NUMBERS.values()]
    present = [number for number in column if number != ABSENT]
    assert len(set(present)) == len(present)
    assert max(present) <= NEWEST


@given(
    st.dictionaries(st.integers(1, 2**32 - 1), st.integers(0, 2000), max_size=200), st.integers(0, 2**32 - 1)
)
def test_the_tree_finds_what_a_linear_search_finds(starts: Dict[int, int], number: int) -> None:
    """Wide ranges too: the leaves are padded, so that far jumps are needed."""
    padding = tuple((bpf.LOAD, 0, 0, 0) for _ in range(5))
    ranges = [(0, padding + bpf.answer(7))]
    ranges += [(start, padding + bpf.answer(action)) for start, action in sorted(starts.items())]
    program = bpf.pack(((bpf.LOAD, 0, 0, 0), *bpf.by_number(ranges)))
    expected = [action for start, action in sorted(starts.items()) if start <= number]
    assert run(program, 0, number) == (expected[-1] if expected else 7)


@given(
    st.lists(
        st.lists(
            st.tuples(st.integers(0, 5), st.lists(st.integers(0, 3), min_size=1, max_size=4), st.booleans()),
            min_size=1,
            max_size=3,
        ),
        min_size=1,
        max_size=3,
    ),
    st.lists(st.integers(0, 7), min_size=6, max_size=6),
)
def test_checks_hold_as_written(
    alternatives: List[List[Tuple[int, List[int], bool]]], arguments: List[int]
) -> None:
    checks = tuple(
        tuple(
            bpf.Check(argument, tuple(values), mask=3, among=among) for argument, values, among in alternative
        )
        for alternative in alternatives
    )
    expected = any(
        all((arguments[argument] & 3 in values) == among for argument, values, among in alternative)
        for alternative in alternatives
    )
    action = run(bpf.pack(bpf.permit(checks, errno.EPERM)), 0, 0, arguments)
    assert action == (bpf.ALLOW if expected else bpf.ERRNO | errno.EPERM)
