"""The commands of a build, in order: a pure list."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from .environment import MOUNTED_AT
from .installer import BUILD

BUILT = PurePosixPath("/workspace/env")
"""Where the tree grows; boxes that use it see it at MOUNTED_AT."""

_TEMPORARY = "/workspace/tmp"

VARIABLES = {
    "HOME": "/workspace",
    "TMPDIR": _TEMPORARY,  # the box's /tmp is small, and a wheel is unpacked there
    "PIP_NO_CACHE_DIR": "1",
    "PIP_NO_INPUT": "1",
    "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    "PIP_PROGRESS_BAR": "off",
    "PIP_NO_COLOR": "1",
    "PIP_ROOT_USER_ACTION": "ignore",
}

# Runs in the box, in the environment's interpreter: pip wrote the path of the building place into the
# first line of scripts and into the activation files; boxes see the tree elsewhere.
_RELOCATE = """
import os, sys
built, mounted = (os.fsencode(word) for word in sys.argv[1:])
folder = os.path.join(built, b"bin")
for name in os.listdir(folder):
    path = os.path.join(folder, name)
    if os.path.islink(path) or not os.path.isfile(path):
        continue
    with open(path, "rb") as file:
        content = file.read()
    moved = content.replace(built + b"/", mounted + b"/").replace(built, mounted)
    if moved != content and b"\\0" not in content:
        with open(path, "r+b") as file:
            file.truncate()
            file.write(moved)
"""


@dataclass(frozen=True, slots=True)
class Step:
    """One command of a build, what it does in words, and whether it needs pip's settings."""

    does: str
    argv: tuple[str, ...]
    must_succeed: bool = True
    is_pip: bool = False


def plan(python: str, packages: Sequence[str], *, has_requirements: bool, source: bool) -> list[Step]:
    """The commands that turn the interpreter *python* into an environment at BUILT.

    What follows the installation runs *python* itself, with -S: a package may bring a .pth file, which runs
    at every other start, or a `bin/python`, and the box has a network and, in its files, pip's credentials.
    """
    own = f"{BUILT}/bin/python"
    folder = Step(
        "making room", (python, "-I", "-c", f"import os; os.makedirs({_TEMPORARY!r}, exist_ok=True)")
    )
    venv = Step(f"making a virtual environment of {python}", (python, "-I", "-m", "venv", str(BUILT)))
    steps = [folder, venv]
    if packages or has_requirements:
        steps.append(
            Step(
                "installing packages",
                _install(own, packages, has_requirements=has_requirements, source=source),
                is_pip=True,
            )
        )
    return [
        *steps,
        # Fails for a package that ships templates which are no valid Python: those have no bytecode then.
        Step("compiling", _compile(python), must_succeed=False),
        Step("moving to its place", (python, "-I", "-S", "-c", _RELOCATE, str(BUILT), MOUNTED_AT)),
    ]


def _install(own: str, packages: Sequence[str], *, has_requirements: bool, source: bool) -> tuple[str, ...]:
    wheels = () if source else ("--only-binary", ":all:")
    listed = ("--requirement", f"{BUILD}/requirements-0.txt") if has_requirements else ()
    return (own, "-I", "-m", "pip", "install", "--no-compile", *wheels, *listed, "--", *packages)


def _compile(python: str) -> tuple[str, ...]:
    """Bytecode that names the final place and is never checked against its source: the tree is read-only."""
    modes = ("--invalidation-mode", "unchecked-hash")
    places = ("-d", f"{MOUNTED_AT}/lib", f"{BUILT}/lib")
    return (python, "-I", "-S", "-m", "compileall", "-q", "-f", *modes, *places)
