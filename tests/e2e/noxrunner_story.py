"""What a user of NoxRunner does in a day, as one program that is told which client to import.

Runs on Python 3.8 with nothing but the client installed, and prints one JSON object: step -> outcome.
"""

from __future__ import annotations

import importlib
import io
import json
import sys
import tarfile
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any


def story(client: Any, sandbox: str, folder: Path) -> dict[str, Any]:
    """Every operation of the client against *sandbox*, its outcomes in JSON's types."""
    done: dict[str, Any] = {"health": client.health_check()}
    created = client.create_sandbox(sandbox, ttl_seconds=300, cpu_limit="1", memory_limit="512Mi")
    done["created"] = sorted(set(created) & {"podName", "expiresAt"})
    again = client.create_sandbox(sandbox)
    done["same pod"] = created["podName"] == again["podName"]
    done["ready"] = client.wait_for_pod_ready(sandbox, timeout=20, interval=1)
    done["touch"] = client.touch(sandbox)
    done["exec"] = _told(client.exec(sandbox, ["echo", "hello \u00e9"]))
    done["env"] = _told(client.exec(sandbox, ["sh", "-c", "echo $A; pwd"], workdir="/tmp", env={"A": "1 2"}))
    done["fails"] = _told(client.exec(sandbox, ["sh", "-c", "echo no >&2; exit 3"]))
    done["missing"] = client.exec(sandbox, ["no-such-program"])["exitCode"]
    late = client.exec(sandbox, ["sh", "-c", "echo early; sleep 60"], timeout_seconds=1)
    done["timeout"] = [late["exitCode"], late["stdout"], late["durationMs"] >= 1000]
    done["shell"] = _told(client.exec_shell(sandbox, "printf 'a b' | wc -c"))
    done["bash"] = _told(client.exec_shell(sandbox, "echo {1..3}", shell="bash"))  # noqa: S604 - the client's own word
    done["upload"] = client.upload_files(sandbox, {"a.txt": "text", "deep/er/b.bin": b"\x00\xff"})
    done["upload elsewhere"] = client.upload_files(sandbox, {"c": "3"}, dest="/workspace/made")
    done["there"] = _told(client.exec_shell(sandbox, "cat a.txt made/c; wc -c < deep/er/b.bin; umask"))
    raw = client.download_files(sandbox)
    done["is gzip"] = raw[:2] == b"\x1f\x8b"
    with tarfile.open(fileobj=io.BytesIO(raw), mode="r:gz") as archive:
        done["members"] = sorted(member.name.lstrip("./") for member in archive if member.isfile())
    done["download part"] = bool(client.download_files(sandbox, src="/workspace/deep"))
    if hasattr(client, "download_workspace"):  # 1.0.0 has none
        done["download_workspace"] = client.download_workspace(sandbox, str(folder))
        done["on disk"] = sorted(
            str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()
        )
    done["wrong shell"] = _raised(lambda: client.exec_shell(sandbox, "x", shell="zsh"))  # noqa: S604 - as above
    done["empty command"] = _raised(lambda: client.exec(sandbox, []))
    done["bad workdir"] = _raised(lambda: client.exec(sandbox, ["ls"], workdir="relative/../.."))
    done["missing path"] = _raised(lambda: client.download_files(sandbox, src="/workspace/none"))
    done["other memory"] = _raised(lambda: client.create_sandbox(sandbox, memory_limit="256Mi"))
    done["bad limit"] = _raised(lambda: client.create_sandbox(sandbox + "x", memory_limit="lots"))
    done["delete"] = client.delete_sandbox(sandbox)
    done["gone"] = [
        _raised(act)
        for act in (
            lambda: client.touch(sandbox),
            lambda: client.exec(sandbox, ["ls"]),
            lambda: client.upload_files(sandbox, {"a": "b"}),
            lambda: client.download_files(sandbox),
            lambda: client.delete_sandbox(sandbox),
        )
    ]
    if hasattr(client, "download_workspace"):
        done["gone workspace"] = client.download_workspace(sandbox, str(folder))
    return done


EXPECTED: dict[str, Any] = {
    "health": True,
    "created": ["expiresAt", "podName"],
    "same pod": True,
    "ready": True,
    "touch": True,
    "exec": [0, "hello \u00e9\n", ""],
    "env": [0, "1 2\n/tmp\n", ""],
    "fails": [3, "", "no\n"],
    "missing": 127,
    "timeout": [124, "early\n", True],
    "shell": [0, "3\n", ""],
    "bash": [0, "1 2 3\n", ""],
    "upload": True,
    "upload elsewhere": True,
    "there": [0, "text32\n0022\n", ""],
    "is gzip": True,
    "members": ["a.txt", "deep/er/b.bin", "made/c"],
    "download part": True,
    "download_workspace": True,
    "on disk": ["a.txt", "deep/er/b.bin", "made/c"],
    "wrong shell": ["ValueError", None],
    "empty command": ["NoxRunnerHTTPError", 400],
    "bad workdir": ["NoxRunnerHTTPError", 400],
    "missing path": ["NoxRunnerHTTPError", 404],
    "other memory": ["NoxRunnerHTTPError", 409],
    "bad limit": ["NoxRunnerHTTPError", 400],
    "delete": True,
    "gone": [["NoxRunnerHTTPError", 404]] * 5,
    "gone workspace": False,
}


LATER = ("download_workspace", "on disk", "gone workspace")
"""The steps that only 2.0.0 knows."""


def _told(result: dict[str, Any]) -> Any:
    if not isinstance(result["durationMs"], int):
        return f"durationMs is {result['durationMs']!r}"
    return [result["exitCode"], result["stdout"], result["stderr"]]


def _raised(act: Callable[[], Any]) -> Any:
    try:
        return ["nothing", act()]
    except Exception as error:  # noqa: BLE001 - the outcome under test
        return [type(error).__name__, getattr(error, "status_code", None)]


def main() -> None:
    """Tell the story with the client of the module, at the URL and for the sandbox of the command line."""
    module, url, sandbox = sys.argv[1:4]
    client = importlib.import_module(module).NoxRunnerClient(url)
    with tempfile.TemporaryDirectory() as folder:
        sys.stdout.write(json.dumps(story(client, sandbox, Path(folder))))


if __name__ == "__main__":
    main()
