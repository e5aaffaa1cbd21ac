"""The word lists of local mode, kept word for word because programs read them."""

from __future__ import annotations

from typing import ClassVar, List, Set

_ALLOWED = """
    [ awk bash cat cmp cp cut diff echo env false file find grep gunzip gzip head ln ls mkdir mv node printenv
    pwd python python2 python3 readlink sed sh sort stat tail tar test touch tr true type uniq unzip wc which
    xargs zip zsh
"""
_BLOCKED = """
    chgrp chmod chown dd del fdisk format halt init killall mkfs mount poweroff reboot rm rmdir shutdown su
    sudo umount unlink
"""


class CommandValidator:
    """Refuses commands by their first word, as a guard against slips; `sh -c "rm x"` passes."""

    ALLOWED_COMMANDS: ClassVar[Set[str]] = set(_ALLOWED.split())
    BLOCKED_COMMANDS: ClassVar[Set[str]] = set(_BLOCKED.split())

    def validate(self, cmd: List[str]) -> bool:
        """False for no command and for a blocked one; everything else passes, listed or not."""
        return bool(cmd) and not self.is_blocked(cmd[0])

    def is_allowed(self, command: str) -> bool:
        """Whether the word is on the list of allowed ones, in any case."""
        return command.lower() in self.ALLOWED_COMMANDS

    def is_blocked(self, command: str) -> bool:
        """Whether the word is on the list of blocked ones, in any case."""
        return command.lower() in self.BLOCKED_COMMANDS
