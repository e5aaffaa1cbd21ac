"""What the verbs on lasting sandboxes understand: those that speak to a server, or with --local to none."""

from __future__ import annotations

import argparse
from typing import Callable, Dict

from sandlot.settings import DEFAULT_URL

from .parsing import add_handler, parser_of

CREATE_SETTINGS = ("engine", "isolation", "environment", "network", "memory", "cpu", "pids", "disk")
"""The settings that `create` has a flag for."""


def create() -> argparse.ArgumentParser:
    """`sandlot create`."""
    parser = _of_one("create", "Make a sandbox that lasts, or renew the lease of the one that exists.")
    parser.add_argument(
        "--ttl", metavar="TIME", help="how long it lasts after its last touch, such as 15m (default)"
    )
    python = parser.add_mutually_exclusive_group()
    python.add_argument("--environment", metavar="NAME", help="the Python that it sees")
    python.add_argument(
        "--image",
        metavar="NAME",
        help="the container image, such as python:3.11, that the setting images takes for an environment",
    )
    parser.add_argument("--engine", metavar="NAME", help="prefer this engine; its isolation is the floor")
    parser.add_argument("--isolation", metavar="LEVEL", help="at least process, namespace, userkernel or vm")
    parser.add_argument(
        "--net", "--network", dest="network", metavar="none|full", help="network (default: none)"
    )
    parser.add_argument("--memory", metavar="SIZE", help="memory of everything together, such as 512Mi")
    parser.add_argument("--cpu", metavar="CORES", help="processor time per wall time, such as 0.5")
    parser.add_argument("--pids", metavar="COUNT", help="processes and threads at once")
    parser.add_argument("--disk", metavar="SIZE", help="size of the workspace")
    _add_variables(parser)
    _add_json(parser, "print the sandbox's status as one JSON document")
    _add_local(parser)
    return parser


def execute() -> argparse.ArgumentParser:
    """`sandlot exec`; what follows `--` is split off before."""
    parser = parser_of(
        "exec",
        "Run a program in a sandbox: Python from FILE, -c CODE or - (standard input), anything else after "
        "--. Its output comes as it is written, its exit code becomes ours.",
        usage="sandlot exec [options] ID [FILE | -c CODE | - | -- PROGRAM ARG...]",
    )
    _add_id(parser)
    parser.add_argument(
        "file", nargs="?", metavar="FILE", help="a Python file of this machine; - is standard input"
    )
    parser.add_argument("-c", dest="code", metavar="CODE", help="Python code")
    add_handler(parser)
    _add_variables(parser)
    _add_workdir(parser)
    parser.add_argument(
        "--timeout", metavar="TIME", help="wall time, such as 30s or 5m (default: 30s; none with -t or -d)"
    )
    parser.add_argument("--output", metavar="SIZE", help="bytes kept of each output stream (default: 1Mi)")
    parser.add_argument(
        "-i",
        "--interactive",
        action="store_true",
        help="pass standard input on also when it is a terminal",
    )
    parser.add_argument(
        "-t", "--tty", action="store_true", help="give the program a terminal (to work at one: sandlot shell)"
    )
    parser.add_argument(
        "-d", "--detach", action="store_true", help="start it in the background and print its name"
    )
    _add_json(parser, "print the result as one JSON document, when there is one")
    _add_local(parser)
    return parser


def shell() -> argparse.ArgumentParser:
    """`sandlot shell`; what follows `--` is split off before."""
    parser = parser_of(
        "shell",
        "Work in a sandbox at a terminal. Ctrl-] three times within a second leaves when nothing else does.",
        usage="sandlot shell [options] ID [PROGRAM | -- PROGRAM ARG...]",
    )
    _add_id(parser)
    parser.add_argument("program", nargs="?", metavar="PROGRAM", help="default: bash, or sh without it")
    _add_workdir(parser)
    _add_local(parser)
    return parser


def repl() -> argparse.ArgumentParser:
    """`sandlot repl`."""
    parser = parser_of(
        "repl",
        "Work with an interpreter that keeps its state from cell to cell, in a sandbox of its own or one "
        "that exists. Ctrl-C interrupts a cell, Ctrl-D ends. Where standard input is no terminal, cells are "
        "read from it, parted by lines that begin with # %%, up to the first that fails.",
    )
    parser.add_argument(
        "--sandbox", metavar="ID", help="the sandbox to work in, which stays (default: a new one that ends)"
    )
    parser.add_argument(
        "--context",
        metavar="ID",
        help="a context of that sandbox, which stays; `default` is the one of run_code (default: a new one)",
    )
    parser.add_argument("--language", default="python", metavar="NAME", help="default: python")
    parser.add_argument("--environment", metavar="NAME", help="the Python of a sandbox of its own")
    parser.add_argument("--timeout", metavar="TIME", help="of each cell, such as 30s (default: none)")
    _add_variables(parser)
    _add_workdir(parser)
    parser.add_argument(
        "--images", metavar="DIR", help="where pictures are saved (default: a new temporary directory)"
    )
    _add_json(parser, "read cells from standard input and print the result of each as one line of JSON")
    _add_local(parser)
    return parser


def upload() -> argparse.ArgumentParser:
    """`sandlot upload`."""
    parser = _of_one("upload", "Copy files and directories into a sandbox, under their own names.")
    parser.add_argument("paths", nargs="+", metavar="PATH", help="a file or directory of this machine")
    parser.add_argument(
        "--to", default="/workspace", metavar="DIR", help="the sandbox's directory (default: /workspace)"
    )
    _add_local(parser)
    return parser


def download() -> argparse.ArgumentParser:
    """`sandlot download`."""
    parser = _of_one("download", "Copy a directory's content, or a file, out of a sandbox.")
    parser.add_argument(
        "source", nargs="?", default="/workspace", metavar="SRC", help="what to copy (default: /workspace)"
    )
    parser.add_argument("--to", metavar="DIR", help="the directory it goes to (default: this one)")
    parser.add_argument(
        "-o", dest="archive", metavar="FILE", help="write a .tar.gz instead; - is standard output"
    )
    _add_local(parser)
    return parser


def touch() -> argparse.ArgumentParser:
    """`sandlot touch`."""
    parser = _of_one("touch", "Renew the lease of a sandbox.")
    _add_json(parser, "print the sandbox's status as one JSON document")
    _add_local(parser)
    return parser


def delete() -> argparse.ArgumentParser:
    """`sandlot delete`."""
    parser = parser_of("delete", "End sandboxes and remove their workspaces.")
    parser.add_argument("ids", nargs="*", metavar="ID", help="the sandbox's name")
    parser.add_argument("--all", action="store_true", help="every sandbox of yours")
    _add_local(parser)
    return parser


def ls() -> argparse.ArgumentParser:
    """`sandlot ls`."""
    parser = parser_of("ls", "List sandboxes.")
    parser.add_argument(
        "ids",
        nargs="*",
        metavar="ID",
        help="only these, ended ones too (default: all that have not)",
    )
    parser.add_argument(
        "-a", "--all", action="store_true", help="also those that have ended, as long as they are remembered"
    )
    _add_json(parser, "print one JSON document")
    _add_local(parser)
    return parser


def ps() -> argparse.ArgumentParser:
    """`sandlot ps`."""
    parser = _of_one("ps", "List a sandbox's background processes and running commands.")
    _add_json(parser, "print one JSON document")
    _add_url(parser)
    return parser


def logs() -> argparse.ArgumentParser:
    """`sandlot logs`."""
    parser = _of_one("logs", "Print what a background process has written, as far as it is kept.")
    parser.add_argument("process", metavar="PROCESS", help="its name (sandlot ps)")
    parser.add_argument("-f", "--follow", action="store_true", help="go on with what it writes until it ends")
    _add_url(parser)
    return parser


def health() -> argparse.ArgumentParser:
    """`sandlot health`."""
    parser = parser_of("health", "Ask a server whether it can be used: exit code 0 when it can, else 1.")
    parser.add_argument("--wait", metavar="TIME", help="until it can, for TIME at most, such as 30s")
    _add_json(parser, "print one JSON document")
    _add_url(parser)
    return parser


def pool() -> argparse.ArgumentParser:
    """`sandlot pool`."""
    parser = parser_of("pool", "List the boxes that a server keeps ready, by engine and environment.")
    _add_json(parser, "print one JSON document")
    _add_url(parser)
    return parser


def _of_one(verb: str, does: str) -> argparse.ArgumentParser:
    parser = parser_of(verb, does)
    _add_id(parser)
    return parser


def _add_id(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("id", metavar="ID", help="the sandbox's name")


def _add_json(parser: argparse.ArgumentParser, does: str) -> None:
    parser.add_argument("--json", action="store_true", help=does)


def _add_variables(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--env", action="append", default=[], metavar="NAME=VALUE", help="a variable (repeatable)"
    )


def _add_workdir(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--workdir", default="/workspace", metavar="DIR", help="where it starts (default: /workspace)"
    )


def _add_url(parser: argparse._ActionsContainer) -> None:
    parser.add_argument("--url", metavar="URL", help=f"the server (default: SANDLOT_URL, else {DEFAULT_URL})")
    parser.set_defaults(local=False)


def _add_local(parser: argparse.ArgumentParser) -> None:
    where = parser.add_mutually_exclusive_group()
    _add_url(where)
    where.add_argument(
        "--local",
        action="store_true",
        help="no server: sandboxes of this machine and user, whose workspaces last between commands; what "
        "runs in them ends with the command, and as an ordinary user their size is not bounded",
    )


PARSERS: Dict[str, Callable[[], argparse.ArgumentParser]] = {
    "create": create,
    "exec": execute,
    "shell": shell,
    "repl": repl,
    "upload": upload,
    "download": download,
    "touch": touch,
    "delete": delete,
    "ls": ls,
    "ps": ps,
    "logs": logs,
    "health": health,
    "pool": pool,
}
