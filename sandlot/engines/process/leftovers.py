"""Removing a tree that a hostile program wrote and nobody writes any more."""

from __future__ import annotations

import os
import secrets
import stat

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def remove_tree(path: str) -> None:
    """Delete the directory *path* and everything beneath; links are removed, never followed.

    A missing directory is no error. Any depth will do: directories are moved up to the top before they are
    emptied, so neither the stack nor a path grows. OSError when something cannot be removed.
    """
    try:
        top = os.open(path, _DIRECTORY)
    except FileNotFoundError:
        return
    token, lifted = secrets.token_hex(8), 0
    try:
        while directories := _remove_files(top):
            for name in directories:
                lifted = _lift(top, name, token, lifted)
    finally:
        os.close(top)
    os.rmdir(path)


def _remove_files(directory: int) -> list[str]:
    """Remove what is no directory; the names of those that are, which are opened up on the way."""
    os.fchmod(directory, stat.S_IRWXU)
    left: list[str] = []
    for name in os.listdir(directory):
        # Looked at first: chmod follows links, and must never be tried on one.
        if stat.S_ISDIR(os.stat(name, dir_fd=directory, follow_symlinks=False).st_mode):
            os.chmod(name, stat.S_IRWXU, dir_fd=directory)
            left.append(name)
        else:
            os.unlink(name, dir_fd=directory)
    return left


def _lift(top: int, name: str, token: str, lifted: int) -> int:
    """Remove the directory *name* of *top*, moving those in it up; how many were moved so far."""
    inner = os.open(name, _DIRECTORY, dir_fd=top)
    try:
        for found in _remove_files(inner):
            lifted += 1
            os.rename(found, f"{token}-{lifted}", src_dir_fd=inner, dst_dir_fd=top)
    finally:
        os.close(inner)
    os.rmdir(name, dir_fd=top)
    return lifted
