"""A cell's events as people see them: output as it comes, results, pictures, and how it ended."""

from __future__ import annotations

import re
import sys
from typing import Any, Mapping, Optional, Union

from sandlot import settings
from sandlot.contracts.cells import (
    Begun,
    CellEvent,
    CellStatus,
    Displayed,
    Finished,
    Raised,
    Resulted,
    Streamed,
    StreamName,
    Suggested,
)
from sandlot.contracts.events import EXIT_TIMEOUT

from . import pictures, render

_COLOUR = re.compile("\x1b\\[[0-9;]*m")

EXIT_CODES = {
    CellStatus.OK: 0,
    CellStatus.ERROR: 1,
    CellStatus.INTERRUPTED: 128 + 2,
    CellStatus.TIMEOUT: EXIT_TIMEOUT,
    CellStatus.DIED: 1,
}


class Shower:
    """Shows the events of cells; *with_numbers* marks results with their `Out[n]`."""

    def __init__(self, album: pictures.Album, *, with_numbers: bool) -> None:
        """Nothing was shown yet."""
        self.count = 0
        """The number of the last cell that was counted."""
        self._album, self._with_numbers = album, with_numbers
        self._is_line_begun = False

    def show(self, event: CellEvent) -> None:
        """Show *event*; what asks for input is somebody else's."""
        if isinstance(event, Begun):
            self.count = event.execution_count
        elif isinstance(event, Streamed):
            self._write(event)
        elif isinstance(event, (Displayed, Resulted)):
            self._fresh_line()
            self._show_bundle(event)
        elif isinstance(event, Suggested):
            self._fresh_line()
            print(_writable(event.code, sys.stdout), flush=True)
        elif isinstance(event, Raised):
            self._fresh_line()
            self._show_error(event)
        elif isinstance(event, Finished):
            self._fresh_line()
            self._conclude(event)

    def _write(self, event: Streamed) -> None:
        stream = sys.stdout if event.stream is StreamName.STDOUT else sys.stderr
        stream.write(_writable(event.text, stream))
        stream.flush()
        self._is_line_begun = not event.text.endswith("\n")

    def _fresh_line(self) -> None:
        # Only where the two streams meet: the output of a program stays as it is in a pipe.
        if self._is_line_begun and sys.stdout.isatty():
            print(flush=True)
        self._is_line_begun = False

    def _show_bundle(self, event: Union[Displayed, Resulted]) -> None:
        mark = ""
        if isinstance(event, Resulted) and self._with_numbers:
            mark = render.coloured(f"Out[{event.execution_count}]:", "bad", sys.stdout) + " "
        text = _plain(event.data)
        picture = pictures.picture_in(event.data)
        if picture is None or isinstance(event, Resulted):
            gap = "\n" if mark and "\n" in text else ""
            print(mark + gap + _writable(text, sys.stdout), flush=True)
        if picture is not None:
            self._show_picture(*picture)

    def _show_picture(self, mime: str, picture: bytes) -> None:
        terminal = settings.terminal_variables() if sys.stdout.isatty() else {}
        escape = pictures.escape_for(terminal, mime, picture)
        if escape is not None:
            print(escape, flush=True)
        else:
            print(f"[{mime}, {len(picture)} bytes: {self._album.save(mime, picture)}]", flush=True)

    def _show_error(self, event: Raised) -> None:
        lines = event.traceback or (f"{event.name}: {event.value}",)
        text = _writable("\n".join(line.rstrip("\n") for line in lines), sys.stderr)
        sys.stdout.flush()
        print(text if render.shows_colour(sys.stderr) else _COLOUR.sub("", text), file=sys.stderr, flush=True)

    def _conclude(self, end: Finished) -> None:
        if end.status is CellStatus.TIMEOUT:
            render.say("the cell ran out of time: --timeout gives it more")
        if end.status is CellStatus.DIED:
            render.say(f"the interpreter died: {end.detail or 'nobody tells how'}")
        if end.dropped:
            render.say(f"{end.dropped} bytes of output were left out in the middle")


def _plain(data: Mapping[str, Any]) -> str:
    return str(data.get("text/plain", f"[{', '.join(map(render.escaped, data))}]"))


def _writable(text: str, stream: Any) -> str:
    """*text* with what the encoding of *stream* has no form for replaced."""
    encoding: Optional[str] = getattr(stream, "encoding", None)
    return text.encode(encoding or "utf-8", "replace").decode(encoding or "utf-8", "replace")
