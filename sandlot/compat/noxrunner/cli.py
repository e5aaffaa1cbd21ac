"""The command line of NoxRunner, for both of its names: `noxrunner` and `noxrc`."""

from __future__ import annotations

import argparse
import os
import sys
import traceback
from typing import TYPE_CHECKING, Callable, List, Optional

from sandlot.settings import DEFAULT_URL

from . import verbs
from .shell import shell
from .terminal import failure, plain

_NAMES = ("noxrunner", "noxrc")
_VARIABLE = "NOXRUNNER_BASE_URL"
_INTERRUPTED = 130
if TYPE_CHECKING:
    _Commands = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001 - it has no public name
_Verb = Callable[[argparse.Namespace], int]


def main(argv: Optional[List[str]] = None) -> int:
    """Run one verb.

    Returns its exit code; 1 without a verb and after an error, 130 after Ctrl-C. Raises SystemExit (2) for
    arguments that make no sense.
    """
    parser = _parser()
    arguments = parser.parse_args(argv)
    if arguments.command is None:
        parser.print_help()
        return 1
    verb: _Verb = arguments.verb
    try:
        return verb(arguments)
    except KeyboardInterrupt:
        plain()
        failure("Interrupted")
        return _INTERRUPTED
    except Exception as error:  # noqa: BLE001 - the edge of the process: one line instead of a traceback
        if arguments.verbose:
            traceback.print_exc()
        failure(f"Unexpected error: {error}")
        return 1


def _parser() -> argparse.ArgumentParser:
    name = os.path.basename(sys.argv[0])
    parser = argparse.ArgumentParser(
        prog=name if name in _NAMES else _NAMES[-1],
        description="Sandboxes of a NoxRunner service from the command line.",
        epilog=f"{_VARIABLE} in the environment names the service; without it, {DEFAULT_URL}.",
    )
    parser.add_argument(
        "--base-url", default=os.environ.get(_VARIABLE, DEFAULT_URL), help="where the service listens"
    )
    parser.add_argument(
        "--local-test",
        action="store_true",
        help="no service: run everything on this machine, in directories of /tmp, without isolation",
    )
    parser.add_argument("--timeout", type=int, default=30, help="seconds a request may take (30)")
    parser.add_argument("--verbose", action="store_true", help="show where an unexpected error came from")
    commands = parser.add_subparsers(dest="command", help="what to do")
    _add_health(commands)
    _add_create(commands)
    _add_exec(commands)
    _add_upload(commands)
    _add_download(commands)
    _command(commands, "touch", "start the time to live again", verbs.touch)
    _command(commands, "delete", "remove a sandbox and its files", verbs.delete)
    _add_shell(commands)
    return parser


def _command(commands: _Commands, name: str, what: str, verb: _Verb) -> argparse.ArgumentParser:
    command = commands.add_parser(name, help=what, description=f"{what[0].upper()}{what[1:]}.")
    command.add_argument("session_id", help="the sandbox's id")
    command.set_defaults(verb=verb)
    return command


def _add_health(commands: _Commands) -> None:
    commands.add_parser("health", help="ask whether the service is up").set_defaults(verb=verbs.health)


def _add_create(commands: _Commands) -> None:
    create = _command(commands, "create", "create a sandbox, or make sure it exists", verbs.create)
    create.add_argument("--ttl", type=int, default=900, help="seconds it lives without a touch (900)")
    create.add_argument("--image", help="image to start it from")
    create.add_argument("--cpu", help="cores it may use: 1 or 500m")
    create.add_argument("--mem", help="memory it may use: 512Mi or 1Gi")
    create.add_argument("--storage", help="disk it may use: 1Gi")
    create.add_argument("--wait", action="store_true", help="wait until commands run in it")
    create.add_argument("--wait-timeout", type=int, default=30, help="seconds to wait at most (30)")


def _add_exec(commands: _Commands) -> None:
    execute = _command(
        commands, "exec", "run a command; options stand before the sandbox's id", verbs.execute
    )
    _add_running(execute)
    execute.add_argument("--env", action="append", help="variable for the command: NAME=VALUE, repeatable")
    execute.add_argument("--ignore-exit-code", action="store_true", help="exit with 0 whatever it returned")
    execute.add_argument("cmd", nargs=argparse.REMAINDER, help="the command and its arguments")


def _add_running(command: argparse.ArgumentParser) -> None:
    command.add_argument("--workdir", default="/workspace", help="directory to run in (/workspace)")
    command.add_argument("--timeout-seconds", type=int, default=30, help="seconds it may run (30)")


def _add_upload(commands: _Commands) -> None:
    upload = _command(commands, "upload", "send files into a sandbox", verbs.upload)
    upload.add_argument("files", nargs="*", help="files to send, by their base names")
    upload.add_argument("--dir", help="send everything beneath this directory instead")
    upload.add_argument("--dest", default="/workspace", help="directory they go to (/workspace)")


def _add_download(commands: _Commands) -> None:
    download = _command(commands, "download", "fetch files out of a sandbox", verbs.download)
    download.add_argument("--src", default="/workspace", help="directory to fetch (/workspace)")
    download.add_argument("--output", help="keep the archive in this file instead of unpacking it")
    download.add_argument("--extract", help="directory to unpack to (.)")


def _add_shell(commands: _Commands) -> None:
    _add_running(_command(commands, "shell", "type commands at a prompt", shell))


if __name__ == "__main__":
    sys.exit(main())
