"""NoxRunner's archives: gzipped tar out, tar or gzipped tar in."""

from __future__ import annotations

import io
import os
import stat
import tarfile
from pathlib import Path
from typing import Dict, Iterator, Optional, Union

from sandlot.wire.archive_rules import ArchiveError

from .unpacking import unpack


class TarHandler:
    """Packs files for uploads and unpacks downloads."""

    def create_tar(self, files: Dict[str, Union[str, bytes]]) -> bytes:
        """A gzipped archive of the files by name: mode 0644, owner 0, time 0, no entries for directories."""
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w:gz") as archive:
            for name, content in files.items():
                data = content.encode("utf-8") if isinstance(content, str) else content
                entry = tarfile.TarInfo(name)
                entry.size = len(data)
                archive.addfile(entry, io.BytesIO(data))
        return packed.getvalue()

    def create_tar_from_directory(self, directory: Path, src: Path) -> bytes:
        """A gzipped archive of the files and links beneath `directory`, named relative to `src`.

        Of a single file its base name is kept; a missing directory is an empty archive. Raises ValueError
        when `directory` does not lie beneath `src`.
        """
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w:gz") as archive:
            if directory.is_file():
                archive.add(str(directory), arcname=directory.name, recursive=False)
            else:
                for path in _files_beneath(directory):
                    archive.add(str(path), arcname=str(path.relative_to(src)), recursive=False)
        return packed.getvalue()

    def extract_tar(
        self,
        tar_data: bytes,
        dest: Path,
        sandbox_path: Optional[Path] = None,
        allow_absolute: bool = False,
    ) -> int:
        """Write an archive's files and links beneath `dest`; how many there were.

        Left out: absolute names, names with `..` anywhere, links that lead outside, devices, and all of them
        if `dest` is not in `sandbox_path`. Raises tarfile.ReadError for what is no archive, or a damaged
        one, with nothing written.
        """
        del allow_absolute  # of the signature; it never let an absolute name pass
        if not tar_data or not _lies_within(dest, sandbox_path):
            return 0
        try:
            return unpack(tar_data, dest, wanted=_climbs_nowhere, directories=False).files
        except ArchiveError as error:
            raise tarfile.ReadError(str(error)) from error


def _climbs_nowhere(name: str) -> bool:
    return ".." not in name


def _lies_within(path: Path, sandbox: Optional[Path]) -> bool:
    if sandbox is None:
        return True
    inner, outer = path.resolve(), sandbox.resolve()
    return inner == outer or outer in inner.parents


def _files_beneath(directory: Path) -> Iterator[Path]:
    """Regular files and links to files in the order of their names; links to directories are left out."""
    for parent, folders, names in os.walk(directory):
        folders.sort()
        for name in sorted(names):
            path = Path(parent, name)
            kind = path.lstat().st_mode
            if stat.S_ISREG(kind) or stat.S_ISLNK(kind):
                yield path
