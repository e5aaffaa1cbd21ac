"""What the standard library does with hostile archives when nobody takes care; in the box only."""

from __future__ import annotations

import base64
import io
import os
import sys
import tarfile
from typing import Any, Dict, Iterator

from .files_inside import plant_links, plant_odd_files
from .report import TEMPORARY, WORKSPACE, Found, facts, held, judge


def _trusting() -> Dict[str, Any]:
    return {"filter": "fully_trusted"} if hasattr(tarfile, "fully_trusted_filter") else {}


def _extract(text: str, target: str) -> None:
    with tarfile.open(fileobj=io.BytesIO(base64.b64decode(text))) as opened:
        opened.extractall(target, **_trusting())  # noqa: S202 - the careless way is the point


def extract() -> Iterator[Found]:
    """Members land outside the directory they were extracted to, or link out of it."""
    target = f"{WORKSPACE}/one/two/three/target"
    for number, text in enumerate(facts()["archives"]):
        os.makedirs(f"{target}{number}")
        try:
            _extract(text, f"{target}{number}")
        except (OSError, tarfile.TarError, KeyError) as error:
            yield held(f"archive {number}", error)
    with tarfile.open(f"{WORKSPACE}/absolute.tar", "w") as made:
        info = tarfile.TarInfo(f"{TEMPORARY}/escaped-absolute")
        info.name = (
            f"{TEMPORARY}/escaped-absolute"  # addfile of the library keeps what gettarinfo would strip
        )
        made.addfile(info)
    with tarfile.open(f"{WORKSPACE}/absolute.tar") as opened:
        opened.extractall(f"{target}0", **_trusting())  # noqa: S202
    tops = (WORKSPACE, TEMPORARY, "/tmp")
    escaped = [
        os.path.join(d, n) for top in tops for d, _, names in os.walk(top) for n in names if "escaped" in n
    ]
    outside = [path for path in escaped if "/target" not in os.path.relpath(path, WORKSPACE)]
    linked = [
        d
        for d, names, files in os.walk(f"{WORKSPACE}/one")
        for n in (*names, *files)
        if _leads_out(os.path.join(d, n))
    ]
    yield judge(
        "members landed outside or link out", outside or linked, [*outside[:3], *linked[:3], sys.version]
    )


def _leads_out(path: str) -> bool:
    if os.path.islink(path):
        return not os.path.realpath(path).startswith(f"{WORKSPACE}/one")
    return os.stat(path, follow_symlinks=False).st_nlink > 1 and os.path.isfile(path)


def metadata() -> Iterator[Found]:
    """The set-uid bit survives."""
    _extract(facts()["archives"][0], f"{WORKSPACE}/extracted")
    mode = os.stat(f"{WORKSPACE}/extracted/set-uid").st_mode
    yield judge("the set-uid bit is there", mode & 0o6000, oct(mode))


def bomb() -> Iterator[Found]:
    """A few kilobytes become many megabytes."""
    text = facts()["archives"][0]
    _extract(text, f"{WORKSPACE}/extracted")
    size = os.stat(f"{WORKSPACE}/extracted/zeros").st_size
    yield judge("it was extracted", size > 100 * len(text), f"{len(text)} became {size}")


def pack() -> Iterator[Found]:
    """A plain archive of the traps."""
    yield from plant_links()
    yield from plant_odd_files()
    os.unlink(f"{WORKSPACE}/sparse")
    os.chmod(f"{WORKSPACE}/closed", 0o600)
    with tarfile.open(f"{TEMPORARY}/careless.tar", "w") as opened:
        opened.add(WORKSPACE, ".")
    with tarfile.open(f"{TEMPORARY}/careless.tar") as opened:
        odd = [m.name for m in opened if m.mode & 0o7000 or m.isfifo() or m.linkname.startswith("/")]
    yield judge("odd members are in it", odd, odd)
