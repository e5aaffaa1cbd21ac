"""Times on the wire: RFC 3339 in UTC, to the millisecond."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone

from sandlot.contracts.errors import InvalidSpec

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_FORM = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?(?:[Zz]|([+-])(\d\d):(\d\d))", re.ASCII
)


def time_text(epoch: float) -> str:
    """*epoch* (seconds since 1970) as "2026-01-02T12:34:56Z", with ".123" where it is no whole second.

    Raises InvalidSpec outside the years 1 to 9999.
    """
    try:
        moment = _EPOCH + timedelta(milliseconds=round(epoch * 1000))
    except (OverflowError, ValueError):
        raise InvalidSpec(f"{epoch!r} seconds since 1970 is no time of the years 1 to 9999") from None
    fraction = f".{moment.microsecond // 1000:03}" if moment.microsecond else ""
    return f"{moment.replace(tzinfo=None, microsecond=0).isoformat()}{fraction}Z"


def time_from(text: str) -> float:
    """Seconds since 1970 of an RFC 3339 time; raises InvalidSpec for anything else."""
    found = _FORM.fullmatch(text)
    if found is None:
        raise InvalidSpec(f"{text[:40]!r} is no time: write it as 2026-01-02T12:34:56Z")
    year, month, day, hour, minute, second = map(int, found.groups()[:6])
    fraction, sign, hours, minutes = found.groups()[6:]
    try:
        moment = datetime(year, month, day, hour, minute, second, tzinfo=timezone.utc)
        if sign:
            ahead = timedelta(hours=int(hours), minutes=int(minutes))
            moment += ahead if sign == "-" else -ahead
    except (ValueError, OverflowError) as error:
        raise InvalidSpec(f"{text[:40]!r} is no time: {error}") from None
    return (moment - _EPOCH).total_seconds() + (float(f"0.{fraction}") if fraction else 0.0)
