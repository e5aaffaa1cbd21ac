"""The values of the native HTTP API as JSON, in one place: what server, client and dialects write and read.

Pure. Every `..._from` raises InvalidSpec that names the field, and no other exception, whatever it is given.
Requests are read strictly: an unknown field is refused. Answers are read so that newer servers may tell more.
"""

from __future__ import annotations

from .commands import (
    AskedCommand,
    command_from,
    command_to_json,
    run_from,
    run_to_json,
    size_from,
    size_to_json,
)
from .entries import change_from, change_to_json, entry_from, entry_to_json, row_from, row_to_json
from .fields import Fields, body_of, object_from
from .results import result_from, result_to_json
from .specs import spec_from, spec_to_json
from .statuses import status_from, status_to_json
from .times import time_from, time_text

__all__ = [
    "AskedCommand",
    "Fields",
    "body_of",
    "change_from",
    "change_to_json",
    "command_from",
    "command_to_json",
    "entry_from",
    "entry_to_json",
    "object_from",
    "result_from",
    "result_to_json",
    "row_from",
    "row_to_json",
    "run_from",
    "run_to_json",
    "size_from",
    "size_to_json",
    "spec_from",
    "spec_to_json",
    "status_from",
    "status_to_json",
    "time_from",
    "time_text",
]
