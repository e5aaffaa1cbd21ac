"""A box with the powers its features announce."""

from __future__ import annotations

from typing import Protocol, cast

from sandlot.contracts.capability import Feature, require
from sandlot.contracts.contexts import Context, Contexts
from sandlot.contracts.engine import Box, Files, FileWatch, Processes, Terminals


class PowerfulBox(Box, Files, FileWatch, Processes, Terminals, Contexts, Protocol):
    """A Box and everything it may be able to do besides."""

    async def default_context(self) -> Context:
        """The context of callers that name none, made when it is missing. Raises as `open_context`."""


def with_power(box: Box, feature: Feature) -> PowerfulBox:
    """*box* itself, once it announces *feature*; only what belongs to that may be used of it.

    Raises Unsupported otherwise.
    """
    require(feature, box.features, engine=box.engine)
    return cast("PowerfulBox", box)
