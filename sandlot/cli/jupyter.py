"""`sandlot jupyter`: kernels for notebooks, installed, listed, removed, and run."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from sandlot.contracts.errors import EngineUnavailable

from . import arguments_jupyter, render

if TYPE_CHECKING:
    from sandlot.compat.jupyter.wishes import Wishes


def main(words: Sequence[str]) -> int:
    """Do what *words* ask for; 0, or the exit code of the kernel."""
    options = arguments_jupyter.jupyter().parse_args(words)
    try:
        from sandlot.compat.jupyter import kernelspec  # noqa: F401 - what the verbs need is there
    except ImportError as missing:
        raise EngineUnavailable(
            f"kernels for Jupyter need more than the base install ({missing.name} is missing): "
            "pip install 'sandlot[jupyter]'"
        ) from missing
    verbs = {"install": _install, "list": _list, "uninstall": _uninstall, "kernel": _kernel}
    return verbs[options.verb](options)


def _install(options: argparse.Namespace) -> int:
    from sandlot.compat.jupyter import kernelspec

    prefix = sys.prefix if options.sys_prefix else options.prefix
    shown = options.display_name or "Python in sandlot"
    written = kernelspec.install(_wishes(options), options.name, shown, prefix)
    if options.json:
        render.document(written.to_json())
    else:
        render.say(f"the kernel {written.name} is installed in {written.directory}")
    return 0


def _list(options: argparse.Namespace) -> int:
    from sandlot.compat.jupyter import kernelspec

    found = kernelspec.installed()
    if options.json:
        render.document([each.to_json() for each in found])
        return 0
    rows = [(each.name, each.display_name, each.directory) for each in found]
    render.table([("NAME", "SHOWN AS", "DIRECTORY"), *rows])
    return 0


def _uninstall(options: argparse.Namespace) -> int:
    from sandlot.compat.jupyter import kernelspec

    gone = kernelspec.uninstall(options.name)
    if options.json:
        render.document(gone.to_json())
    else:
        render.say(f"the kernel {gone.name} is removed")
    return 0


def _kernel(options: argparse.Namespace) -> int:
    from sandlot.compat.jupyter import process

    return process.run(Path(options.file), _wishes(options))


def _wishes(options: argparse.Namespace) -> Wishes:
    """What the flags say; one that cannot be is told now, not when a notebook is opened."""
    from sandlot.compat.jupyter.wishes import wishes_from

    wishes = wishes_from({name: getattr(options, name) for name in arguments_jupyter.WISHES})
    wishes.plan({}, Path.cwd())
    wishes.longest()
    return wishes
