from __future__ import annotations

import base64
import re
from pathlib import Path
from typing import Any, Dict, Optional, Tuple

import pytest

from sandlot.cli.pictures import Album, escape_for, picture_in
from sandlot.contracts.errors import InvalidSpec

PICTURE = bytes(range(256)) * 40
TEXT = base64.b64encode(PICTURE).decode()


@pytest.mark.parametrize(
    ("data", "found"),
    [
        ({"text/plain": "x"}, None),
        ({"image/png": TEXT, "image/svg+xml": "<svg/>"}, ("image/png", PICTURE)),
        ({"image/svg+xml": "<svg/>"}, ("image/svg+xml", b"<svg/>")),
        ({"image/png": "no base64!", "image/jpeg": TEXT}, ("image/jpeg", PICTURE)),
        ({"image/png": TEXT[:76] + "\n" + TEXT[76:]}, ("image/png", PICTURE)),
        ({"image/png": 5}, None),
        ({"image/png": "ä"}, None),
    ],
)
def test_the_best_picture_of_a_bundle_is_found(
    data: Dict[str, Any], found: Optional[Tuple[str, bytes]]
) -> None:
    assert picture_in(data) == found


@pytest.mark.parametrize("terminal", [{"KITTY_WINDOW_ID": "1"}, {"TERM": "xterm-kitty"}])
def test_kitty_is_sent_a_png_in_pieces_of_its_protocol(terminal: Dict[str, str]) -> None:
    told = escape_for(terminal, "image/png", PICTURE)
    assert told is not None
    pieces = re.findall("\x1b_G([^;]*);([^\x1b]*)\x1b\\\\", told)
    assert [options for options, _ in pieces] == ["a=T,f=100,m=1", "m=1", "m=1", "m=0"]
    assert all(len(text) <= 4096 for _, text in pieces)
    assert base64.b64decode("".join(text for _, text in pieces)) == PICTURE
    assert escape_for(terminal, "image/jpeg", PICTURE) is None


def test_iterm_is_sent_a_file_to_show() -> None:
    told = escape_for({"TERM_PROGRAM": "iTerm.app"}, "image/jpeg", PICTURE)
    assert told == f"\x1b]1337;File=inline=1;size={len(PICTURE)}:{TEXT}\a"


def test_other_terminals_are_sent_nothing() -> None:
    assert escape_for({"TERM": "xterm-256color"}, "image/png", PICTURE) is None
    assert escape_for({"TERM_PROGRAM": "iTerm.app"}, "image/svg+xml", b"<svg/>") is None


def test_pictures_get_names_of_their_own(tmp_path: Path) -> None:
    folder = tmp_path / "new"
    assert Album(str(folder)).save("image/png", b"1") == folder / "picture-1.png"
    again = Album(str(folder))
    assert again.save("image/png", b"2") == folder / "picture-2.png"
    assert again.save("image/svg+xml", b"3") == folder / "picture-3.svg"
    assert [path.read_bytes() for path in sorted(folder.iterdir())] == [b"1", b"2", b"3"]
    with pytest.raises(InvalidSpec, match="--images"):
        Album(str(folder / "picture-1.png" / "below")).save("image/png", b"1")
