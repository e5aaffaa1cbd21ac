"""Options stand anywhere before `--`, also behind the sandbox's name and behind a file's."""

from __future__ import annotations

from typing import List

import pytest

from sandlot.cli import arguments, arguments_sandboxes, parsing, program
from sandlot.cli.main import VERBS
from sandlot.contracts.errors import InvalidSpec

EXEC = arguments_sandboxes.execute


@pytest.mark.parametrize(
    "words",
    [
        ["box", "--env", "A=1", "-t", "--", "ls", "--json"],
        ["--env", "A=1", "-t", "box", "--", "ls", "--json"],
        ["-t", "box", "--env=A=1", "--", "ls", "--json"],
    ],
)
def test_options_of_exec_stand_anywhere_before_the_program(words: List[str]) -> None:
    options, argv = program.parsed(EXEC(), words)
    assert (options.id, options.env, options.tty, options.json) == ("box", ["A=1"], True, False)
    assert argv == ("ls", "--json")


@pytest.mark.parametrize(
    "words",
    [["box", "a.py", "--timeout", "3"], ["box", "--timeout", "3", "a.py"], ["--timeout=3", "box", "a.py"]],
)
def test_options_stand_between_name_and_file(words: List[str]) -> None:
    options, argv = program.parsed(EXEC(), words)
    assert (options.id, options.file, options.timeout, argv) == ("box", "a.py", "3", ())


def test_paths_and_options_may_mix() -> None:
    words = ["box", "a", "--to", "/workspace/x", "b"]
    options = arguments_sandboxes.upload().parse_intermixed_args(words)
    assert (options.id, options.paths, options.to) == ("box", ["a", "b"], "/workspace/x")


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["box"],
        ["box", "-c", "1", "--", "ls"],
        ["box", "ls", "-la"],
        ["box", "--no-such-flag", "--", "ls"],
        ["box", "--time", "3", "--", "ls"],
        ["box", "--local", "--url", "http://127.0.0.1:1", "--", "ls"],
    ],
)
def test_what_cannot_be_read_is_a_usage_error(words: List[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        program.parsed(EXEC(), words)
    assert ended.value.code == 2
    assert capsys.readouterr().err.startswith("usage: sandlot exec [options] ID")


def test_a_variable_without_a_value_is_refused() -> None:
    assert parsing.variables(["A=b=c", "B="]) == {"A": "b=c", "B": ""}
    with pytest.raises(InvalidSpec, match="'A' has no value"):
        parsing.variables(["A"])


def test_every_verb_has_a_parser_and_every_parser_a_verb() -> None:
    assert set(arguments.PARSERS) == set(VERBS)
