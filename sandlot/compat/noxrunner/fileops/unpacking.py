"""Unpacking into a directory: the whole archive is judged first, so a refused one leaves nothing behind."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Iterator, Set, Tuple

from sandlot.wire.archive_rules import ArchiveError, shown

from .entries import Entry, entries
from .placing import Place, opened

# What tarfile's filter "data" leaves of a mode: nobody else may write, the owner may always.
_KEPT_MODE, _OWNER_WRITES = 0o755, 0o600


@dataclass(frozen=True)
class Unpacked:
    """How many files and links were written, and the names of entries left out because they are unsafe."""

    files: int
    skipped: Tuple[str, ...]


def unpack(tar_data: bytes, directory: Path, *, wanted: Callable[[str], bool], directories: bool) -> Unpacked:
    """Write the entries whose names are `wanted`, and empty directories if asked, beneath `directory`.

    Later entries replace earlier ones and existing files. Raises ArchiveError before anything was written,
    OSError for what the file system refuses.
    """
    skipped = _judge(tar_data, wanted)
    written: Set[str] = set()
    files = 0
    with opened(directory) as place:
        for entry, name in _chosen(tar_data, wanted):
            if entry.kind == "directory":
                if directories:
                    place.directory(name, entry.mode & _KEPT_MODE | 0o700)
                continue
            if entry.kind == "hard link" and entry.link not in written:
                continue
            _write(place, entry, name)
            written.add(name)
            files += 1
    return Unpacked(files, skipped)


def _judge(tar_data: bytes, wanted: Callable[[str], bool]) -> Tuple[str, ...]:
    directories: Set[str] = set()
    others: Set[str] = set()
    skipped = []
    for entry in entries(tar_data):
        name = entry.name
        if name is None or not wanted(entry.written):
            skipped.append(entry.written)
            continue
        parts = name.split("/")
        directories.update("/".join(parts[:depth]) for depth in range(1, len(parts)))
        (directories if entry.kind == "directory" else others).add(name)
    both = sorted(directories & others)
    if both:
        raise ArchiveError("conflict", f"{shown(both[0])} is a directory and something else in one archive")
    return tuple(skipped)


def _chosen(tar_data: bytes, wanted: Callable[[str], bool]) -> Iterator[Tuple[Entry, str]]:
    for entry in entries(tar_data):
        if entry.name and wanted(entry.written):
            yield entry, entry.name


def _write(place: Place, entry: Entry, name: str) -> None:
    mode = entry.mode & _KEPT_MODE | _OWNER_WRITES
    if entry.kind == "symlink":
        place.link(name, entry.link)
    elif entry.kind == "hard link":
        place.write(name, place.read(entry.link), mode=mode, mtime=entry.mtime)
    else:
        place.write(name, entry.chunks, mode=mode, mtime=entry.mtime)
