"""Kernels and their kinds, as JSON in Jupyter's words (pure)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from sandlot.contracts.contexts import PYTHON, ContextSpec
from sandlot.contracts.errors import InvalidSpec
from sandlot.contracts.paths import identifier, variables
from sandlot.wire.fields import Fields

DEFAULT: Final = "python3"
_LANGUAGES: Final[Mapping[str, str]] = {DEFAULT: PYTHON}
_KNOWN: Final = {PYTHON: "Python (sandlot)", DEFAULT: "Python 3 (sandlot)"}


@dataclass(frozen=True, slots=True)
class Wanted:
    """The kernel that a client asks for. `sandbox` is one of its own, or None for a new one."""

    name: str = DEFAULT
    sandbox: str | None = None
    spec: ContextSpec = field(default_factory=ContextSpec)


def wanted_from(value: object) -> Wanted:
    """What a request's body asks for; members that are not known are passed over. Raises InvalidSpec."""
    fields = Fields(value)
    name = fields.text("name", DEFAULT)
    env = fields.read("env", lambda: variables(fields.mapping("env")))
    sandbox = None
    if fields.has("sandbox"):
        sandbox = fields.read("sandbox", lambda: identifier(fields.text("sandbox"), "sandbox id"))
    spec = fields.read("name", lambda: ContextSpec(_LANGUAGES.get(name, name), env=env))
    return Wanted(name, sandbox, spec)


@dataclass(frozen=True, slots=True)
class KernelRow:
    """A kernel as its owner sees it; `last_activity` is in seconds since the epoch."""

    id: str
    name: str
    sandbox: str
    execution_state: str
    connections: int
    last_activity: float


def row_to_json(row: KernelRow) -> dict[str, Any]:
    """Jupyter's kernel model, and the sandbox it runs in."""
    # Its gateway client reads times with microseconds only.
    activity = datetime.fromtimestamp(row.last_activity, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return {
        "id": row.id,
        "name": row.name,
        "last_activity": activity,
        "execution_state": row.execution_state,
        "connections": row.connections,
        "sandbox": row.sandbox,
    }


def kernelspecs() -> dict[str, Any]:
    """Every kind of kernel that any environment has."""
    return {"default": DEFAULT, "kernelspecs": {name: kernelspec(name) for name in _KNOWN}}


def kernelspec(name: str) -> dict[str, Any]:
    """One of them. Raises InvalidSpec for a name that is none."""
    if name not in _KNOWN:
        raise InvalidSpec(f"there is no kernelspec {name!r:.60}: use {' or '.join(_KNOWN)}")
    spec = {
        "argv": [],
        "env": {},
        "display_name": _KNOWN[name],
        "language": PYTHON,
        "interrupt_mode": "message",
        "metadata": {},
    }
    return {"name": name, "spec": spec, "resources": {}}
