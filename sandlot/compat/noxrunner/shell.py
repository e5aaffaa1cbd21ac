"""`noxrc shell`: a prompt whose lines are commands of the sandbox, split into words but read by no shell."""

from __future__ import annotations

import argparse
import shlex

from .client import NoxRunnerClient
from .exceptions import NoxRunnerError
from .terminal import failure, information, plain, success, warning
from .verbs import client_for, told

_HELP = """\
exit, quit    leave; the sandbox stays
touch         start its time to live again
help          this list
Everything else runs in the sandbox, without a shell: for pipes and variables write sh -c '...'."""


def shell(arguments: argparse.Namespace) -> int:
    """Read and run lines until `exit`, `quit`, the end of input or Ctrl-C at the prompt; always 0."""
    client = client_for(arguments)
    session_id = arguments.session_id
    information(f"Sandbox {session_id}: every line is a command; 'exit' leaves, 'help' tells more")
    plain()
    while True:
        try:
            line = input(f"noxrunner:{session_id}$ ").strip()
        except (EOFError, KeyboardInterrupt):
            plain()
            return 0
        if line in ("exit", "quit"):
            return 0
        try:
            _obey(client, line, arguments)
        except KeyboardInterrupt:
            plain()


def _obey(client: NoxRunnerClient, line: str, arguments: argparse.Namespace) -> None:
    if line == "help":
        plain(_HELP)
    elif line == "touch":
        if client.touch(arguments.session_id):
            success("TTL extended")
        else:
            failure("Failed to extend TTL")
    elif line:
        _run(client, line, arguments)


def _run(client: NoxRunnerClient, line: str, arguments: argparse.Namespace) -> None:
    try:
        command = shlex.split(line)
    except ValueError as error:
        failure(f"The line cannot be split into words: {error}")
        return
    try:
        answer = client.exec(
            arguments.session_id,
            command,
            workdir=arguments.workdir,
            timeout_seconds=arguments.timeout_seconds,
        )
    except NoxRunnerError as error:
        failure(f"Execution failed: {error}")
        return
    exit_code = told(answer)
    if exit_code:
        warning(f"Command exited with code {exit_code}")
