"""`sandlot key`: the API keys of the server of this data directory."""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Sequence

from sandlot import settings
from sandlot.contracts.quantity import Seconds
from sandlot.server.keyring import KeyRing
from sandlot.server.keys import DEFAULT_SCOPES, Key, made

from . import arguments_server, render

_RANDOM_BYTES = 38


def main(words: Sequence[str]) -> int:
    """Create, list or revoke keys; 0."""
    options = arguments_server.key().parse_args(words)
    ring = KeyRing(settings.load().keys_file)
    {"create": _create, "list": _list, "revoke": _revoke}[options.verb](ring, options)
    return 0


def _create(ring: KeyRing, options: argparse.Namespace) -> None:
    now = time.time()
    expires = None if options.expires is None else now + Seconds.parse(options.expires)
    scopes = frozenset(options.scopes or DEFAULT_SCOPES)
    key, text = made(
        os.urandom(_RANDOM_BYTES), options.name, options.owner or options.name, scopes, now, expires
    )
    ring.add(key)
    if options.json:
        render.document({"key": text, **_shown(key)})
        return
    print(text)
    until = "for ever" if expires is None else "until " + _day(expires)
    render.say(
        f"key {key.id} opens the sandboxes of {key.owner!r} ({', '.join(sorted(key.scopes))}) {until}; "
        "it is not shown again"
    )


def _list(ring: KeyRing, options: argparse.Namespace) -> None:
    keys = ring.all()
    if options.json:
        render.document([_shown(key) for key in keys])
        return
    now = time.time()
    rows = [
        (key.id, key.name, key.owner, ",".join(sorted(key.scopes)), _day(key.created), _state(key, now))
        for key in keys
    ]
    render.table([("ID", "NAME", "OWNER", "SCOPES", "CREATED", "STATE"), *rows])


def _revoke(ring: KeyRing, options: argparse.Namespace) -> None:
    key = ring.revoke(options.id, time.time())
    if options.json:
        render.document(_shown(key))
    else:
        render.say(f"key {key.id} ({key.name}) opens nothing any more")


def _shown(key: Key) -> dict[str, object]:
    return {name: value for name, value in key.to_json().items() if name != "hash"}


def _state(key: Key, now: float) -> str:
    if key.revoked is not None:
        return "revoked " + _day(key.revoked)
    if key.expires is None:
        return "valid"
    return ("valid until " if key.is_valid(now) else "expired ") + _day(key.expires)


def _day(epoch: float) -> str:
    return time.strftime("%Y-%m-%d", time.gmtime(epoch))
