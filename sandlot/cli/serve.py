"""`sandlot serve`: sandboxes for others, over HTTP."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from sandlot import settings
from sandlot.contracts.errors import EngineUnavailable

from . import arguments_server, parsing


def main(words: Sequence[str]) -> int:
    """Serve until told to stop; 0."""
    options = arguments_server.serve().parse_args(words)
    parsing.configure(options)
    chosen = settings.load(flags={name: getattr(options, name) for name in arguments_server.SERVE_SETTINGS})
    try:
        from sandlot.server import loop
        from sandlot.server.logs import logging_to
        from sandlot.server.serve import serve
    except ImportError as missing:
        raise EngineUnavailable(
            f"the server needs more than the base install ({missing.name} is missing): "
            "pip install 'sandlot[server]'"
        ) from missing
    from sandlot.local.start import open_service

    with logging_to():
        loop.run(serve(chosen, open_service, _tell, options.fd))
    return 0


def _tell(url: str) -> None:
    logging.getLogger("sandlot").info("listening on %s", url, extra={"about": {"url": url}})
