"""Building an environment: pip runs in a box, and only what comes out of it as an archive is kept.

Nothing of the host is writable in that box. The tree is built in the box's own workspace, fetched as
a tar stream under the archive rules and written by us: no link in it leads out, no file of it belongs
to a guest, and a failed build leaves nothing. Afterwards the interpreter and the preload modules are
tried in a second box, without network and without pip's credentials.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Protocol

from sandlot.contracts.command import Command
from sandlot.contracts.errors import Conflict, InvalidSpec
from sandlot.contracts.paths import identifier
from sandlot.contracts.quantity import Bytes, Seconds
from sandlot.contracts.result import Result
from sandlot.contracts.spec import Mount, Network, SandboxSpec

from . import steps
from .environment import MOUNTED_AT, SYSTEM, Bind, Environment, module
from .installer import BUILD, Installer, installer_for, without_secrets
from .interpreter import Interpreter, examine
from .registry import DESCRIPTION, TREE
from .requirements import checked, gathered
from .storage import shared_folder, staging_in, sweep, write_whole

Progress = Callable[[str], None]
_LAST_LINES = 12
_LONGEST_STEP = Seconds(1800)
_LONGEST_TRIAL = Seconds(120)
_TRIED_AT = PurePosixPath("/mnt/environment")  # no box lets a mount stand where environments do
_MOST_OUTPUT = Bytes(64 * 2**20)


class BuildBox(Protocol):
    """The box a build runs in."""

    async def put(self, folder: PurePosixPath, files: Mapping[str, bytes]) -> None:
        """Write *files* into *folder*."""

    async def run(self, command: Command, line: Progress) -> Result:
        """Run *command*; every line it writes goes to *line* as it comes."""

    async def fetch(self, folder: PurePosixPath, into: Path) -> None:
        """Write the tree below *folder* into the existing folder *into*, all or nothing."""


class Workshop(Protocol):
    """Who lends boxes to build in: environments knows no engine."""

    def open(self, spec: SandboxSpec, *, roomy: bool) -> AbstractAsyncContextManager[BuildBox]:
        """A box; *roomy*: with memory and disk for a build, as far as the machine has them."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """What an environment is made of. `source` also allows packages that are built from source."""

    name: str
    python: Path = Path("/usr/bin/python3")
    requirements: Path | None = None
    packages: tuple[str, ...] = ()
    preload: tuple[str, ...] = ()
    source: bool = False
    timeout: Seconds = _LONGEST_STEP


async def create(
    recipe: Recipe,
    workshop: Workshop,
    *,
    data: Path,
    installer: Mapping[str, str],
    progress: Progress = lambda _line: None,
) -> Environment:
    """Build *recipe* and register it below the data directory *data*.

    *installer* are the variables of `settings.installer_variables`. Raises Conflict when the name is
    taken, InvalidSpec when pip refuses (with its last lines) or a preload module cannot be imported.
    """
    home = shared_folder(data / "environments")
    sweep(home)
    _free(recipe.name, home)
    preload = tuple(module(name) for name in recipe.preload)
    python = _visible(examine(recipe.python, data / "agents"))
    files = {**gathered(recipe.requirements)}
    setup = installer_for(installer)
    packages = checked(recipe.packages)
    plan = steps.plan(python.executable, packages, has_requirements=bool(files), source=recipe.source)
    with staging_in(home) as staging:
        tree = staging / TREE
        tree.mkdir(mode=0o755)
        spec = _build_spec(python, setup)
        async with workshop.open(spec, roomy=True) as box:
            await box.put(BUILD, {**setup.files, **files})
            for step in plan:
                variables = {**(setup.variables if step.is_pip else {}), **steps.VARIABLES}
                await _carry_out(box, step, variables, recipe, progress)
            progress("keeping the result")
            await box.fetch(steps.BUILT, tree)
        _link_interpreter(tree, python)
        made = _described(recipe, python, home / recipe.name / TREE, preload)
        progress("trying the interpreter" + (f" and {', '.join(preload)}" if preload else ""))
        await _try(workshop, made, tree, recipe)
        write_whole(staging / DESCRIPTION, json.dumps(made.to_json(), indent=2).encode())
        _publish(staging, home / recipe.name)
    return made


def _free(name: str, home: Path) -> None:
    if name == SYSTEM or (home / identifier(name, "environment")).exists():
        raise Conflict(f"environment {name!r} exists: remove it first (sandlot env remove {name})")


def _visible(python: Interpreter) -> Interpreter:
    """*python* itself, unless boxes, which run as other users, cannot read it."""
    if os.geteuid() == 0:
        for folder in (Path(python.prefix), *Path(python.prefix).parents):
            if not folder.stat().st_mode & 0o001:
                raise InvalidSpec(
                    f"{python.executable} cannot be used: {folder} is closed to other users, and boxes run "
                    "as one; choose an interpreter below /usr or /opt"
                )
    return python


def _prefix_binds(python: Interpreter) -> tuple[Bind, ...]:
    """Where the interpreter's own library must be shown; every box sees /usr already."""
    if PurePosixPath(os.path.realpath(python.prefix)).is_relative_to("/usr"):
        return ()
    return (Bind(Path(os.path.realpath(python.prefix)), python.prefix),)


def _build_spec(python: Interpreter, setup: Installer) -> SandboxSpec:
    own = tuple(Mount(str(bind.host), PurePosixPath(bind.box)) for bind in _prefix_binds(python))
    return SandboxSpec(environment=SYSTEM, network=Network.FULL, mounts=(*own, *setup.mounts))


async def _carry_out(
    box: BuildBox, step: steps.Step, variables: Mapping[str, str], recipe: Recipe, progress: Progress
) -> None:
    progress(step.does)
    lines: list[str] = []

    def heard(line: str) -> None:
        lines.append(without_secrets(line))
        del lines[:-_LAST_LINES]
        progress(lines[-1])

    result = await box.run(
        Command(argv=step.argv, env=variables, timeout=recipe.timeout, output_limit=_MOST_OUTPUT), heard
    )
    if not result.ok and step.must_succeed:
        shown = "\n".join(lines)
        raise InvalidSpec(
            f"environment {recipe.name!r} was not made: {step.does} ended with {result.reason.value} "
            f"{result.exit_code}; its last lines:\n{shown}"
        )


async def _try(workshop: Workshop, made: Environment, tree: Path, recipe: Recipe) -> None:
    staged = (Mount(str(tree), _TRIED_AT),)
    others = tuple(Mount(str(b.host), PurePosixPath(b.box)) for b in made.binds if b.box != MOUNTED_AT)
    imports = "".join(f"import {name}\n" for name in made.preload)
    python = str(_TRIED_AT / PurePosixPath(made.interpreter).relative_to(MOUNTED_AT))
    command = Command(argv=(python, "-I", "-c", imports), timeout=_LONGEST_TRIAL)
    lines: list[str] = []
    async with workshop.open(SandboxSpec(environment=SYSTEM, mounts=staged + others), roomy=False) as box:
        result = await box.run(command, lines.append)
    if not result.ok:
        shown = "\n".join(lines[-_LAST_LINES:])
        raise InvalidSpec(f"environment {recipe.name!r} was not made: it cannot be used:\n{shown}")


def _described(recipe: Recipe, python: Interpreter, tree: Path, preload: Sequence[str]) -> Environment:
    asked = [*recipe.packages, *([f"-r {recipe.requirements.name}"] if recipe.requirements else [])]
    return Environment(
        name=recipe.name,
        interpreter=f"{MOUNTED_AT}/bin/python",
        host_interpreter=Path(python.executable),
        version=python.version,
        tag=python.tag,
        binds=(Bind(tree, MOUNTED_AT), *_prefix_binds(python)),
        preload=tuple(preload),
        packages=tuple(without_secrets(package) for package in asked),
    )


def _link_interpreter(tree: Path, python: Interpreter) -> None:
    """The links venv made lead out of the tree, so they were not fetched: make them again."""
    binaries = tree / "bin"
    binaries.mkdir(mode=0o755, exist_ok=True)
    short = ".".join(python.version.split(".")[:2])
    for name, target in (("python", python.executable), ("python3", "python"), (f"python{short}", "python")):
        link = binaries / name
        link.unlink(missing_ok=True)  # some venvs point `python` at `python3`, and that one was not fetched
        link.symlink_to(target)


def _publish(staging: Path, place: Path) -> None:
    try:
        os.rename(staging, place)
    except OSError as cause:
        raise Conflict(f"environment {place.name!r} was made by someone else meanwhile") from cause
