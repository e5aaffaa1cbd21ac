"""A box with the powers its features announce."""

from __future__ import annotations

from typing import Protocol, cast

from sandlot.contracts.capability import Feature, require
from sandlot.contracts.engine import Box, Files, FileWatch, Processes, Terminals


class PowerfulBox(Box, Files, FileWatch, Processes, Terminals, Protocol):
    """A Box and everything it may be able to do besides."""


def with_power(box: Box, feature: Feature) -> PowerfulBox:
    """*box* itself, once it announces *feature*; only what belongs to that may be used of it.

    Raises Unsupported otherwise.
    """
    require(feature, box.features, engine=box.engine)
    return cast("PowerfulBox", box)
