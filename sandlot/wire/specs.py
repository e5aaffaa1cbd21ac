"""SandboxSpec as JSON: what a sandbox is asked to be, over the network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Callable, Dict, FrozenSet, List, Mapping, Optional, Tuple

from sandlot.contracts.errors import InvalidSpec, Unsupported
from sandlot.contracts.paths import identifier, variables
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


@dataclass(frozen=True)
class AskedSpec:
    """A spec as it was asked; `given` names the fields of SandboxSpec that the request held.

    The rest of `spec` are the defaults of the class: whoever serves the request may put its own there.
    """

    spec: SandboxSpec
    given: FrozenSet[str] = frozenset()


def spec_to_json(spec: SandboxSpec, given: Optional[FrozenSet[str]] = None) -> Dict[str, Any]:
    """*spec* as a request's fields; with *given* only those fields of it.

    Raises Unsupported for what cannot be asked over a network: mounts and a kept workspace.
    """
    if spec.mounts or spec.workspace is not None:
        raise Unsupported(
            "mounts and workspaces of the host cannot be asked of a server: copy files with put"
        )
    told: Dict[str, Any] = {
        "ttl": {} if spec.ttl is None else {"ttlSeconds": float(spec.ttl)},
        "environment": {} if spec.environment is None else {"environment": spec.environment},
        "isolation": {} if spec.isolation is None else {"isolation": spec.isolation.name.lower()},
        "engine": {} if spec.engine is None else {"engine": spec.engine},
        "network": {} if spec.network is None else {"network": spec.network.value},
        "env": {"env": dict(spec.env)} if spec.env else {},
        "limits": {"limits": _limits_to_json(spec.limits)} if spec.limits.asked() else {},
    }
    parts = [part for name, part in told.items() if given is None or name in given]
    return {name: value for part in parts for name, value in part.items()}


def spec_from(value: object, images: Optional[Mapping[str, str]] = None) -> AskedSpec:
    """The spec that a request's *value* asks for; *images* gives environments for container images' names.

    Raises InvalidSpec that names the field; mounts and workspaces are unknown fields.
    """
    fields = Fields(value)
    asked = spec_of(fields, images or {})
    fields.end()
    return asked


def spec_of(fields: Fields, images: Mapping[str, str], *, with_env: bool = True) -> AskedSpec:
    """As `spec_from`, leaving other fields untouched; without *with_env* also `env`."""
    found: Dict[str, Any] = {}
    if fields.has("ttlSeconds"):
        found["ttl"] = fields.amount("ttlSeconds", Seconds.parse, text=False)
    environment = _environment(fields, images)
    if environment is not None:
        found["environment"] = environment
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
    return AskedSpec(SandboxSpec(**found), frozenset(found))


def _environment(fields: Fields, images: Mapping[str, str]) -> Optional[str]:
    named: Optional[str] = None
    if fields.has("environment"):
        text = fields.text("environment")
        named = fields.read("environment", lambda: identifier(text, "environment"))
    if not fields.has("image"):
        return named
    meant = _environment_of_image(fields.text("image"), images)
    if named is not None and named != meant:
        raise InvalidSpec(f"fields environment {named!r} and image mean two environments: give one of them")
    return meant


def _environment_of_image(image: str, images: Mapping[str, str]) -> str:
    if image in images:
        return images[image]
    try:
        return identifier(image, "environment")
    except InvalidSpec:
        raise InvalidSpec(
            f"there is no environment for image {image[:200]!r}: "
            "map it to one in the server's settings (images), or give the field environment"
        ) from None


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
