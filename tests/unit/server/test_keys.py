from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as some

from sandlot.contracts.errors import InvalidSpec
from sandlot.server.keys import Key, key_from, made, opened

NOW = 1_000_000.0


def new(expires: float | None = None, fill: int = 7) -> tuple[Key, str]:
    return made(bytes([fill] * 38), "ci", "team", frozenset({"read"}), NOW, expires)


def test_a_key_opens_with_its_own_text_only() -> None:
    key, text = new()
    other, foreign = new(fill=8)
    keys = {key.id: key, other.id: other}
    assert text.startswith(f"sl_{key.id}_")
    assert opened(text, keys, NOW) == key
    swapped = f"sl_{key.id}_{foreign.split('_', 2)[2]}"
    for wrong in (swapped, text[:-1], text + "A", text.upper(), " " + text, "sl_", "", "\u00e9", "sl__"):
        assert opened(wrong, keys, NOW) is None
    assert opened(text, {}, NOW) is None


def test_a_key_ends_by_time_and_by_word() -> None:
    key, text = new(expires=NOW + 10)
    assert opened(text, {key.id: key}, NOW + 9.9) == key
    assert opened(text, {key.id: key}, NOW + 10) is None
    assert opened(text, {key.id: replace(key, revoked=NOW)}, NOW) is None


def test_nobody_has_the_empty_key() -> None:
    assert opened("sl_000000000000_" + "A" * 43, {}, NOW) is None


def test_what_is_kept_has_no_secret_and_comes_back() -> None:
    key, text = new(expires=NOW + 10)
    kept = json.dumps(key.to_json())
    assert text.split("_", 2)[2] not in kept
    assert key_from(json.loads(kept)) == key


@pytest.mark.parametrize("scopes", [frozenset(), frozenset({"all"}), frozenset({"read", "root"})])
def test_a_key_without_known_scopes_is_none(scopes: frozenset[str]) -> None:
    with pytest.raises(InvalidSpec, match="scopes are read, write, metrics, admin"):
        made(bytes(38), "ci", "team", scopes, NOW, None)


@pytest.mark.parametrize(("name", "owner"), [("", "o"), ("a b", "o"), ("a", "../o"), ("a", "\x1b[2J")])
def test_names_are_identifiers(name: str, owner: str) -> None:
    with pytest.raises(InvalidSpec):
        made(bytes(38), name, owner, frozenset({"read"}), NOW, None)


@pytest.mark.parametrize(
    "change",
    [
        {"hash": "x"},
        {"hash": None},
        {"id": 5},
        {"created": "now"},
        {"more": 1},
        {"scopes": None},
        {"expires": []},
    ],
)
def test_a_damaged_entry_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(InvalidSpec):
        key_from({**new()[0].to_json(), **change})


@given(some.binary(min_size=38, max_size=38))
def test_every_random_key_opens(random: bytes) -> None:
    key, text = made(random, "ci", "team", frozenset({"write"}), NOW, None)
    assert opened(text, {key.id: key}, NOW) == key
