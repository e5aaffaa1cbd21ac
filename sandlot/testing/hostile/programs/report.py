"""How an attack program tells what it tried: an ALIVE line first, a line per attempt, a last line."""

from __future__ import annotations

import errno
import json
import os
import sys
from typing import Any, Callable, Dict, Iterable, Optional, Tuple

WORKSPACE = os.environ.get("HOME", "/workspace")
"""The workspace as the box itself names it: not every engine has a mount namespace."""

TEMPORARY = os.environ.get("TMPDIR", "/tmp")

Found = Tuple[str, bool, str]


def facts() -> Dict[str, Any]:
    """What the host told the program."""
    told: Dict[str, Any] = json.loads(os.environ["HOSTILE_FACTS"])
    return told


def say(line: str) -> None:
    """One whole line, at once: what follows may kill this process."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def run(attack: Callable[[], Iterable[Found]]) -> None:
    """Run *attack* and print what it found."""
    nonce = facts()["nonce"]
    say(f"ALIVE {nonce}")
    for name, broke, seen in attack():
        plain = "".join(letter if letter.isprintable() else "?" for letter in seen)
        say(f"{'BROKE' if broke else 'HELD'} {name}: {plain[:300]}")
    say(f"VERDICT {nonce}")


def held(name: str, seen: object = "") -> Found:
    """The attempt did not get through."""
    return (name, False, str(seen))


def broke(name: str, seen: object = "") -> Found:
    """The attempt got through."""
    return (name, True, str(seen))


def judge(name: str, got_through: object, seen: object = "") -> Found:
    """*got_through* decides."""
    return (name, bool(got_through), str(seen))


def refused(
    name: str, action: Callable[[], object], *, but: Optional[Callable[[object], bool]] = None
) -> Found:
    """Do *action*: an OSError is held; a return is broken, unless *but* says that the value is harmless."""
    try:
        value = action()
    except ValueError as error:  # setrlimit(2) through `resource`
        return held(name, error)
    except OSError as error:
        return held(name, errno.errorcode.get(error.errno or 0, str(error)))
    if but is not None and but(value):
        return held(name, f"harmless: {value!r:.80}")
    return broke(name, f"got {value!r:.120}")
