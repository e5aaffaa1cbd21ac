"""What the verbs of a server's operator understand: `serve` and `key`."""

from __future__ import annotations

import argparse
from typing import Callable, Dict

from .parsing import add_config, parser_of

SERVE_SETTINGS = (
    "host",
    "port",
    "unix",
    "auth",
    "allow_hosts",
    "allow_origins",
    "grace",
    "workspaces",
    "pool_depth",
    "images",
    "allow_process",
    "allow_network",
    "engine",
    "isolation",
    "environment",
)
"""The settings that `serve` has a flag for."""


def serve() -> argparse.ArgumentParser:
    """`sandlot serve`."""
    parser = parser_of(
        "serve",
        "Give sandboxes to others over HTTP. Without API keys only you and root on this machine are let in; "
        "the first `sandlot key create` makes keys necessary.",
    )
    add_config(parser)
    parser.add_argument("--host", metavar="ADDRESS", help="where to listen (default: 127.0.0.1)")
    parser.add_argument("--port", metavar="PORT", help="the port; 0 takes a free one (default: 8080)")
    parser.add_argument("--unix", metavar="PATH", help="listen at a Unix socket instead")
    parser.add_argument("--fd", type=int, metavar="N", help="listen at a socket that was opened for us")
    parser.add_argument("--auth", choices=("auto", "keys", "local"), help="who is let in (default: auto)")
    parser.add_argument(
        "--allow-host",
        dest="allow_hosts",
        action="append",
        metavar="NAME",
        help="a name clients call this server by, with or without a port (repeatable)",
    )
    parser.add_argument(
        "--allow-origin",
        dest="allow_origins",
        action="append",
        metavar="ORIGIN",
        help="a web origin whose pages may call this server (repeatable)",
    )
    parser.add_argument("--grace", metavar="TIME", help="what runs may go on for so long at the end (20s)")
    parser.add_argument("--workspaces", choices=("auto", "disk", "memory"), help="what workspaces lie on")
    parser.add_argument(
        "--pool",
        dest="pool_depth",
        metavar="N",
        help="boxes kept ready per environment, where the engine can make them ahead (default: 8; 0: none)",
    )
    parser.add_argument(
        "--image",
        dest="images",
        action="append",
        metavar="IMAGE=ENVIRONMENT",
        help="the environment that a container image's name means (repeatable)",
    )
    parser.add_argument(
        "--allow-process",
        action="store_true",
        default=None,
        help="give the engine process too: its programs share the server's user",
    )
    parser.add_argument(
        "--allow-network",
        action="store_true",
        default=None,
        help="let callers ask for this host's network, and so reach all that listens on it",
    )
    parser.add_argument("--engine", metavar="NAME", help="prefer this engine; its isolation is the floor")
    parser.add_argument("--isolation", metavar="LEVEL", help="at least process, namespace, userkernel or vm")
    parser.add_argument("--environment", metavar="NAME", help="the Python to use (sandlot env list)")
    return parser


def key() -> argparse.ArgumentParser:
    """`sandlot key`."""
    parser = parser_of("key", "The API keys of the server of this data directory.")
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="create|list|revoke")
    create = verbs.add_parser("create", help="make one; it is printed once and kept as a hash only")
    create.add_argument("name", metavar="NAME", help="what it is for")
    create.add_argument("--owner", metavar="OWNER", help="whose sandboxes it opens (default: NAME)")
    create.add_argument(
        "--scope",
        dest="scopes",
        action="extend",
        nargs="+",
        metavar="SCOPE",
        help="read, write, metrics or admin (default: read write)",
    )
    create.add_argument("--expires", metavar="TIME", help="how long it is good for, such as 30d")
    create.add_argument("--json", action="store_true", help="print the key and what is kept as one document")
    listed = verbs.add_parser("list", help="what there is, without the keys themselves")
    listed.add_argument("--json", action="store_true", help="print one JSON document")
    revoke = verbs.add_parser("revoke", help="let one open nothing any more, from now on")
    revoke.add_argument("id", metavar="ID", help="the 12 digits after sl_")
    revoke.add_argument("--json", action="store_true", help="print what is kept as one document")
    return parser


PARSERS: Dict[str, Callable[[], argparse.ArgumentParser]] = {"serve": serve, "key": key}
