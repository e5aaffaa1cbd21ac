"""The handler that the command line asks for, and its event: `--handler NAME --event JSON|@FILE|-`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Optional

from sandlot.contracts.errors import InvalidSpec, NotFound
from sandlot.contracts.handler import DEEPEST_VALUE, Handler
from sandlot.wire import json_object

from . import stdin

_USUAL = "handler"


def handler_of(options: argparse.Namespace) -> Optional[Handler]:
    """The handler asked for; None when none is. Raises InvalidSpec, NotFound."""
    if options.handler is None and options.event is None:
        return None
    text = b"null" if options.event is None else _event(options.event)
    try:
        event = json_object.parse_value(text, max_depth=DEEPEST_VALUE)
    except json_object.JsonError as error:
        raise InvalidSpec(f"--event cannot be read: {error}; give JSON, such as '{{\"x\": 1}}'") from None
    return Handler(options.handler or _USUAL, event)


def _event(given: str) -> bytes:
    if given == "-":
        return stdin.everything()
    if not given.startswith("@"):
        return given.encode("utf-8", "surrogateescape")
    try:
        return Path(given[1:]).read_bytes()
    except OSError as cause:
        raise NotFound(f"--event {given}: {given[1:]} cannot be read: {cause.strerror}") from cause
