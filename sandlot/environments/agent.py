"""The agent as one file for one interpreter: a stored zip of bytecode, made once and kept.

Bytecode is compiled by the interpreter that will read it, with unchecked hashes (PEP 552), and stored
without compression, so starting it needs neither the compiler nor zlib.
"""

from __future__ import annotations

import functools
import hashlib
import json
import subprocess
from pathlib import Path

from sandlot import settings
from sandlot.contracts.errors import StartFailed

from .environment import Environment
from .storage import cached, keep, shared_folder

_PACKAGE = Path(__file__).parent.parent
_SHIPPED = {
    "guest": "*",
    "guest/contexts": "*",
    "walls": "*",
    "wire": (
        "__init__",
        "archive",
        "archive_rules",
        "expander",
        "frames",
        "frozen",
        "json_object",
        "order",
        "tar_header",
        "tar_writer",
    ),
}
"""The agent's rooms, and which modules of each: the rest of `wire` is the HTTP API's."""
_KIND = "agent-*.pyz"
_DEADLINE = 60.0  # seconds to compile about forty small files on a machine under load

_MAIN = "from sandlot.guest.__main__ import main\nraise SystemExit(main())\n"
_INIT = '"""What sandlot runs inside a box."""\n'

# Runs in the target interpreter, 3.8 or later: JSON of names and sources in, the zip out.
_COMPILER = """
import importlib._bootstrap_external as external, importlib.util, io, json, sys, zipfile
packed = io.BytesIO()
with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as archive:
    for name, source in sorted(json.load(sys.stdin.buffer).items()):
        code = compile(source, "agent/" + name, "exec", dont_inherit=True)
        digest = importlib.util.source_hash(source.encode())
        # A fixed date: equal sources make equal archives.
        entry = zipfile.ZipInfo(name + "c", (1980, 1, 1, 0, 0, 0))
        archive.writestr(entry, external._code_to_hash_pyc(code, digest, False))
sys.stdout.buffer.write(packed.getvalue())
"""


def command(environment: Environment, archive: str = "/run/agent.pyz") -> tuple[str, ...]:
    """The argv that starts the agent in a box where *archive* shows `archive_for`'s file.

    `-c` and not `python agent.pyz`: the latter goes through runpy, which costs 4 ms of imports
    (11.6 against 7.4 ms to an empty main, where a bare interpreter takes 6.9).
    """
    start = "import sys; sys.path.insert(0, {!r}); from sandlot.guest.__main__ import main; sys.exit(main())"
    return environment.interpreter, "-I", "-S", "-c", start.format(archive)


def zygote_command(environment: Environment, archive: str, nest: str, library: str) -> tuple[str, ...]:
    """The argv that starts a zygote, with the agent shown at *archive*; *nest* as guest.nest reads it.

    library: where the file of `native.library` is shown, or nothing.
    """
    start = (
        "import sys; sys.path.insert(0, {!r}); from sandlot.guest.__main__ import zygote;"
        " zygote({!r}, sys.argv[1], {!r})"
    )
    return environment.interpreter, "-I", "-S", "-c", start.format(archive, archive, library), nest


def archive_for(environment: Environment, data: Path | None = None) -> Path:
    """The agent for *environment*'s interpreter, world-readable; compiled when this user has none yet.

    Raises StartFailed when it cannot be compiled or kept.
    """
    agents = shared_folder((data or settings.load().data_directory) / "agents")
    kept = agents / f"agent-{environment.tag}-{_digest()[:32]}.pyz"
    make = functools.partial(_compiled, environment.host_interpreter)
    keep(kept, _KIND, functools.partial(cached, kept.name, _KIND, make))
    return kept


def sources() -> dict[str, str]:
    """The agent's files by their name in the archive."""
    found = {"__main__.py": _MAIN, "sandlot/__init__.py": _INIT}
    for room, names in _SHIPPED.items():
        for path in sorted((_PACKAGE / room).glob("*.py")):
            if names == "*" or path.stem in names:
                found[f"sandlot/{room}/{path.name}"] = path.read_text(encoding="utf-8")
    return found


@functools.cache
def _digest() -> str:
    digest = hashlib.sha256(_COMPILER.encode())
    for name, source in sorted(sources().items()):
        digest.update(f"{name}\0{len(source)}\0{source}".encode())
    return digest.hexdigest()


def _compiled(python: Path) -> bytes:
    try:
        done = subprocess.run(
            [python, "-I", "-S", "-c", _COMPILER],
            input=json.dumps(sources()).encode(),
            capture_output=True,
            timeout=_DEADLINE,
            check=False,
            env={"LANG": "C.UTF-8"},
        )
    except (OSError, subprocess.SubprocessError) as cause:
        raise StartFailed(f"the agent cannot be compiled with {python}: {cause}") from cause
    if done.returncode != 0:
        last = done.stderr.decode("utf-8", "replace").strip().rpartition("\n")[2]
        raise StartFailed(f"the agent cannot be compiled with {python}: {last}")
    return done.stdout
