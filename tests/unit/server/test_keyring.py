from __future__ import annotations

import os
import stat
import threading
from pathlib import Path

import pytest

from sandlot.contracts.errors import InvalidSpec, NotFound
from sandlot.server.keyring import KeyRing
from sandlot.server.keys import Key, made

NOW = 1_000_000.0


def new(number: int = 1) -> tuple[Key, str]:
    return made(bytes([number] * 38), f"key{number}", "team", frozenset({"read"}), NOW + number, None)


@pytest.fixture
def ring(tmp_path: Path) -> KeyRing:
    return KeyRing(tmp_path / "data" / "keys.json")


def test_a_key_that_another_process_makes_opens_without_a_restart(ring: KeyRing) -> None:
    server = KeyRing(ring.path)
    key, text = new()
    assert not server.is_in_use
    ring.add(key)
    assert server.is_in_use
    assert server.opened(text, NOW) == key
    ring.revoke(key.id, NOW)
    assert server.opened(text, NOW) is None
    assert server.is_in_use, "a revoked key must not open the server to keyless callers"


def test_the_file_is_for_its_owner_alone(ring: KeyRing) -> None:
    ring.add(new()[0])
    assert stat.S_IMODE(ring.path.stat().st_mode) == 0o600
    assert {path.name for path in ring.path.parent.iterdir()} == {"keys.json", "keys.lock"}


def test_writers_at_once_lose_no_key(ring: KeyRing) -> None:
    threads = [threading.Thread(target=KeyRing(ring.path).add, args=(new(n)[0],)) for n in range(1, 21)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [key.name for key in ring.all()] == [f"key{n}" for n in range(1, 21)]


def test_a_key_is_revoked_once_and_by_its_id(ring: KeyRing) -> None:
    key, _text = new()
    ring.add(key)
    ring.revoke(key.id, NOW + 5)
    assert ring.revoke(key.id, NOW + 9).revoked == NOW + 5
    with pytest.raises(NotFound, match="no key"):
        ring.revoke("0" * 12, NOW)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{",
        '{"version": 2, "keys": []}',
        '{"version": 1, "keys": [{}]}',
        '{"version": 1, "keys": 5}',
        '{"version": 1, "keys": [5]}',
        '{"version": 1, "keys": {"id": "x"}}',
        '{"version": 1, "keys": ' + "[" * 100_000,
    ],
)
def test_a_damaged_file_opens_nothing_to_nobody(ring: KeyRing, text: str) -> None:
    key, secret = new()
    ring.add(key)
    ring.path.write_text(text)
    assert ring.opened(secret, NOW) is None
    assert ring.is_in_use
    with pytest.raises(InvalidSpec, match=r"keys\.json|entry"):
        ring.all()
    with pytest.raises(InvalidSpec):
        ring.add(key)


def test_a_file_that_others_can_read_opens_nothing(ring: KeyRing) -> None:
    key, secret = new()
    ring.add(key)
    ring.path.chmod(0o644)
    assert ring.opened(secret, NOW) is None
    assert ring.is_in_use
    ring.path.chmod(0o600)
    assert ring.opened(secret, NOW) == key


def test_a_link_in_place_of_the_file_opens_nothing(ring: KeyRing, tmp_path: Path) -> None:
    key, secret = new()
    ring.add(key)
    elsewhere = tmp_path / "elsewhere"
    ring.path.rename(elsewhere)
    ring.path.symlink_to(elsewhere)
    assert ring.opened(secret, NOW) is None
    assert ring.is_in_use


def test_a_directory_that_others_can_write_is_refused(ring: KeyRing) -> None:
    ring.path.parent.mkdir()
    ring.path.parent.chmod(0o777)
    with pytest.raises(InvalidSpec, match="others could change"):
        ring.add(new()[0])


@pytest.mark.skipif(os.geteuid() != 0, reason="needs uid 0")
@pytest.mark.root
def test_a_file_of_somebody_else_opens_nothing(ring: KeyRing) -> None:
    key, secret = new()
    ring.add(key)
    os.chown(ring.path, 12345, 12345)
    assert ring.opened(secret, NOW) is None
    assert ring.is_in_use
