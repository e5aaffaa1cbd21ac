"""What `sandlot jupyter` understands."""

from __future__ import annotations

import argparse
from typing import Callable, Dict

from .parsing import parser_of

WISHES = (
    "url",
    "engine",
    "isolation",
    "environment",
    "image",
    "network",
    "memory",
    "cpu",
    "pids",
    "disk",
    "timeout",
    "workdir",
    "mounts",
)
"""What a kernelspec may say of its sandbox, each with a flag."""


def jupyter() -> argparse.ArgumentParser:
    """`sandlot jupyter`."""
    parser = parser_of("jupyter", "Kernels for the notebooks of this machine that run in sandboxes.")
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="install|list|uninstall|kernel")
    install = verbs.add_parser("install", help="write a kernelspec, so that notebooks offer the kernel")
    install.add_argument("--name", default="sandlot", metavar="NAME", help="the kernel's name (sandlot)")
    install.add_argument("--display-name", metavar="TEXT", help="what notebooks show (Python in sandlot)")
    where = install.add_mutually_exclusive_group()
    where.add_argument("--user", action="store_true", help="for this user's Jupyter (default)")
    where.add_argument(
        "--sys-prefix", action="store_true", help="for the Python that runs this, as of a venv"
    )
    where.add_argument("--prefix", metavar="DIR", help="below DIR/share/jupyter/kernels")
    _add_wishes(install)
    install.add_argument("--json", action="store_true", help="print what was written as one JSON document")
    listed = verbs.add_parser("list", help="the kernels that were installed")
    listed.add_argument("--json", action="store_true", help="print one JSON document")
    uninstall = verbs.add_parser("uninstall", help="remove a kernelspec")
    uninstall.add_argument("name", metavar="NAME")
    uninstall.add_argument("--json", action="store_true", help="print what was removed as one JSON document")
    kernel = verbs.add_parser(
        "kernel", help="be a kernel: what a kernelspec starts where no provisioner is known"
    )
    kernel.add_argument("-f", dest="file", required=True, metavar="FILE", help="the connection file")
    _add_wishes(kernel)
    return parser


def _add_wishes(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--url", metavar="URL", help="sandboxes of this server (default: of this machine)")
    parser.add_argument("--engine", metavar="NAME", help="prefer this engine; its isolation is the floor")
    parser.add_argument("--isolation", metavar="LEVEL", help="at least process, namespace, userkernel or vm")
    parser.add_argument("--environment", metavar="NAME", help="the Python to use (sandlot env list)")
    parser.add_argument("--image", metavar="NAME", help="with --url: an image that the server knows")
    parser.add_argument(
        "--net", "--network", dest="network", metavar="none|full", help="network (default: none)"
    )
    parser.add_argument("--memory", metavar="SIZE", help="memory of everything together, such as 512Mi")
    parser.add_argument("--cpu", metavar="CORES", help="processor time per wall time, such as 0.5")
    parser.add_argument("--pids", metavar="COUNT", help="processes and threads at once")
    parser.add_argument("--disk", metavar="SIZE", help="size of the workspace")
    parser.add_argument("--timeout", metavar="TIME", help="how long one cell may run (default: no bound)")
    parser.add_argument("--workdir", metavar="DIR", help="where it starts (default: /workspace)")
    parser.add_argument(
        "--mount",
        dest="mounts",
        action="append",
        metavar="SOURCE:TARGET[:rw]",
        help="show a directory of this machine in the sandbox; . is the notebook's (repeatable)",
    )


PARSERS: Dict[str, Callable[[], argparse.ArgumentParser]] = {"jupyter": jupyter}
