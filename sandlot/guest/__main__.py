"""The entry of the agent, and of the programs that run in forks of it without a second interpreter start."""

from __future__ import annotations

import gc
import os
import sys

from . import lean, signals


def main(archive: str = "") -> None:
    """Serve the link on descriptors 0 and 1 until the host is gone; ends the process by SystemExit.

    archive: the entry of sys.path this was imported from, which programs of the user must not see.

    A program given as text runs here too: the payload's fork unwinds to this frame first, so that the agent's
    frames and objects are gone when the program starts.
    """
    gc.disable()
    signals.ignore_all()
    lean.install()
    from .agent import serve
    from .payload import (
        Handover,
    )  # brings `runner` along: behind its walls a payload may not read the archive

    try:
        status = serve()
    except Handover as handover:
        program = handover.program
    else:
        sys.exit(status)
    del serve, Handover
    from . import runner

    runner.run(*program, archive or _archive())


def zygote(archive: str, nest: str, library: str = "") -> None:
    """Serve the keeper on descriptor 0 as a zygote; *nest* and *library* as zygote.serve.

    Each box leaves the zygote's frames, and each program those of its box, before it starts.
    """
    gc.disable()
    from . import runner
    from .payload import Handover
    from .zygote import Born, serve

    try:
        serve(nest, archive, library)
    except Born as born:
        newborn = born.newborn
    del Born, serve
    try:
        os._exit(newborn.serve())
    except Handover as handover:
        program = handover.program
    del Handover, newborn
    runner.run(*program, archive)


def _archive() -> str:
    """Where `sandlot` was imported from: this file's path without its last three parts."""
    return __file__.rsplit("/", 3)[0]


if __name__ == "__main__":
    main()
