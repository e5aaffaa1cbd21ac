"""Names of requests: X-Request-Id, and the W3C trace a request belongs to (pure)."""

from __future__ import annotations

import os
import re

_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{1,128}")
# https://www.w3.org/TR/trace-context-1/#traceparent-header-field-values; later versions may append fields.
_TRACEPARENT = re.compile(rb"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-[!-~]*)?")
_LONGEST_TRACEPARENT = 256


def request_id(given: bytes | None) -> str:
    """The request's own name when it is one, else a new one of 16 bytes at random."""
    if given is not None and _REQUEST_ID.fullmatch(given):
        return given.decode("ascii")
    return os.urandom(16).hex()


def traceparent(given: bytes | None) -> str | None:
    """*given* when it is a valid traceparent; anything else is ignored, as that recommendation says."""
    if given is None or len(given) > _LONGEST_TRACEPARENT:
        return None
    found = _TRACEPARENT.fullmatch(given)
    if found is None:
        return None
    version, trace, parent, _flags, more = found.groups()
    if version == b"ff" or not int(trace, 16) or not int(parent, 16) or (version == b"00" and more):
        return None
    return given.decode("ascii")


def trace_id(valid: str | None) -> str | None:
    """The trace that a valid traceparent names."""
    return valid.split("-")[1] if valid else None
