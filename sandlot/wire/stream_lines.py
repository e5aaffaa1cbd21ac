"""The lines of an event stream, cut out of bytes as they come: NDJSON, or the data of server-sent events.

Of server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html) only `data` is read:
ours have their number and kind in it too.
"""

from __future__ import annotations

from typing import List, Optional

from sandlot.contracts.errors import InvalidSpec


class LineReader:
    """Turns the bytes of a stream into the texts of its events; with *server_sent* as server-sent events.

    `feed` raises InvalidSpec for a line, or an event, of more than *longest* bytes.
    """

    def __init__(self, *, server_sent: bool, longest: int) -> None:
        """Read from the beginning of a stream."""
        self._server_sent, self._longest = server_sent, longest
        self._begun = bytearray()
        self._looked = 0
        self._data: List[bytes] = []
        self._size = 0

    def feed(self, data: bytes) -> List[bytes]:
        """The texts that *data* completes; blank lines and comments, which keep a stream alive, are none."""
        self._begun += data
        found: List[bytes] = []
        while True:
            end = self._begun.find(b"\n", self._looked)
            if (len(self._begun) if end < 0 else end) > self._longest:
                raise InvalidSpec(f"a line of the event stream is longer than {self._longest} bytes")
            if end < 0:
                self._looked = len(self._begun)
                return found
            line = bytes(self._begun[:end]).rstrip(b"\r")
            del self._begun[: end + 1]
            self._looked = 0
            text = self._server_sent_line(line) if self._server_sent else line.strip()
            if text:
                found.append(text)

    def _server_sent_line(self, line: bytes) -> Optional[bytes]:
        """The data of the event that *line*, a blank one, completes."""
        if not line:
            data, self._data, self._size = self._data, [], 0
            return b"\n".join(data)
        name, _colon, value = line.partition(b":")
        if name == b"data":
            self._size += len(value)
            if self._size > self._longest:
                raise InvalidSpec(f"an event is longer than {self._longest} bytes")
            self._data.append(value[1:] if value.startswith(b" ") else value)
        return None  # `id` and `event` are in the data too; comments and the rest are passed over
