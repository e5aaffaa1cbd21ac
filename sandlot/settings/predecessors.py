"""Variables of the predecessors, and what each of them means here.

They are weaker than ours and stronger than files. NoxRunner's names its server. Those of Sandbox Runtime
0.1.1 say what its sandboxes may use; there the quota counted seconds of a processor in all, the memory
bounded an address space, the time-out was read by nobody and the network was on unless it was switched off.
Here each holds what its name says, and the network of a sandbox is off unless it is switched on.
"""

from __future__ import annotations

import re
from typing import Callable, Mapping, NamedTuple, Tuple

from sandlot.contracts.errors import InvalidSpec

_LEAST_MEMORY = 32 * 1024
_YES = ("true", "1", "yes", "on")
_NO = ("false", "0", "no", "off")


class Predecessor(NamedTuple):
    """A variable, the setting it means, and how its text is written for that one (raises InvalidSpec)."""

    variable: str
    name: str
    translate: Callable[[str], str]


def told(environ: Mapping[str, str]) -> Tuple[Predecessor, ...]:
    """Those that *environ* has; an empty one counts as unset."""
    return tuple(each for each in PREDECESSORS if environ.get(each.variable))


def _same(text: str) -> str:
    return text


def _kilobytes(text: str) -> str:
    """Kilobytes of 1,024 bytes, as ulimit -v counts."""
    kilobytes = _whole(text, "memory in KB, such as 131072 for 128 MiB (or SANDLOT_MEMORY=128Mi)")
    if kilobytes < _LEAST_MEMORY:
        raise InvalidSpec(
            f"{text!r} KB is less than a sandbox starts in: use {_LEAST_MEMORY} or more; "
            f"{text!r} MB is {kilobytes * 1024} KB"
        )
    return f"{kilobytes}Ki"


def _seconds(text: str) -> str:
    if not re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,6})?", text.strip()):
        raise InvalidSpec(f"{text!r} is not a number of seconds: use one such as 300")
    return text.strip()


def _network(text: str) -> str:
    return "full" if _is_yes(text) else "none"


def _permission(text: str) -> str:
    return "true" if _is_yes(text) else "false"


def _is_yes(text: str) -> bool:
    said = text.strip().lower()
    if said not in _YES + _NO:
        raise InvalidSpec(f"{text!r} is neither yes nor no: use one of {', '.join(_YES + _NO)}")
    return said in _YES


def _whole(text: str, wanted: str) -> int:
    if not re.fullmatch("[0-9]{1,15}", text.strip()):
        raise InvalidSpec(f"{text!r} is not {wanted}")
    return int(text)


PREDECESSORS: Tuple[Predecessor, ...] = (
    Predecessor("NOXRUNNER_BASE_URL", "url", _same),
    Predecessor("SANDBOX_CPU_QUOTA", "cpu", _same),
    Predecessor("SANDBOX_MEMORY_LIMIT", "memory", _kilobytes),
    Predecessor("SANDBOX_MAX_USER_PROGRESS", "pids", _same),
    Predecessor("SANDBOX_TIMEOUT_SECONDS", "timeout", _seconds),
    Predecessor("SANDBOX_POOL_SIZE", "pool_depth", _same),
    # Its wire format has no word for the network, so the operator's yes is permission and request in one.
    Predecessor("SANDBOX_ALLOW_NETWORK", "allow_network", _permission),
    Predecessor("SANDBOX_ALLOW_NETWORK", "network", _network),
)
