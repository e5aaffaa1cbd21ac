"""Classic BPF for seccomp filters: instructions, argument checks, and a balanced tree over call numbers.

The kernel runs a filter for every call it has not proven harmless, and walks all numbers through it once
when it is installed, so a list of comparisons costs more than twice a tree of them. A program only ever jumps
forward: each part below is built from its end, and knows how far away what follows it is.
"""

from __future__ import annotations

import struct

TYPE_CHECKING = False  # `typing` and `dataclasses` would double the agent's start
if TYPE_CHECKING:
    from typing import List, Sequence, Tuple

    Instruction = Tuple[int, int, int, int]  # struct sock_filter: code, jump if true, jump if false, operand
    Code = Tuple[Instruction, ...]

LOAD = 0x20  # BPF_LD | BPF_W | BPF_ABS: A = word of struct seccomp_data at k
AND = 0x54  # BPF_ALU | BPF_AND | BPF_K
JUMP = 0x05  # BPF_JMP | BPF_JA: forward by k
IF_EQUAL = 0x15  # BPF_JMP | BPF_JEQ | BPF_K
IF_AT_LEAST = 0x35  # BPF_JMP | BPF_JGE | BPF_K, unsigned
RETURN = 0x06  # BPF_RET | BPF_K

KILL_PROCESS = 0x80000000
ERRNO = 0x00050000
ALLOW = 0x7FFF0000

OFFSET_NUMBER = 0  # struct seccomp_data: int nr; u32 arch; u64 ip; u64 args[6]
OFFSET_ARCHITECTURE = 4
OFFSET_ARGUMENTS = 16

WORD = 0xFFFFFFFF
FARTHEST = 255  # a conditional jump has eight bits


class Check:
    """A claim about the low 32 bits of one argument: `argument & mask` is one of `values`, or none of them.

    Only for arguments the kernel itself takes as 32 bits or fewer; the upper half is not looked at.
    """

    __slots__ = ("among", "argument", "mask", "values")

    def __init__(
        self, argument: int, values: Tuple[int, ...], *, mask: int = WORD, among: bool = True
    ) -> None:
        self.argument = argument
        self.values = values
        self.mask = mask
        self.among = among


def answer(action: int) -> Code:
    """End the filter with an action."""
    return ((RETURN, 0, 0, action),)


def refuse(code: int) -> Code:
    """End the filter; the call fails with an errno."""
    return answer(ERRNO | code)


def permit(alternatives: Sequence[Sequence[Check]], otherwise: int) -> Code:
    """Allow the call when every check of some alternative holds, else fail it with the errno `otherwise`."""
    program = refuse(otherwise)
    for checks in reversed(alternatives):
        passed = answer(ALLOW)
        for check in reversed(checks):
            passed = _head(check, len(passed)) + passed
        program = passed + program
    return program


def by_number(ranges: Sequence[Tuple[int, Code]]) -> Code:
    """Search by halves for the range that holds the loaded number; ranges are (first number, what to do)."""
    if len(ranges) == 1:
        return ranges[0][1]
    middle = len(ranges) // 2
    lower, upper = by_number(ranges[:middle]), by_number(ranges[middle:])
    first = ranges[middle][0]
    if len(lower) <= FARTHEST:
        return ((IF_AT_LEAST, len(lower), 0, first), *lower, *upper)
    far = (JUMP, 0, 0, len(lower))
    return ((IF_AT_LEAST, 0, 1, first), far, *lower, *upper)


def pack(program: Code) -> bytes:
    """The program as an array of struct sock_filter."""
    return b"".join(struct.pack("=HBBI", *instruction) for instruction in program)


def _head(check: Check, distance: int) -> Code:
    """Test one check; fall through when it holds, else jump over `distance` instructions."""
    code: List[Instruction] = [(LOAD, 0, 0, OFFSET_ARGUMENTS + 8 * check.argument)]
    if check.mask != WORD:
        code.append((AND, 0, 0, check.mask))
    for left in reversed(range(len(check.values))):
        value = check.values[len(check.values) - 1 - left]
        matched = left if check.among else left + distance
        unmatched = distance if check.among and left == 0 else 0
        code.append((IF_EQUAL, matched, unmatched, value))
    return tuple(code)
