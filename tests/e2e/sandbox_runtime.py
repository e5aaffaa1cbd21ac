"""The original Sandbox Runtime package from the index, in a venv of its own."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

from tests.e2e.interpreters import installed
from tests.e2e.original import clean_variables

_PYTHON = "3.11"
_PACKAGE = "kweaver-sandbox-runtime==0.1.1"

# Runs where the SDK is, hence without anything of ours: rows of method, arguments and named arguments
# in, out what they gave, into a file: the original logs on standard output.
_ASK = """
import asyncio, importlib, json, sys
module, url, session, results = sys.argv[1:]
sdk = importlib.import_module(module + ".sdk.shared_env")

async def outcomes():
    for line in sys.stdin:
        method, arguments, named = json.loads(line)
        sandbox = sdk.SharedEnvSandbox(session, servers=[url])
        try:
            yield await getattr(sandbox, method)(*arguments, **named)
        except sdk.SandboxError as error:
            assert json.loads(str(error)) == error.to_dict()
            yield {"raised": [error.message, error.context]}

async def main():
    with open(results, "w") as file:
        async for outcome in outcomes():
            print(json.dumps(outcome), file=file, flush=True)

asyncio.run(main())
"""


def install(folder: Path) -> Path:
    """The Python of a new venv at *folder* that holds the original; skips where that cannot be had."""
    return installed(folder, _PYTHON, (_PACKAGE,))


def asked(
    python: Path, module: str, url: str, session: str, rows: list[list[Any]], folder: Path, **variables: str
) -> list[Any]:
    """What the SDK of *module* gives for *rows*, one after the other; an error as `{"raised": [...]}`."""
    results = folder / "results"
    done = subprocess.run(
        [python, "-c", _ASK, module, url, session, results],
        input="".join(json.dumps(row) + "\n" for row in rows),
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
        env={**clean_variables(), **variables},
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in results.read_text().splitlines()]
