"""What rows of the table have in common."""

from __future__ import annotations

from sandlot.wire.events import NDJSON, SSE

from . import asked
from .operation import BYTES, SENT_EVENT, Answer, Parameter

SANDBOX = "/v1/sandboxes/{id}"

BOX = (404, 409, 422, 502, 504, 507)
"""What can happen to whatever needs a box."""

BODY = (413, 415)
"""What can happen to whatever needs a JSON body besides."""

FLAG = {"type": "string", "enum": ["true", "false"]}
COUNT = {"type": "integer", "minimum": 0, "maximum": 2**49}
PATH = {"type": "string", "pattern": asked.PATH_PATTERN}
BENEATH = {"type": "string", "pattern": asked.BENEATH_PATTERN}
END = Parameter("end", "Close the input after this", FLAG)

WAIT = Parameter(
    "waitSeconds",
    "Answer when it has ended, or with 504",
    {"type": "number", "minimum": 0, "maximum": 3600},
)
AFTER = (
    Parameter("after", "The number of the last event that was read", COUNT),
    Parameter("Last-Event-ID", "As after, which it outranks", COUNT, place="header"),
)

NOTHING = Answer(204, "Done", {})
STREAM = {NDJSON: BYTES, SSE: SENT_EVENT}
EVENTS = Answer(200, "Its events", {SSE: SENT_EVENT, NDJSON: BYTES})
SAVED = {"Content-Disposition": "attachment"}
