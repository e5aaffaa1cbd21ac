"""`sandlot completion`: scripts for bash, zsh and fish, made from the parsers."""

from __future__ import annotations

import argparse
from typing import Dict, Iterator, List, Sequence, Tuple

from . import arguments
from .main import VERBS

# zsh runs bash's function through its own emulation (zshcompsys(1), bashcompinit).
_BASH = """_sandlot() {{
    local words="" verb="${{COMP_WORDS[1]}}"
    COMPREPLY=()
    if [ "$COMP_CWORD" -eq 1 ]; then
        words="{verbs}"
    else
        case "$verb" in
{cases}
        esac
    fi
    COMPREPLY=($(compgen -W "$words" -- "${{COMP_WORDS[COMP_CWORD]}}"))
}}
complete -o default -F _sandlot sandlot
"""
_ZSH = "autoload -U +X compinit && compinit\nautoload -U +X bashcompinit && bashcompinit\n"


def main(words: Sequence[str]) -> int:
    """Print the script for the shell asked for; 0."""
    shell = arguments.completion().parse_args(words).shell
    script = {"bash": _bash, "zsh": lambda: _ZSH + _bash(), "fish": _fish}[shell]()
    print(script, end="")
    return 0


def _bash() -> str:
    cases = [f'            {verb}) words="{" ".join(found)}" ;;' for verb, found in _words().items()]
    return _BASH.format(verbs=" ".join(VERBS), cases="\n".join(cases))


def _fish() -> str:
    return "".join(line + "\n" for line in _fish_lines())


def _fish_lines() -> Iterator[str]:
    for verb, entry in VERBS.items():
        does = entry.does.replace("'", "\\'")
        yield f"complete -c sandlot -n __fish_use_subcommand -f -a {verb} -d '{does}'"
    for verb, found in _words().items():
        for word in found:
            yield f"complete -c sandlot -n '__fish_seen_subcommand_from {verb}' {_fish_word(word)}"


def _fish_word(word: str) -> str:
    if word.startswith("--"):
        return "-l " + word[2:]
    return "-s " + word[1:] if word.startswith("-") else "-a " + word


def _words() -> Dict[str, List[str]]:
    """What may follow each verb: its flags, and the words it has instead of a first argument."""
    found: Dict[str, List[str]] = {}
    for verb, parser in arguments.PARSERS.items():
        words, flags = _of(parser())
        found[verb] = [*words, *flags]
    return found


def _of(parser: argparse.ArgumentParser) -> Tuple[List[str], List[str]]:
    words: List[str] = []
    flags: List[str] = []
    for action in parser._actions:  # noqa: SLF001 - argparse has no public way to list what it understands
        flags += action.option_strings
        words += [str(choice) for choice in action.choices or ()]
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001 - as above
            for inner in action.choices.values():
                flags += _of(inner)[1]
    return words, sorted(set(flags))
