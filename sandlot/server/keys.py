"""API keys as values: `sl_<12 hex digits: its id>_<32 random bytes>`, of which only a hash is kept (pure)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sandlot.contracts.errors import InvalidSpec
from sandlot.contracts.paths import identifier

SCOPES = ("read", "write", "metrics", "admin")
"""`read` looks, `write` changes and runs, `metrics` reads the server's counters, `admin` is for operators."""
DEFAULT_SCOPES = ("read", "write")

_TOKEN = re.compile(r"sl_([0-9a-f]{12})_([A-Za-z0-9_-]{43})")
_HASH = re.compile("[0-9a-f]{64}")
ANYWHERE = re.compile(rb"sl_[0-9a-f]{12}_")
"""What gives a key away where none belongs."""
_SECRET = re.compile("(sl_[0-9a-f]{12}_)[A-Za-z0-9_-]+")


@dataclass(frozen=True)
class Key:
    """A key as it is kept. Times are seconds since the epoch."""

    id: str
    name: str
    owner: str
    scopes: frozenset[str]
    hash: str
    """SHA-256 of the secret part. The secret is 256 random bits, so a slow hash would add nothing."""
    created: float
    expires: float | None = None
    revoked: float | None = None

    def is_valid(self, now: float) -> bool:
        """Whether it opens anything at *now*."""
        return self.revoked is None and (self.expires is None or now < self.expires)

    def to_json(self) -> dict[str, Any]:
        """What stands in the file; `key list` shows it without the hash."""
        return {**vars(self), "scopes": sorted(self.scopes)}


_NOBODY = Key("0" * 12, "", "", frozenset(), "0" * 64, 0.0, revoked=0.0)


def made(
    random: bytes, name: str, owner: str, scopes: frozenset[str], now: float, expires: float | None
) -> tuple[Key, str]:
    """A key of 38 *random* bytes, and its text, which is shown once and never kept. Raises InvalidSpec."""
    unknown = sorted(scopes - set(SCOPES))
    if unknown or not scopes:
        raise InvalidSpec(f"{unknown or 'no scope'}: scopes are {', '.join(SCOPES)}")
    key_id, secret = random[:6].hex(), base64.urlsafe_b64encode(random[6:]).rstrip(b"=").decode("ascii")
    key = Key(
        key_id,
        identifier(name, "key name"),
        identifier(owner, "owner"),
        scopes,
        _hashed(secret),
        now,
        expires,
    )
    return key, f"sl_{key_id}_{secret}"


def opened(token: str, keys: Mapping[str, Key], now: float) -> Key | None:
    """The valid key that *token* is; None for every other text, in the same time."""
    found = _TOKEN.fullmatch(token)
    key_id, secret = found.groups() if found else ("", "")
    key = keys.get(key_id, _NOBODY)
    is_right = hmac.compare_digest(_hashed(secret), key.hash)
    return key if is_right and key.is_valid(now) else None


def without_secrets(text: str) -> str:
    """*text* with the secret part of every key in it left out."""
    return _SECRET.sub(r"\1...", text)


def key_from(value: Any) -> Key:
    """A key as `to_json` wrote it. Raises InvalidSpec."""
    try:
        key = Key(**{**value, "scopes": frozenset(value["scopes"])})
    except (TypeError, KeyError) as cause:
        raise InvalidSpec(f"an entry is no key: {type(cause).__name__}") from cause
    texts = (key.id, key.name, key.owner, key.hash, *key.scopes)
    times = (key.created, *(time for time in (key.expires, key.revoked) if time is not None))
    is_text = all(isinstance(text, str) for text in texts)
    is_time = all(isinstance(time, (int, float)) for time in times)
    if not (is_text and is_time and _HASH.fullmatch(key.hash)):
        raise InvalidSpec("an entry is no key: a field has another type")
    return key


def _hashed(secret: str) -> str:
    return hashlib.sha256(secret.encode("ascii")).hexdigest()
