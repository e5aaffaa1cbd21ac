"""SandboxSpec as JSON: what a sandbox is asked to be, over the network."""

from __future__ import annotations

from typing import Any, Callable, Dict, List, Optional, Tuple

from sandlot.contracts.errors import InvalidSpec, Unsupported
from sandlot.contracts.paths import identifier, image_name, variables
from sandlot.contracts.quantity import Bytes, Cores, Seconds
from sandlot.contracts.spec import Isolation, Limits, Network, SandboxSpec

from .fields import Fields

_MOST = 10_000_000
# Each limit: its name in `Limits`, on the wire, and what NoxRunner v1 calls it.
_AMOUNTS: Tuple[Tuple[str, str, Optional[str], Callable[[Any], Any]], ...] = (
    ("memory", "memory", "memoryLimit", Bytes.parse),
    ("cpu", "cpu", "cpuLimit", Cores.parse),
    ("disk", "disk", "ephemeralStorageLimit", Bytes.parse),
    ("output", "output", None, Bytes.parse),
)
_COUNTS = (("pids", "pids"), ("inodes", "inodes"), ("open_files", "openFiles"))
_ALIASES = tuple(alias for _name, _shown, alias, _read in _AMOUNTS if alias is not None)
_NAMES = frozenset(
    ("ttlSeconds", "environment", "image", "isolation", "engine", "network", "limits", *_ALIASES)
)
"""Every field but `env`."""
_OPEN = SandboxSpec()


def spec_to_json(spec: SandboxSpec) -> Dict[str, Any]:
    """*spec* as a request's fields, without those it leaves open.

    Raises Unsupported for what cannot be asked over a network: mounts and a kept workspace.
    """
    if spec.mounts or spec.workspace is not None:
        raise Unsupported(
            "mounts and workspaces of the host cannot be asked of a server: copy files with put"
        )
    told: Dict[str, Any] = {
        "ttlSeconds": None if spec.ttl is None else float(spec.ttl),
        "environment": spec.environment,
        "image": spec.image,
        "isolation": None if spec.isolation is None else spec.isolation.name.lower(),
        "engine": spec.engine,
        "network": None if spec.network is None else spec.network.value,
        "env": dict(spec.env) or None,
        "limits": _limits_to_json(spec.limits) or None,
    }
    return {name: value for name, value in told.items() if value is not None}


def spec_from(value: object) -> SandboxSpec:
    """The spec that a request's *value* asks for; what it leaves open is None or empty.

    Raises InvalidSpec that names the field; mounts and workspaces are unknown fields.
    """
    fields = Fields(value)
    asked = spec_of(fields)
    fields.end()
    return asked


def spec_of(fields: Fields, *, with_env: bool = True) -> SandboxSpec:
    """As `spec_from`, leaving other fields untouched; without *with_env* also `env`."""
    if fields.lacks(_NAMES | {"env"} if with_env else _NAMES):
        return _OPEN
    found: Dict[str, Any] = {}
    if fields.has("ttlSeconds"):
        found["ttl"] = fields.amount("ttlSeconds", Seconds.parse, text=False)
    if fields.has("environment"):
        found["environment"] = fields.read(
            "environment", lambda: identifier(fields.text("environment"), "environment")
        )
    if fields.has("image"):
        found["image"] = fields.read("image", lambda: image_name(fields.text("image")))
    if fields.has("isolation"):
        found["isolation"] = fields.read("isolation", lambda: Isolation.parse(fields.text("isolation")))
    if fields.has("engine"):
        found["engine"] = fields.read("engine", lambda: identifier(fields.text("engine"), "engine"))
    if fields.has("network"):
        found["network"] = fields.read("network", lambda: Network.parse(fields.text("network")))
    if with_env and fields.has("env"):
        found["env"] = fields.read("env", lambda: variables(fields.mapping("env")))
    limits = _limits(fields)
    if limits.asked():
        found["limits"] = limits
    return SandboxSpec(**found)


def _limits_to_json(limits: Limits) -> Dict[str, Any]:
    told: Dict[str, Any] = {}
    for name, shown, _alias, _read in _AMOUNTS:
        amount = getattr(limits, name)
        if amount is not None:
            told[shown] = float(amount) if name == "cpu" else int(amount)
    counts = {shown: getattr(limits, name) for name, shown in _COUNTS}
    return {**told, **{shown: count for shown, count in counts.items() if count is not None}}


def _limits(fields: Fields) -> Limits:
    inner = fields.inner("limits")
    found: Dict[str, Any] = {}
    for name, shown, alias, read in _AMOUNTS:
        given: List[Any] = [inner.amount(shown, read)] if inner.has(shown) else []
        if alias is not None and fields.has(alias):
            given.append(fields.amount(alias, read))
        if len(set(given)) > 1:
            raise InvalidSpec(f"fields limits.{shown} and {alias} differ: give one of them")
        if given:
            found[name] = given[0]
    for name, shown in _COUNTS:
        if inner.has(shown):
            found[name] = inner.count(shown, least=1, most=_MOST)
    inner.end()
    return Limits(**found)
