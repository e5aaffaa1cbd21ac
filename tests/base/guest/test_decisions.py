"""The small pure decisions: paths, PATH, rings, refusals."""

from __future__ import annotations

import errno
from typing import Any, List

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandlot.guest.beneath import components
from sandlot.guest.ordered import goes_on
from sandlot.guest.payload import candidates
from sandlot.guest.refusal import Refusal, field, from_os
from sandlot.guest.ring import Ring


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/", ()),
        ("/a/b", ("a", "b")),
        ("//a///b/", ("a", "b")),
        ("/a/./b", ("a", "b")),
        ("/a\n/ b", ("a\n", " b")),
    ],
)
def test_a_path_is_its_names(path: str, expected: object) -> None:
    assert components(path) == expected


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("", "invalid"),
        ("a/b", "invalid"),
        ("/a\0b", "invalid"),
        ("/" + 5000 * "a", "invalid"),
        ("/a/../b", "path_escape"),
        ("/..", "path_escape"),
    ],
)
def test_a_path_is_refused_never_repaired(path: str, code: str) -> None:
    with pytest.raises(Refusal) as caught:
        components(path)
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("command", "path", "expected"),
    [
        ("ls", "/usr/bin:/bin", ("/usr/bin/ls", "/bin/ls")),
        ("ls", ":/bin", ("./ls", "/bin/ls")),
        ("./ls", "/bin", ("./ls",)),
        ("/bin/ls", "", ("/bin/ls",)),
        ("", "/bin", ()),
    ],
)
def test_a_command_is_looked_for_as_a_shell_does(command: str, path: str, expected: object) -> None:
    assert candidates(command, path) == expected


@given(st.lists(st.binary(max_size=20), max_size=20), st.integers(0, 200), st.integers(1, 50))
def test_a_ring_gives_back_the_newest_bytes(chunks: List[bytes], offset: int, size: int) -> None:
    ring = Ring(capacity=32)
    for chunk in chunks:
        ring.add(chunk)
    said = b"".join(chunks)
    begin, found = ring.read(offset, size)
    assert ring.end == len(said)
    assert begin == min(max(offset, len(said) - 32, 0), len(said))
    assert found == said[begin : begin + size]


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (errno.ENOENT, "not_found"),
        (errno.ELOOP, "path_escape"),
        (errno.EXDEV, "path_escape"),
        (errno.ENOSPC, "no_space"),
        (errno.EIO, "failed"),
    ],
)
def test_an_error_of_the_kernel_has_a_code(number: int, code: str) -> None:
    refusal = from_os(OSError(number, "x"), "/a")
    assert refusal.code == code
    assert str(refusal).startswith("/a: ")


@pytest.mark.parametrize(("value", "kind"), [(1, bool), (True, int), ("1", int), (1.0, int), (None, str)])
def test_a_field_of_another_type_is_refused(value: Any, kind: Any) -> None:
    with pytest.raises(Refusal, match="field 'n'"):
        field({"n": value}, "n", kind)


def test_a_field_may_be_missing_or_an_int_for_a_float() -> None:
    assert field({}, "n", int, 7) == 7
    assert field({"n": None}, "n", str, None) is None
    assert field({"n": 2}, "n", float) == 2.0


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b'{"event":"begun","id":1,"count":1}\n', True),
        (b'{"event":"begun","id":1,"count":1}\n{"event":"text","stream":"stdout","text":"1\\n"}\n', True),
        (b'{"event":"text","stream":"stdout","text":"1\\n"}\n{"event":"done","id":1}\n', False),
        (b'{"event":"ask","prompt":"?"}\n', False),
        (b'{"event":"ready"}\n', False),
        (b'{"event":"text","text":"' + 5000 * b"x" + b'"}\n', False),
        (b"", False),
        (b"\n", False),
        (b'{"event":"te', False),
    ],
)
def test_a_piece_of_a_cell_waits_for_the_next_unless_it_is_the_last(data: bytes, expected: bool) -> None:
    assert goes_on(data) is expected
