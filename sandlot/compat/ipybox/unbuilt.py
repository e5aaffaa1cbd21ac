"""What of ipybox's API is not built yet: there to be imported, refused when it is used."""

from __future__ import annotations

from typing import Any, NoReturn

from sandlot.contracts.errors import Unsupported

_MEANWHILE = "meanwhile share files by the binds of the container, or read and write them in a cell"


class ResourceClient:
    """Refused when it is made."""

    def __init__(self, port: int, host: str = "localhost", *_rest: Any, **_options: Any) -> None:
        """Raises Unsupported."""
        raise Unsupported(f"ResourceClient at {host}:{port} is not built yet: {_MEANWHILE}")


async def generate_mcp_sources(server_name: str, *_rest: Any, **_options: Any) -> NoReturn:
    """Raises Unsupported."""
    raise Unsupported(
        f"sources for the MCP server {server_name!r} cannot be generated yet: call its tools outside of the "
        "sandbox and put what they return into a cell"
    )
