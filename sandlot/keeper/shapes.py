"""Strict reading of JSON: every function returns what was wanted or raises Refusal(invalid)."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import fields
from typing import Any

from .launch import Refusal, demand, is_positive

MAX_PACKET = 65_536


def record(kind: type, shape: object) -> dict[str, Any]:
    """The values in *shape*, which must have exactly the fields of the dataclass *kind*."""
    value = shape if isinstance(shape, dict) else {}
    demand_fields(kind.__name__, value, _names(kind))
    return dict(value)


def flat(value: object) -> dict[str, Any]:
    """The fields of a dataclass that holds no others. dataclasses.asdict copies all, and takes far longer."""
    kind: type = type(value)
    return {name: getattr(value, name) for name in _names(kind)}


@functools.cache
def _names(kind: type) -> frozenset[str]:
    return frozenset(entry.name for entry in fields(kind))


def number(message: Mapping[str, Any], name: str) -> int:
    """The positive integer under *name*."""
    value: Any = message.get(name)
    demand(name, value, is_positive(value), "a positive integer")
    return int(value)


def parse_object(packet: bytes) -> dict[str, Any]:
    """The one JSON object in *packet*."""
    if len(packet) > MAX_PACKET:
        raise Refusal("invalid", f"a packet of {len(packet)} bytes is larger than {MAX_PACKET}")
    try:
        message = _DECODER.decode(packet.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise Refusal("invalid", f"the packet is not JSON: {error}") from error
    demand("packet", message, isinstance(message, dict), "an object")
    return dict(message)


def _unique(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    listed = list(pairs)
    unique = dict(listed)
    if len(unique) != len(listed):
        raise ValueError("a name occurs twice")
    return unique


_DECODER = json.JSONDecoder(object_pairs_hook=_unique)  # json.loads would make one for every packet


def demand_fields(what: str, value: Mapping[str, Any], names: AbstractSet[str]) -> None:
    """Exactly the fields *names*, no more and no fewer."""
    if value.keys() != names:
        odd = ", ".join(sorted(value.keys() ^ names))
        raise Refusal("invalid", f"{what}: these fields are missing or unknown: {odd}")
