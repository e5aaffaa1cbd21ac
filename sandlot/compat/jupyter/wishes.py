"""Wishes: the sandbox that a kernelspec asks for, as it stands in its metadata and on our command line."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path, PurePosixPath
from typing import Any, Final

from sandlot.contracts.contexts import ContextSpec
from sandlot.contracts.errors import InvalidSpec, Unsupported
from sandlot.contracts.paths import WORKSPACE, sandbox_path
from sandlot.contracts.quantity import Seconds
from sandlot.contracts.spec import Mount
from sandlot.sdk.plans import Plan, local_plan, remote_plan

LEASE: Final = Seconds(600.0)
"""How long a server keeps the sandbox of a kernel whose client went away without a word."""

_SETTINGS: Final = ("engine", "isolation", "environment", "network", "memory", "cpu", "pids", "disk")
_SECRETS: Final = ("key", "key_file", "token")


@dataclass(frozen=True, slots=True)
class Wishes:
    """What a kernel's sandbox is to be; None for what the settings in force say.

    Without *url* it is one of this machine, whatever the settings say about a server. *timeout* bounds each
    cell. *mounts* are of this machine, `SOURCE:TARGET` or `SOURCE:TARGET:rw`; a relative source begins at the
    notebook's directory, of which nothing is to be seen otherwise.
    """

    url: str | None = None
    engine: str | None = None
    isolation: str | None = None
    environment: str | None = None
    image: str | None = None
    network: str | None = None
    memory: str | None = None
    cpu: str | None = None
    pids: int | str | None = None
    disk: str | None = None
    timeout: str | None = None
    workdir: str | None = None
    mounts: tuple[str, ...] = ()

    def to_config(self) -> dict[str, Any]:
        """What of it was said, as JSON has it."""
        said = {name: value for name, value in asdict(self).items() if value not in (None, ())}
        return {**said, "mounts": list(self.mounts)} if self.mounts else said

    def to_flags(self) -> list[str]:
        """The words of a command line that say the same; `sandlot jupyter` reads them."""
        words = []
        for name, value in self.to_config().items():
            flag = "--mount" if name == "mounts" else f"--{name}"
            for each in value if isinstance(value, list) else [value]:
                words += [flag, str(each)]
        return words

    def plan(self, env: Mapping[str, str], directory: Path) -> Plan:
        """The sandbox to open, with the variables *env*; relative mounts begin at *directory*.

        Raises InvalidSpec for what cannot be read, Unsupported for mounts on a server.
        """
        flags = {name: getattr(self, name) for name in _SETTINGS}
        if self.url is None:
            if self.image is not None:
                raise Unsupported("an image needs a server that knows it: give url, or environment instead")
            plan = local_plan(env, None, flags)
            mounts = tuple(_mount(each, directory) for each in self.mounts)
            return replace(plan, spec=replace(plan.spec, mounts=mounts))
        if self.mounts:
            raise Unsupported(
                "mounts are of this machine, and a server sees none of it: leave url or mounts out"
            )
        return remote_plan(None, env, LEASE, {"url": self.url, **flags}, self.image)

    def context(self, env: Mapping[str, str]) -> ContextSpec:
        """The interpreter to open in it."""
        workdir = WORKSPACE if self.workdir is None else sandbox_path(self.workdir)
        return ContextSpec(workdir=workdir, env=dict(env))

    def longest(self) -> Seconds | None:
        """How long a cell may run."""
        return None if self.timeout is None else Seconds.parse(self.timeout)


def wishes_from(config: Mapping[str, Any]) -> Wishes:
    """The wishes that *config* holds, which stands in files that anybody reads. Raises InvalidSpec."""
    known = [each.name for each in fields(Wishes)]
    for name in config:
        if name in _SECRETS:
            raise InvalidSpec(
                f"{name} does not belong into a kernelspec, which others can read: "
                "set SANDLOT_KEY, or key_file in the settings"
            )
        if name not in known:
            raise InvalidSpec(f"a kernelspec of sandlot has no {name!r:.60}: use {', '.join(known)}")
    mounts = config.get("mounts") or ()
    if not isinstance(mounts, Sequence) or isinstance(mounts, str) or not all(map(_is_text, mounts)):
        raise InvalidSpec("mounts of a kernelspec are a list of texts such as data:/mnt/data")
    for name, value in config.items():
        if name != "mounts" and not isinstance(value, str | int | float | None):
            raise InvalidSpec(f"{name} of a kernelspec is text or a number, not {type(value).__name__}")
    said = {name: value for name, value in config.items() if value is not None}
    return Wishes(**{**said, "mounts": tuple(mounts)})


def _mount(said: str, directory: Path) -> Mount:
    """The mount that `SOURCE:TARGET[:rw]` means. Raises InvalidSpec."""
    source, _, target = said.removesuffix(":rw").partition(":")
    if not source or not target.startswith("/"):
        raise InvalidSpec(
            f"{said!r:.120} is not a mount: write SOURCE:/TARGET, and :rw behind it to let it write"
        )
    place = os.path.normpath(directory / Path(source).expanduser())
    return Mount(place, PurePosixPath(target), writable=said.endswith(":rw"))


def _is_text(value: object) -> bool:
    return isinstance(value, str)
