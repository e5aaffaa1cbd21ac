"""Which server is meant, from what was said and the settings in force."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Optional

from sandlot import settings


@dataclass(frozen=True)
class Server:
    """Where a server is, and the key it is shown."""

    url: str
    key: Optional[str] = field(default=None, repr=False)


def server(url: Optional[str], key: Optional[str]) -> Server:
    """The server at *url* with *key*; what is None comes from the settings in force. Raises InvalidSpec."""
    return chosen_server(settings.load(flags={"url": url, "key": key}))


def chosen_server(chosen: settings.Settings) -> Server:
    """The server of the settings *chosen*."""
    return Server(chosen.url or settings.DEFAULT_URL, chosen.key)
