"""Archives that would write elsewhere, or twice, or what is no file (THREATS.md Z01 to Z07, Z11)."""

from __future__ import annotations

import contextlib
import os
import tempfile
from typing import List, Tuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandlot.wire.archive import ArchiveError, ArchiveRules, Member
from tests.base.wire.blocks import (
    END,
    directory,
    file,
    header,
    long_name,
    names,
    pax,
    read,
    refusal,
    symlink,
)

WITH_LINKS = ArchiveRules(allow_symlinks=True)


@pytest.mark.parametrize(
    "name", [b"../x", b"..", b"../", b"a/../x", b"a/..", b"./../x", b"a/b/../../../x", b"a//..//../x"]
)
def test_z01_names_that_climb_are_refused(name: bytes) -> None:
    assert refusal(file(name) + END) == "parent"
    assert refusal(directory(name) + END) == "parent"
    assert refusal(pax({b"path": name}) + file(b"ok") + END) == "parent"
    assert refusal(long_name(name) + file(b"ok") + END) == "parent"


def test_z01_a_prefix_that_climbs_is_refused() -> None:
    assert refusal(header(b"x", prefix=b"..") + END) == "parent"


@pytest.mark.parametrize("name", [b"/abs", b"/", b"//abs", b"/../x", b"/./x"])
def test_z02_absolute_names_are_refused(name: bytes) -> None:
    assert refusal(file(name) + END) == "absolute"
    assert refusal(directory(name) + END) == "absolute"
    assert refusal(pax({b"path": name}) + file(b"ok") + END) == "absolute"
    assert refusal(long_name(name) + file(b"ok") + END) == "absolute"
    assert refusal(header(b"x", prefix=name) + END) == "absolute"


def test_z03_a_link_is_refused_unless_asked_for() -> None:
    assert refusal(symlink(b"a", b"b") + END) == "symlink"


@pytest.mark.parametrize("inside", [file(b"a/x"), directory(b"a/x"), symlink(b"a/x", b"y")])
def test_z03_nothing_is_written_through_a_link(inside: bytes) -> None:
    assert refusal(symlink(b"a", b"b") + inside + END, WITH_LINKS) == "conflict"
    assert refusal(inside + symlink(b"a", b"b") + END, WITH_LINKS) == "conflict"
    assert refusal(directory(b"a") + inside + symlink(b"a", b"b") + END, WITH_LINKS) == "conflict"


@pytest.mark.parametrize(
    ("name", "target"),
    [
        (b"a", b"/etc/passwd"),
        (b"a", b".."),
        (b"a", b"../x"),
        (b"a/b", b"../.."),
        (b"a/b", b"../../x"),
        (b"a/b", b".././../x"),
        (b"a", b""),
        (b"a/b", b"c/../../x"),
        (b"a/b/c", b"x/.."),
        (b"a/b/c", b"../x/../y"),
    ],
)
def test_z03_a_link_that_may_lead_outside_is_refused(name: bytes, target: bytes) -> None:
    assert refusal(symlink(name, target) + END, WITH_LINKS) == "link_escape"
    assert refusal(long_name(target or b"/", b"K") + symlink(name, b"ok") + END, WITH_LINKS) == "link_escape"
    assert refusal(pax({b"linkpath": target}) + symlink(name, b"ok") + END, WITH_LINKS) == "link_escape"


@pytest.mark.parametrize("target", [b"/etc/passwd", b"../x", b"ok"])
def test_z04_hard_links_are_refused(target: bytes) -> None:
    data = file(b"ok") + header(b"a", b"1", link=target) + END
    assert refusal(data) == refusal(data, WITH_LINKS) == "hard_link"


def _links_longer_than_path_max() -> List[Tuple[bytes, bytes]]:
    """The published attack, member by member: a chain of links that realpath() stops to follow."""
    component, path = b"d" * 247, b""
    members = []
    for step in (bytes([letter]) for letter in b"abcdefghijklmnop"):
        members.append((b"directory", pax({b"path": path + component}) + directory(b"cut")))
        members.append(
            (b"step", pax({b"path": path + step, b"linkpath": component}) + symlink(b"cut", b"cut"))
        )
        path += component + b"/"
    short = b"/".join(bytes([letter]) for letter in b"abcdefghijklmnop") + b"/" + b"l" * 254
    members.append((b"top", pax({b"path": short, b"linkpath": b"../" * 16}) + symlink(b"cut", b"cut")))
    escape = short + b"/../../../../etc"
    members.append((b"escape", pax({b"linkpath": escape}) + symlink(b"escape", b"cut")))
    members.append((b"file", file(b"escape/passwd", b"x")))
    return members


@pytest.mark.parametrize(
    ("left_out", "reason"),
    [
        ((), "conflict"),
        ((b"top",), "link_escape"),
        ((b"top", b"escape"), ""),
        ((b"step", b"top"), "link_escape"),
    ],
)
def test_z05_a_chain_of_links_past_path_max_is_refused(left_out: Tuple[bytes, ...], reason: str) -> None:
    # CVE-2025-4517: the part of a path that realpath() could not resolve was taken for harmless.
    data = b"".join(made for part, made in _links_longer_than_path_max() if part not in left_out) + END
    if reason:
        assert refusal(data, WITH_LINKS) == reason
    else:
        assert "escape/passwd" in names(data, WITH_LINKS)


def test_z05_links_through_links_cannot_climb() -> None:
    # `deep` is beneath, but what `deep/..` means only the kernel knows: the parent of where `deep` leads.
    data = directory(b"a/b") + symlink(b"a/b/deep", b"../..")
    assert names(data + END, WITH_LINKS) == ["a/b", "a/b/deep"]
    assert refusal(data + symlink(b"out", b"a/b/deep/../..") + END, WITH_LINKS) == "link_escape"
    assert refusal(data + file(b"a/b/deep/x") + END, WITH_LINKS) == "conflict"


@pytest.mark.parametrize("kind", [b"3", b"4", b"6"])
def test_z06_devices_and_fifos_are_refused(kind: bytes) -> None:
    assert refusal(header(b"a", kind) + END) == "special"


@pytest.mark.parametrize("kind", [b"7", b"D", b"M", b"V", b"N", b"A", b"X", b"\xff", b" "])
def test_z06_other_types_are_refused(kind: bytes) -> None:
    assert refusal(header(b"a", kind) + END) == "unsupported"


def test_z07_setuid_setgid_and_sticky_are_dropped() -> None:
    ((member, _),) = read(header(b"a", mode=0o7755) + END)
    assert member.mode == 0o755
    ((member, _),) = read(header(b"a", mode=b"\x80\0\0\0\0\0\x0f\xff") + END)
    assert member.mode == 0o777


@pytest.mark.parametrize(
    ("mtime", "kept"),
    [(b"\xff" * 12, 0), (b"\x80" + (2**40).to_bytes(11, "big"), 2**33 - 1), (b"\xc0" + bytes(11), 0)],
)
def test_z07_times_are_clamped(mtime: bytes, kept: int) -> None:
    ((member, _),) = read(header(b"a", mtime=mtime) + END)
    assert member.mtime == kept
    ((member, _),) = read(pax({b"mtime": b"-1"}) + header(b"a", mtime=mtime) + END)
    assert member.mtime == 0


def test_z11_a_name_is_given_once() -> None:
    for make in (file, directory):
        assert refusal(make(b"a") + make(b"a") + END) == "duplicate"
        assert refusal(make(b"a/b") + make(b"./a//b") + END) == "duplicate"
    assert refusal(symlink(b"a", b"b") + symlink(b"a", b"c") + END, WITH_LINKS) == "duplicate"


@pytest.mark.parametrize(
    "data",
    [
        file(b"a") + directory(b"a"),
        directory(b"a") + file(b"a"),
        file(b"a") + file(b"a/b"),
        file(b"a/b") + file(b"a"),
        file(b"a/b/c") + file(b"a/b"),
        file(b"a") + symlink(b"a", b"b"),
        symlink(b"a", b"b") + file(b"a"),
        symlink(b"a", b"b") + directory(b"a"),
    ],
)
def test_z11_one_name_is_one_thing(data: bytes) -> None:
    assert refusal(data + END, WITH_LINKS) == "conflict"


_PATHS = st.lists(st.sampled_from(["a", "b", "c", "..", "."]), min_size=1, max_size=5).map("/".join)
_LINKS = st.lists(st.tuples(st.sampled_from(["a", "b", "a/a", "a/b", "b/a/c", "c/c/c"]), _PATHS), max_size=6)


@given(_LINKS)
def test_z05_accepted_links_made_for_real_stay_beneath(links: List[Tuple[str, str]]) -> None:
    accepted: List[Member] = []
    for name, target in links:
        made = [symlink(member.name.encode(), member.link.encode()) for member in accepted]
        with contextlib.suppress(ArchiveError):
            data = b"".join(made) + symlink(name.encode(), target.encode()) + END
            accepted = [member for member, _ in read(data, WITH_LINKS)]
    with tempfile.TemporaryDirectory() as place:
        root = os.path.join(os.path.realpath(place), "root")
        for member in accepted:
            path = os.path.join(root, member.name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            os.symlink(member.link, path)
        for member in accepted:
            led_to = os.path.realpath(os.path.join(root, member.name))
            assert os.path.commonpath([root, led_to]) == root
