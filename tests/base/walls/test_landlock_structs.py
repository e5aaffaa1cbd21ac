from __future__ import annotations

import struct

import pytest

from sandlot.walls import landlock


@pytest.mark.parametrize(
    ("version", "highest", "fields"),
    [(1, 12, 1), (2, 13, 1), (3, 14, 1), (4, 14, 2), (5, 15, 2), (6, 15, 3), (7, 15, 3), (99, 15, 3)],
)
def test_only_what_the_version_knows_is_handled(version: int, highest: int, fields: int) -> None:
    assert landlock.rights(version) == 2 ** (highest + 1) - 1
    packed = landlock.ruleset_attributes(version, tcp=False)
    assert len(packed) == 8 * fields
    assert struct.unpack_from("=Q", packed)[0] == landlock.rights(version)


def test_tcp_is_handled_only_when_it_is_to_be_refused() -> None:
    assert struct.unpack("=3Q", landlock.ruleset_attributes(6, tcp=True))[1:] == (0, 3)
    assert struct.unpack("=3Q", landlock.ruleset_attributes(6, tcp=False))[1:] == (3, 3)


def test_a_path_rule_is_packed() -> None:
    assert landlock.path_rule(1, 2) == struct.pack("=Q", 1) + struct.pack("=i", 2)


def test_writing_never_includes_device_nodes_and_reading_never_changes_anything() -> None:
    assert not landlock.WRITE & (landlock.MAKE_CHAR | landlock.MAKE_BLOCK)
    assert landlock.READ == landlock.EXECUTE | landlock.READ_FILE | landlock.READ_DIR
    assert not landlock.DEVICE & landlock.EXECUTE
