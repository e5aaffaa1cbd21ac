"""What the keeper says, as the service reads it: values from strict JSON, the other half of `protocol`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, get_args

from .launch import Code, Consumption, Exit, Launch, Powers, Refusal, demand, is_count
from .orders import Limits
from .shapes import demand_fields, flat, number, parse_object, record

_CODES = get_args(Code)


@dataclass(frozen=True, slots=True)
class Reply:
    """The answer to request `id`: `error` tells why not, else `ok` holds the values."""

    id: int
    ok: Mapping[str, Any]
    error: Refusal | None = None


@dataclass(frozen=True, slots=True)
class Ready:
    """The keeper serves."""

    powers: Powers


@dataclass(frozen=True, slots=True)
class Ended:
    """A box is gone."""

    box: int
    exit: Exit


@dataclass(frozen=True, slots=True)
class Born:
    """First packet of a stub: its keeper lives; the keeper's pidfd rides along."""


@dataclass(frozen=True, slots=True)
class NotStarted:
    """Last packet of a stub that could not make a keeper."""

    reason: Refusal


@dataclass(frozen=True, slots=True)
class ZygoteEnded:
    """A zygote's warden is gone, and every box of it with it."""

    zygote: int


Report = Reply | Ready | Ended | Born | NotStarted | ZygoteEnded


_CAUSES = ("exited", "killed", "warden_died")


def launch_fields(launch: Launch) -> dict[str, Any]:
    """The JSON shape of a launch."""
    shape = {entry.name: getattr(launch, entry.name) for entry in fields(launch)}
    shape["env"], shape["rlimits"] = dict(launch.env), dict(launch.rlimits)
    shape["workspace"] = None if launch.workspace is None else flat(launch.workspace)
    shape["kept"] = None if launch.kept is None else flat(launch.kept)
    return shape


def limits_fields(limits: Limits) -> dict[str, Any]:
    """The JSON shape of limits."""
    return flat(limits)


def parse_report(packet: bytes) -> Report:
    """What the keeper said; Refusal(invalid) when ill-formed."""
    message = parse_object(packet)
    if "event" in message:
        return _parse_event(message)
    if "error" in message:
        demand_fields("reply", message, {"id", "error"})
        return Reply(number(message, "id"), {}, _parse_refusal(message["error"]))
    demand_fields("reply", message, {"id", "ok"})
    demand("ok", message["ok"], isinstance(message["ok"], dict), "an object")
    return Reply(number(message, "id"), message["ok"])


def _parse_powers(shape: object) -> Powers:
    """The powers in their JSON shape."""
    value = record(Powers, shape)
    controllers, missing = _texts(value.pop("controllers")), _texts(value.pop("missing"))
    demand("powers", value, all(isinstance(flag, bool) for flag in value.values()), "booleans")
    return Powers(**value, controllers=frozenset(controllers), missing=missing)


def parse_consumption(shape: object) -> Consumption:
    """The consumption in its JSON shape."""
    return Consumption(**_counts(record(Consumption, shape)))


def _parse_event(message: Mapping[str, Any]) -> Report:
    match message["event"]:
        case "born":
            demand_fields("event", message, {"event"})
            return Born()
        case "ready":
            demand_fields("event", message, {"event", "powers"})
            return Ready(_parse_powers(message["powers"]))
        case "exit":
            demand_fields("event", message, {"event", "box", "exit"})
            return Ended(number(message, "box"), _parse_exit(message["exit"]))
        case "zygote_ended":
            demand_fields("event", message, {"event", "zygote"})
            return ZygoteEnded(number(message, "zygote"))
        case "not_started":
            demand_fields("event", message, {"event", "error"})
            return NotStarted(_parse_refusal(message["error"]))
        case unknown:
            raise Refusal("invalid", f"event {unknown!r} is not known")


def _parse_exit(shape: object) -> Exit:
    value = record(Exit, shape)
    wait_status, cause = value.pop("wait_status"), value.pop("cause")
    demand("wait status", wait_status, is_count(wait_status), "a number")
    demand("cause", cause, cause in _CAUSES, " or ".join(_CAUSES))
    return Exit(wait_status, cause, **_counts(value))


def _parse_refusal(shape: object) -> Refusal:
    value = shape if isinstance(shape, dict) else {}
    demand_fields("error", value, {"code", "message"})
    demand("error code", value["code"], value["code"] in _CODES, "a known code")
    return Refusal(value["code"], str(value["message"]))


def _counts(value: Mapping[str, Any]) -> dict[str, Any]:
    for name, count in value.items():
        is_right = count is None or is_count(count) or (name == "cpu_seconds" and isinstance(count, float))
        demand(name, count, is_right, "a count or null")
    return dict(value)


def _texts(value: object) -> tuple[str, ...]:
    demand("list", value, isinstance(value, list) and all(isinstance(one, str) for one in value), "strings")
    return tuple(value) if isinstance(value, list) else ()
