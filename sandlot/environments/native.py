"""The first process of boxes in C (guest.init): compiled once where a compiler is, and kept.

`python -m sandlot.environments.native` compiles it into the installation, for where no compiler will be.
"""

from __future__ import annotations

import ctypes
import functools
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sandlot import settings
from sandlot.contracts.errors import StartFailed

from .storage import cached, keep, shared_folder, write_whole

AUTO, NONE = "auto", "none"
"""The setting `compiler` by which one is looked for, and by which boxes do without."""

_SOURCES = Path(__file__).parent.parent / "guest" / "native"
_COMPILERS = ("cc", "gcc", "clang")
_FLAGS = ("-std=c11", "-O2", "-fPIC", "-fvisibility=hidden", "-shared", "-Wl,-z,now")
_KIND = "init-*.so"
_DEADLINE = 60.0  # seconds, on a machine under load


@dataclass(frozen=True, slots=True)
class Library:
    """The compiled file, or why there is none."""

    path: Path | None
    why: str


def library(data: Path | None = None) -> Library:
    """The library of this version for this machine, compiled when it is not there yet; world-readable.

    Boxes do without it where there is no compiler, only slower, so what goes wrong is told and not raised.
    """
    chosen = settings.load()
    where = data or chosen.data_directory, chosen.compiler
    found = _library(*where)
    if found.path and not found.path.exists():  # a later version retired it
        _library.cache_clear()
        found = _library(*where)
    return found


@functools.lru_cache(maxsize=8)
def _library(data: Path, wanted: str) -> Library:
    if wanted == NONE:
        return Library(None, "the setting compiler says 'none'")
    origin = _origin(wanted)
    if origin is None:
        names = " or ".join(_COMPILERS) if wanted == AUTO else wanted
        return Library(None, f"no C compiler: install {names}")
    name, make, how = origin
    try:
        kept = shared_folder(data / "agents") / name
        keep(kept, _KIND, make)
        ctypes.CDLL(str(kept))
    except StartFailed as error:
        return Library(None, error.message)
    except OSError as error:
        return Library(None, f"what was {how} cannot be loaded: {error}")
    return Library(kept, how)


def _origin(wanted: str) -> tuple[str, Callable[[], bytes], str] | None:
    """Its name, what makes its bytes, and how that is; None without a compiler."""
    there = installed()
    if wanted == AUTO and there.exists():
        return there.name, there.read_bytes, "compiled when sandlot was installed"
    compiler = _found(wanted)
    if compiler is None:
        return None
    name = _name(compiler)
    make = functools.partial(_compiled, compiler)
    if wanted == AUTO:
        make = functools.partial(cached, name, _KIND, make)
    return name, make, f"compiled with {compiler}"


def _name(compiler: str) -> str:
    return f"init-{os.uname().machine}-{_digest(compiler)[:32]}.so"


def installed() -> Path:
    """Where the library is that belongs to this installation, if it has one."""
    return _SOURCES / _name("")


def install() -> str:
    """Compile it into the installation; what was done. Raises StartFailed."""
    compiler = _found(AUTO)
    if compiler is None:
        raise StartFailed(f"no C compiler: install {' or '.join(_COMPILERS)}")
    write_whole(installed(), _compiled(compiler))
    return f"{installed()}: compiled with {compiler}"


def _found(wanted: str) -> str | None:
    found = map(shutil.which, _COMPILERS if wanted == AUTO else (wanted,))
    return next(filter(None, found), None)


def _digest(compiler: str) -> str:
    digest = hashlib.sha256("\0".join((compiler, *_FLAGS)).encode())
    for path in sorted(_SOURCES.glob("*.[ch]")):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def _compiled(compiler: str) -> bytes:
    sources = sorted(map(str, _SOURCES.glob("*.c")))
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / "init.so"
        try:
            done = subprocess.run(
                [compiler, *_FLAGS, "-o", str(made), *sources],
                capture_output=True,
                timeout=_DEADLINE,
                check=False,
                stdin=subprocess.DEVNULL,
            )
        except (OSError, subprocess.SubprocessError) as cause:
            raise StartFailed(f"{compiler} does not run: {cause}") from cause
        if done.returncode != 0:
            last = done.stderr.decode("utf-8", "replace").strip().rpartition("\n")[2]
            raise StartFailed(f"{compiler} does not compile guest/native: {last[:300]}")
        return made.read_bytes()


if __name__ == "__main__":
    try:
        sys.stdout.write(install() + "\n")
    except StartFailed as error:
        sys.exit(f"sandlot: {error.message}")
