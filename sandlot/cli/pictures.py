"""Pictures that a cell shows: inline where the terminal can, else as files whose names are told."""

from __future__ import annotations

import base64
import binascii
import tempfile
from pathlib import Path
from typing import Any, List, Mapping, Optional, Tuple

from sandlot.contracts.errors import InvalidSpec

KINDS = (
    ("image/png", "png"),
    ("image/jpeg", "jpg"),
    ("image/svg+xml", "svg"),
    ("application/pdf", "pdf"),
)
"""The representations that are pictures, best first, with the ends of their files' names."""

_KITTY_CHUNK = 4096


def picture_in(data: Mapping[str, Any]) -> Optional[Tuple[str, bytes]]:
    """The best picture of a bundle: its MIME type and its bytes; None for none that can be read."""
    for mime, _ in KINDS:
        found = data.get(mime)
        if not isinstance(found, str):
            continue
        if mime.endswith("+xml"):
            return mime, found.encode("utf-8", "replace")
        try:
            return mime, base64.b64decode("".join(found.split()), validate=True)  # libraries break lines
        except (binascii.Error, ValueError):
            continue
    return None


def escape_for(terminal: Mapping[str, str], mime: str, picture: bytes) -> Optional[str]:
    """What to write to a *terminal* of those variables to show *picture*; None where it cannot (pure).

    Whatever a program showed is encoded anew: no byte of its own reaches the terminal.
    """
    if mime == "image/png" and ("KITTY_WINDOW_ID" in terminal or terminal.get("TERM") == "xterm-kitty"):
        return "".join(_kitty(base64.b64encode(picture).decode("ascii")))
    if mime in ("image/png", "image/jpeg") and terminal.get("TERM_PROGRAM") == "iTerm.app":
        # https://iterm2.com/documentation-images.html
        text = base64.b64encode(picture).decode("ascii")
        return f"\x1b]1337;File=inline=1;size={len(picture)}:{text}\a"
    return None


def _kitty(text: str) -> List[str]:
    """A PNG, transmitted in pieces and displayed: https://sw.kovidgoyal.net/kitty/graphics-protocol/."""
    chunks = [text[begin : begin + _KITTY_CHUNK] for begin in range(0, len(text), _KITTY_CHUNK)] or [""]
    last = len(chunks) - 1
    return [
        f"\x1b_G{'a=T,f=100,' if number == 0 else ''}m={int(number < last)};{chunk}\x1b\\"
        for number, chunk in enumerate(chunks)
    ]


class Album:
    """Where pictures are saved: in *folder*, or in a temporary directory made for the first of them."""

    def __init__(self, folder: Optional[str]) -> None:
        """Nothing is made yet."""
        self._folder = None if folder is None else Path(folder)
        self._count = 0

    def save(self, mime: str, picture: bytes) -> Path:
        """The new file that holds *picture*. Raises InvalidSpec when it cannot be written."""
        if self._folder is None:
            self._folder = Path(tempfile.mkdtemp(prefix="sandlot-pictures-"))
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            while True:
                self._count += 1
                path = self._folder / f"picture-{self._count}.{dict(KINDS)[mime]}"
                try:
                    with path.open("xb") as file:
                        file.write(picture)
                except FileExistsError:
                    continue
                return path
        except OSError as cause:
            raise InvalidSpec(
                f"the picture cannot be saved in {self._folder}: {cause.strerror}; "
                "--images names another place"
            ) from cause
