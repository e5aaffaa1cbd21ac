from __future__ import annotations

from pathlib import Path
from typing import Any, List

import pytest

from sandlot.compat.noxrunner.security import CommandValidator, PathSanitizer

BLOCKED = (
    "rm rmdir unlink del format mkfs dd fdisk shutdown reboot halt poweroff init killall sudo su chmod chown"
    " chgrp mount umount"
)
ALLOWED = (
    "echo cat ls pwd head tail grep wc sort python python3 python2 node bash sh zsh test [ true false which"
    " type env printenv mkdir touch cp mv ln readlink stat file find xargs sed awk cut tr uniq diff cmp tar"
    " gzip gunzip zip unzip"
)


def test_the_word_lists() -> None:
    assert set(BLOCKED.split()) == CommandValidator.BLOCKED_COMMANDS
    assert set(ALLOWED.split()) == CommandValidator.ALLOWED_COMMANDS


@pytest.mark.parametrize(
    ("command", "passes"),
    [
        ([], False),
        (["echo"], True),
        (["RM"], False),
        (["Sudo"], False),
        (["/bin/rm", "x"], True),
        (["sh", "-c", "rm x"], True),
        (["unheard-of"], True),
        ([""], True),
        ([" rm"], True),
    ],
)
def test_only_the_first_word_counts(command: List[str], passes: bool) -> None:
    assert CommandValidator().validate(command) is passes


@pytest.mark.parametrize(
    ("word", "allowed", "blocked"),
    [("ls", True, False), ("LS", True, False), ("rm", False, True), ("foo", False, False)],
)
def test_words(word: str, allowed: bool, blocked: bool) -> None:
    assert CommandValidator().is_allowed(word) is allowed
    assert CommandValidator().is_blocked(word) is blocked


@pytest.fixture
def sandbox(tmp_path: Path) -> Path:
    inner = tmp_path.resolve() / "S"
    (inner / "workspace" / "d").mkdir(parents=True)
    (inner / "workspace" / "etc").symlink_to("/etc")
    (inner / "workspace" / "ld").symlink_to("d")
    (inner / "workspace" / "loop").symlink_to("loop")
    return inner


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ("/workspace", "workspace"),
        ("/workspace/d", "workspace"),
        ("/etc", "workspace"),
        ("{S}/workspace/d", "workspace/d"),
        ("{S}/x", "x"),
        ("{S}", "."),
        ("{S}/../y", "workspace"),
        ("{S}x", "workspace"),
        ("{S}/workspace/etc", "workspace"),
        ("d", "workspace/d"),
        ("./d/e", "workspace/d/e"),
        ("", "workspace"),
        ("../x", "workspace"),
        ("a..b", "workspace"),
        ("etc/passwd", "workspace"),
        ("ld", "workspace/d"),
        ("~", "workspace/~"),
        ("a\0b", "workspace"),
        ("x" * 300 + "/y", None),
    ],
)
def test_a_path_leads_into_the_sandbox(sandbox: Path, path: str, place: Any) -> None:
    found = PathSanitizer().sanitize(path.replace("{S}", str(sandbox)), sandbox)
    if place is None:
        assert sandbox in found.parents
    else:
        assert found == sandbox / place


def test_another_name_for_the_workspace(sandbox: Path) -> None:
    assert PathSanitizer().sanitize("q", sandbox, workspace_name="other") == sandbox / "other" / "q"
    assert PathSanitizer().sanitize("/q", sandbox, workspace_name="other") == sandbox / "other"


def test_within_the_sandbox(sandbox: Path) -> None:
    within = PathSanitizer().ensure_within_sandbox
    inside = [sandbox, sandbox / "a"]
    outside = [sandbox / "..", Path("/etc"), sandbox / "workspace" / "etc", Path(f"{sandbox}x"), Path("a\0b")]
    assert [within(path, sandbox) for path in inside] == [True] * 2
    assert [within(path, sandbox) for path in outside] == [False] * 5


@pytest.mark.parametrize(
    ("name", "last"),
    [
        ("a", "a"),
        ("d/a", "a"),
        ("/x/y", "y"),
        ("..", ".."),
        ("../a", "a"),
        ("", ""),
        ("a/", "a"),
        (".", ""),
        ("/", ""),
    ],
)
def test_the_last_component(name: str, last: str) -> None:
    assert PathSanitizer().sanitize_filename(name) == last
