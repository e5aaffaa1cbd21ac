"""The stage a case is played on: one box, canaries, a nonce, and a way to run the attack programs."""

from __future__ import annotations

import importlib.resources
import json
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from sandlot.contracts.command import Command
from sandlot.contracts.engine import Box, Engine
from sandlot.contracts.quantity import Bytes, Seconds
from sandlot.contracts.result import Result
from sandlot.contracts.spec import SandboxSpec
from sandlot.testing.suite import collect

from .canary import Canaries
from .case import Finding, Outcome, Play

PROGRAMS = "sandlot.testing.hostile.programs"
_LONGEST_NOTE = 300
PATIENCE = 30.0
"""Seconds for an attack that ends by itself, so that a machine ten times slower comes to its end."""


@dataclass(frozen=True)
class Stage:
    """What a play may use. `facts` reach the guest program as JSON in its environment."""

    box: Box
    engine: Engine
    canaries: Canaries
    spec: SandboxSpec = field(default_factory=SandboxSpec)
    fuzz_seconds: float = 2.0
    nonce: str = field(default_factory=lambda: secrets.token_hex(8))

    def facts(self, more: Mapping[str, Any]) -> dict[str, Any]:
        """What the guest program is told."""
        return {
            "nonce": self.nonce,
            "canary": str(self.canaries.secret),
            "writable": str(self.canaries.writable),
            "open_to_all": str(self.canaries.open_to_all),
            "fuzz_seconds": self.fuzz_seconds,
            "isolation": int(self.box.isolation),
            **more,
        }

    async def attack(
        self,
        program: str,
        told: Mapping[str, Any] | None = None,
        *,
        timeout: float = PATIENCE,
        output: int = 2**20,
        **more: Any,
    ) -> Outcome:
        """Play `module:function` of `programs` in the box; keyword facts go to the program."""
        result = await collect(self.box, self.command(program, told, timeout=timeout, output=output, **more))
        return outcome_of(result, self.nonce)

    def command(
        self,
        program: str,
        told: Mapping[str, Any] | None = None,
        *,
        timeout: float = PATIENCE,
        output: int = 2**20,
        **more: Any,
    ) -> Command:
        """The command that plays `module:function`."""
        return Command(
            code=composed(program),
            env={"HOSTILE_FACTS": json.dumps(self.facts({**(told or {}), **more}))},
            timeout=Seconds(timeout),
            output_limit=Bytes(output),
        )


def play(program: str, **options: Any) -> Play:
    """A play that runs one program of `programs` and nothing else."""

    async def run(stage: Stage) -> Outcome:
        return await stage.attack(program, **options)

    return run


@cache
def _source(module: str) -> str:
    return importlib.resources.files(PROGRAMS).joinpath(f"{module}.py").read_text(encoding="utf-8")


@cache
def _needed(module: str) -> tuple[str, ...]:
    """The modules of `programs` that *module* imports, in the order of their making, and itself."""
    names: dict[str, None] = {}
    for wanted in re.findall(r"^ *from \.(\w+) import", _source(module), re.MULTILINE):
        names.update(dict.fromkeys(_needed(wanted)))
    return (*names, module)


def composed(program: str) -> str:
    """The text to run in a box for `module:function`: the reporting module, the attack's own, one call.

    A box has no sandlot to import, so the relative imports of the program are served from text.
    """
    module, _, function = program.partition(":")
    served = ",\n".join(f"    ({name!r}, {_source(name)!r})" for name in _needed(module))
    return "\n".join(
        (
            "import sys, types",
            "package = types.ModuleType('attacks'); package.__path__ = []; sys.modules['attacks'] = package",
            "for name, text in (",
            f"{served},",
            "):",
            "    made = types.ModuleType('attacks.' + name); made.__package__ = 'attacks'",
            "    sys.modules['attacks.' + name] = made; setattr(package, name, made)",
            "    exec(compile(text, name + '.py', 'exec'), made.__dict__)",
            f"sys.modules['attacks.report'].run(sys.modules['attacks.{module}'].{function})",
        )
    )


def outcome_of(result: Result, nonce: str) -> Outcome:
    """What the program's output says, read line by line; lines that are not ours are its own business."""
    alive = finished = False
    findings = []
    for line in result.stdout.decode("utf-8", "replace").splitlines():
        word, _, rest = line.partition(" ")
        if line == f"ALIVE {nonce}":
            alive = True
        elif line == f"VERDICT {nonce}":
            finished = True
        elif alive and word in ("HELD", "BROKE"):
            name, _, seen = rest.partition(": ")
            findings.append(Finding(name, word == "BROKE", seen[:_LONGEST_NOTE]))
    return Outcome(alive, finished, tuple(findings), result)
