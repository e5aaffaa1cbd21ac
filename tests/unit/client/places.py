"""Sandboxes of both twins, here and on a server, behind one way to ask."""

from __future__ import annotations

from typing import Any

from sandlot.sdk import AsyncSandbox, Sandbox
from tests.base.client.twins import AsyncTwin, Twin


class Place:
    """Opens sandboxes and closes them at its end."""

    def __init__(self, twin: Twin, url: str | None) -> None:
        self.twin = twin
        self._url = url
        self._opened: list[Any] = []

    def open(self, **asked: Any) -> Any:
        """A sandbox."""
        kind: Any = AsyncSandbox if isinstance(self.twin, AsyncTwin) else Sandbox
        made = kind.local(**asked) if self._url is None else kind.connect(self._url, **asked)
        if kind is AsyncSandbox:
            self.twin.wait(made)
        self._opened.append(made)
        return made

    def close(self) -> None:
        """Close whatever was opened."""
        for made in self._opened:
            self.twin.wait(made.close())
