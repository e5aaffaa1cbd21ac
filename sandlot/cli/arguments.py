"""What each verb understands: argument parsers, apart from the verbs so that completion can read them."""

from __future__ import annotations

import argparse
from typing import Callable, Dict

from sandlot import settings

from . import arguments_bench, arguments_jupyter, arguments_sandboxes, arguments_server
from .parsing import add_config, add_handler, parser_of

SETTINGS = (
    "engine",
    "isolation",
    "environment",
    "network",
    "timeout",
    "memory",
    "cpu",
    "pids",
    "disk",
    "output",
)
"""The settings that `run` has a flag for."""


def run() -> argparse.ArgumentParser:
    """`sandlot run`; what follows `--` is split off before."""
    parser = parser_of(
        "run",
        "Run a program in a sandbox of its own. Python from FILE, -c CODE or - (standard input); anything "
        "else after --.",
        usage="sandlot run [options] [FILE | -c CODE | - | -- PROGRAM ARG...]",
    )
    parser.add_argument(
        "file", nargs="?", metavar="FILE", help="a Python file; - reads it from standard input"
    )
    parser.add_argument("-c", dest="code", metavar="CODE", help="Python code")
    add_handler(parser)
    parser.add_argument(
        "--context",
        action="store_true",
        help="run the code as a cell: the value of its last expression is printed, pictures are saved",
    )
    parser.add_argument(
        "--language", default="python", metavar="NAME", help="of the cell, with --context (default: python)"
    )
    parser.add_argument("--engine", metavar="NAME", help="prefer this engine; its isolation is the floor")
    parser.add_argument("--isolation", metavar="LEVEL", help="at least process, namespace, userkernel or vm")
    parser.add_argument("--environment", metavar="NAME", help="the Python to use (sandlot env list)")
    parser.add_argument(
        "--net", "--network", dest="network", metavar="none|full", help="network (default: none)"
    )
    parser.add_argument("--timeout", metavar="TIME", help="wall time, such as 30s or 5m (default: 30s)")
    parser.add_argument("--memory", metavar="SIZE", help="memory of everything together, such as 512Mi")
    parser.add_argument("--cpu", metavar="CORES", help="processor time per wall time, such as 0.5")
    parser.add_argument("--pids", metavar="COUNT", help="processes and threads at once")
    parser.add_argument("--disk", metavar="SIZE", help="size of the workspace")
    parser.add_argument("--output", metavar="SIZE", help="bytes kept of each output stream (default: 1Mi)")
    parser.add_argument(
        "--env", action="append", default=[], metavar="NAME=VALUE", help="a variable (repeatable)"
    )
    parser.add_argument(
        "--in",
        dest="inputs",
        action="append",
        default=[],
        metavar="PATH[:TARGET]",
        help="copy a file or directory into the workspace under its name, or as TARGET (repeatable)",
    )
    parser.add_argument("--out", metavar="DIR", help="copy the workspace's out/ to DIR afterwards")
    parser.add_argument("--json", action="store_true", help="print the result as one JSON document")
    parser.add_argument(
        "-v", "--verbose", action="store_true", help="say afterwards what held the program in"
    )
    return parser


def doctor() -> argparse.ArgumentParser:
    """`sandlot doctor`."""
    parser = parser_of("doctor", "Prove what each engine can enforce on this machine; say what is missing.")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    return parser


def env() -> argparse.ArgumentParser:
    """`sandlot env`."""
    parser = parser_of("env", "The Pythons that sandboxes see, read-only.")
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="create|list|remove")
    create = verbs.add_parser("create", help="build one in a sandbox, from wheels only")
    create.add_argument("name", metavar="NAME")
    create.add_argument("packages", nargs="*", metavar="PKG", help="packages, as pip names them")
    create.add_argument("--python", metavar="PATH", help="the interpreter (default: /usr/bin/python3)")
    create.add_argument("-r", "--requirement", metavar="FILE", help="a requirement file")
    create.add_argument(
        "--preload",
        action="extend",
        nargs="+",
        default=[],
        metavar="MODULE",
        help="modules to have ready; they are imported once to see that they can be",
    )
    create.add_argument("--allow-source", action="store_true", help="also build packages from source (boxed)")
    create.add_argument("--json", action="store_true", help="print what was made as one JSON document")
    listed = verbs.add_parser("list", help="what there is")
    listed.add_argument("--json", action="store_true", help="print one JSON document")
    remove = verbs.add_parser("remove", help="delete one")
    remove.add_argument("name", metavar="NAME")
    return parser


def config() -> argparse.ArgumentParser:
    """`sandlot config`."""
    parser = parser_of(
        "config",
        "Every setting with its value and origin. Precedence: flag, SANDLOT_* variable, a predecessor's "
        f"(SANDBOX_*, NOXRUNNER_BASE_URL), {settings.PROJECT_FILE} here, the user's file, default.",
    )
    add_config(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    return parser


def completion() -> argparse.ArgumentParser:
    """`sandlot completion`."""
    parser = parser_of("completion", "Print completion to be sourced by your shell.")
    parser.add_argument("shell", choices=("bash", "zsh", "fish"))
    return parser


PARSERS: Dict[str, Callable[[], argparse.ArgumentParser]] = {
    "run": run,
    "doctor": doctor,
    "env": env,
    "config": config,
    "completion": completion,
    **arguments_sandboxes.PARSERS,
    **arguments_server.PARSERS,
    **arguments_bench.PARSERS,
    **arguments_jupyter.PARSERS,
}
