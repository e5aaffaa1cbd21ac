"""What the service and its keeper say to each other: values, and their strict JSON shapes.

One SOCK_SEQPACKET packet is one JSON object of at most 64 KiB, descriptors ride along (SCM_RIGHTS).
The service asks {"id", "verb", ...}; the keeper answers {"id", "ok"} or {"id", "error"} and tells
{"event", ...}. Unknown, missing or ill-typed fields are refused on both sides: a mistake in one of
two processes that trust each other must be loud.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from .launch import KeptMount, Launch, Powers, Refusal, WorkspaceMount, demand
from .orders import Fit, Limits, ZygoteOrder
from .shapes import MAX_PACKET, demand_fields, number, parse_object, record

_ENCODER = json.JSONEncoder(separators=(",", ":"), allow_nan=False)


@dataclass(frozen=True, slots=True)
class Request:
    """A verb with its number and what it is about."""

    id: int
    verb: str
    launch: Launch | None = None
    box: int = 0
    order: ZygoteOrder | None = None
    zygote: int = 0
    limits: Limits | None = None
    fit: Fit | None = None


def encode(message: Mapping[str, Any]) -> bytes:
    """One packet; Refusal(invalid) when it would be larger than MAX_PACKET."""
    packet = _ENCODER.encode(message).encode("ascii")
    if len(packet) > MAX_PACKET:
        raise Refusal(
            "invalid", f"the message takes {len(packet)} bytes, more than {MAX_PACKET}: shorten argv or env"
        )
    return packet


def powers_fields(powers: Powers) -> dict[str, Any]:
    """The JSON shape of powers."""
    return {**asdict(powers), "controllers": sorted(powers.controllers)}


def parse_request(packet: bytes, descriptors: int) -> Request:
    """The request in *packet*, which came with so many descriptors; Refusal(invalid) when ill-formed."""
    message = parse_object(packet)
    verb = message.get("verb")
    if not isinstance(verb, str) or verb not in _VERB_FIELDS:
        raise Refusal("invalid", f"verb {verb!r} is none of {', '.join(sorted(_VERB_FIELDS))}")
    demand_fields(verb, message, {"id", "verb", *_VERB_FIELDS[verb]})
    asked = number(message, "id")
    if verb not in ("spawn", "park", "furnish") and descriptors:
        raise Refusal("invalid", f"{verb} takes no descriptors, {descriptors} came")
    if verb == "spawn":
        launch = _parse_launch(message["launch"])
        is_right = descriptors == 3 + len(launch.extra_fds)
        demand("number of descriptors", descriptors, is_right, "3 and the extra ones")
        return Request(asked, verb, launch=launch)
    if verb == "zygote":
        return Request(asked, verb, order=_parse_order(message["order"]))
    if verb == "park":
        demand("number of descriptors", descriptors, descriptors == len("012"), "3")
        limits = Limits(**record(Limits, message["limits"]))
        return Request(asked, verb, zygote=number(message, "zygote"), limits=limits)
    if verb == "furnish":
        demand("number of descriptors", descriptors, descriptors == 1, "1")
        return Request(asked, verb, box=number(message, "box"))
    if verb == "fit":
        fit = record(Fit, message["fit"])
        fit["limits"] = Limits(**record(Limits, fit["limits"]))
        if fit["kept"] is not None:
            fit["kept"] = KeptMount(**record(KeptMount, fit["kept"]))
        return Request(asked, verb, box=number(message, "box"), fit=Fit(**fit))
    return Request(asked, verb, box=number(message, "box") if "box" in message else 0)


def request_number(packet: bytes) -> int:
    """The id of a request that may be ill-formed otherwise; 0 when even that cannot be read."""
    try:
        return number(parse_object(packet), "id")
    except Refusal:
        return 0


def _parse_launch(shape: object) -> Launch:
    value = record(Launch, shape)
    for name in ("argv", "extra_fds"):
        demand(f"launch {name}", value[name], isinstance(value[name], list), "a list")
        value[name] = tuple(value[name])
    if value["workspace"] is not None:
        value["workspace"] = WorkspaceMount(**record(WorkspaceMount, value["workspace"]))
    if value["kept"] is not None:
        value["kept"] = KeptMount(**record(KeptMount, value["kept"]))
    return Launch(**value)


def _parse_order(shape: object) -> ZygoteOrder:
    value = record(ZygoteOrder, shape)
    for name in ("argv", "tree"):
        demand(f"zygote {name}", value[name], isinstance(value[name], list), "a list")
    value["argv"] = tuple(value["argv"])
    value["tree"] = tuple(tuple(entry) if isinstance(entry, list) else entry for entry in value["tree"])
    return ZygoteOrder(**value)


_VERB_FIELDS: Mapping[str, frozenset[str]] = {
    "spawn": frozenset({"launch"}),
    "zygote": frozenset({"order"}),
    "park": frozenset({"zygote", "limits"}),
    "fit": frozenset({"box", "fit"}),
    "furnish": frozenset({"box"}),
    "kill": frozenset({"box"}),
    "usage": frozenset({"box"}),
    "sweep": frozenset(),
    "powers": frozenset(),
}
