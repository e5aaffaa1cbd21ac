"""Command lines with what arrives at the service, what is printed, and the exit code.

The table holds for the originals' `noxrc` and `noxrunner` too (tests/e2e/test_noxrunner_original.py), rows of
`OURS` excepted.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Tuple

from tests.base.compat_noxrunner.recorder import Answer, Recorder, Request, archive

HOME = archive(("./", {"type": b"5"}), ("./e", {"type": b"5", "mode": 0o755}), ("./d/a", b"1"))


class Line(NamedTuple):
    words: Sequence[str]
    exit_code: int
    out: str = ""
    err: str = ""
    heard: Sequence[str] = ()
    answers: Sequence[Answer] = ()
    typed: str = ""
    variables: Optional[Dict[str, str]] = None
    leaves: Sequence[str] = ()

    @property
    def label(self) -> str:
        return ascii(" ".join(self.words) + " " + self.typed)[:60] + "".join(
            str(status) for status, _ in self.answers
        )


def reply(request: Request) -> Answer:
    """A service where every sandbox exists and commands print their words."""
    method, target, _ = request.line.split(" ")
    if target == "/healthz":
        return 200, b"OK"
    if method == "PUT":
        return 200, b'{"podName": "sbx-1", "expiresAt": "2026-01-02T12:34:56Z"}'
    if target.endswith("/exec"):
        return 200, json.dumps(_ran(json.loads(request.body)["cmd"])).encode()
    if "/files/download" in target:
        return 200, HOME
    return 204 if method == "DELETE" else 200, b""


def _ran(command: List[str]) -> Dict[str, Any]:
    if command == ["echo", "ready"]:
        return {"exitCode": 0, "stdout": "ready\n", "stderr": "", "durationMs": 1}
    code = int(command[-1]) if command and command[-1].isdigit() else 0
    return {"exitCode": code, "stdout": "out: " + " ".join(command) + "\n", "stderr": "err", "durationMs": 1}


def prepare(folder: Path) -> None:
    """The files the command lines speak of, and the current directory they run in."""
    (folder / "dir" / "n").mkdir(parents=True)
    (folder / "empty" / "inner").mkdir(parents=True)
    for name in ("f1", "dir/f2", "dir/n/f3"):
        (folder / name).write_text(name[-1])


def serve(service: Recorder, line: Line) -> Dict[str, str]:
    """Make the service answer as the row says; the variables to run with."""
    service.reply = reply
    service.answers[:] = line.answers
    return {"NOXRUNNER_BASE_URL": service.url} if line.variables is None else line.variables


_WORKSPACE = '"workdir": "/workspace", "timeoutSeconds": 30}'
_PUT, _TOUCH = "PUT /v1/sandboxes/s ", "POST /v1/sandboxes/s/touch"
_DELETE, _GET = "DELETE /v1/sandboxes/s", "GET /v1/sandboxes/s/files/download?src=%2Fworkspace"
_UPLOAD, _EXEC = "POST /v1/sandboxes/s/files/upload?dest=%2Fworkspace ", "POST /v1/sandboxes/s/exec "
_NOT_FOUND = "HTTP 404: HTTP Error 404: Not Found\nResponse: no\n"
_GONE = ((404, b"no"),)
_FETCHING = "ℹ Downloading files...\n"  # noqa: RUF001 - what is printed


def _exec(words: Sequence[str], command: List[str], exit_code: int = 0, **fields: Any) -> Line:
    heard = [_EXEC + '{"cmd": ' + json.dumps(command) + ", " + _WORKSPACE]
    shown = {"out": "out: " + " ".join(command) + "\n", "err": "err", "heard": heard, **fields}
    return Line(("exec", *words), exit_code, **shown)


def _upload(words: Sequence[str], files: List[Tuple[str, int]], **fields: Any) -> Line:
    sending = f"ℹ Uploading {len(files)} file(s)...\n"  # noqa: RUF001 - what is printed
    shown = {"exit_code": 0, "out": sending + f"✓ Uploaded {len(files)} file(s) to /workspace\n", **fields}
    if shown["exit_code"]:
        shown["out"] = sending
    return Line(("upload", "s", *words), heard=[_UPLOAD + repr(sorted(files))], **shown)


SAME = [
    Line(["health"], 0, "✓ Manager is healthy\n", heard=["GET /healthz"]),
    Line(["health"], 1, "", "✗ Manager is not healthy\n", ["GET /healthz"], [(503, b"")]),
    Line(
        ["health"],
        1,
        "",
        "✗ Manager is not healthy\n",
        variables={"NOXRUNNER_BASE_URL": "http://127.0.0.1:1"},
    ),
    Line(["touch", "s"], 0, "✓ TTL extended\n", heard=[_TOUCH]),
    Line(["touch", "s"], 1, "", "✗ Failed to extend TTL\n", [_TOUCH], [(201, b"")]),
    Line(["touch", "s"], 1, "", f"✗ Touch failed: {_NOT_FOUND}", [_TOUCH], _GONE),
    Line(
        ["touch", "s"],
        1,
        "",
        "✗ Unexpected error: unknown url type: 'junk/v1/sandboxes/s/touch'\n",
        variables={"NOXRUNNER_BASE_URL": "junk"},
    ),
    Line(["delete", "s"], 0, "✓ Sandbox deleted\n", heard=[_DELETE]),
    Line(["delete", "s"], 1, "", "✗ Failed to delete sandbox\n", [_DELETE], [(202, b"")]),
    Line(["delete", "s"], 1, "", f"✗ Delete failed: {_NOT_FOUND}", [_DELETE], _GONE),
    Line(["create", "s"], 0, "✓ Sandbox created: sbx-1\n", heard=[_PUT + '{"ttlSeconds": 900}']),
    Line(
        ["create", "s", "--ttl", "5", "--image", "i", "--cpu", "1", "--mem", "1Gi", "--storage", "2Gi"],
        0,
        "✓ Sandbox created: sbx-1\n",
        heard=[
            _PUT + '{"ttlSeconds": 5, "image": "i", "cpuLimit": "1", "memoryLimit": "1Gi",'
            ' "ephemeralStorageLimit": "2Gi"}'
        ],
    ),
    Line(
        ["create", "s", "--wait"],
        0,
        "✓ Sandbox created: sbx-1\nℹ Waiting for pod to be ready...\n✓ Pod is ready\n",  # noqa: RUF001
        heard=[
            _PUT + '{"ttlSeconds": 900}',
            _EXEC + '{"cmd": ["echo", "ready"], "workdir": "/workspace", "timeoutSeconds": 5}',
        ],
    ),
    Line(
        ["create", "s", "--wait", "--wait-timeout", "0"],
        0,
        "✓ Sandbox created: None\nℹ Waiting for pod to be ready...\n"  # noqa: RUF001
        "⚠ Pod did not become ready within timeout\n",
        heard=[_PUT + '{"ttlSeconds": 900}'],
        answers=[(200, b"{}")],
    ),
    Line(
        ["create", "s"],
        1,
        "",
        f"✗ Failed to create noxrunner: {_NOT_FOUND}",
        [_PUT + '{"ttlSeconds": 900}'],
        _GONE,
    ),
    _exec(["s", "echo", "hi"], ["echo", "hi"]),
    _exec(["s", "x", "3"], ["x", "3"], 3),
    _exec(["--ignore-exit-code", "s", "x", "3"], ["x", "3"]),
    _exec(["s", "x", "300"], ["x", "300"], 44),
    _exec(["s", "--", "x", "-y"], ["x", "-y"]),
    _exec(["s", "--env", "A=1", "x"], ["--env", "A=1", "x"]),
    _exec(["s"], []),
    _exec(["s", "x"], ["x"], 0, out="", err="", answers=[(200, b'{"exitCode": null, "stdout": null}')]),
    _exec(["s", "x"], ["x"], 1, out="", err=f"✗ Execution failed: {_NOT_FOUND}", answers=_GONE),
    Line(
        ["exec", "--env", "A=1", "--env", "B=x=y", "--workdir", "/w", "--timeout-seconds", "4", "s", "x"],
        0,
        "out: x\n",
        "err",
        [_EXEC + '{"cmd": ["x"], "workdir": "/w", "timeoutSeconds": 4, "env": {"A": "1", "B": "x=y"}}'],
    ),
    _upload(["f1"], [("f1", 1)]),
    _upload(["dir/f2", "f1", "dir/n/f3"], [("f2", 1), ("f1", 1), ("f3", 1)]),
    _upload(["--dir", "dir"], [("f2", 1), ("n/f3", 1)]),
    _upload(["f1"], [("f1", 1)], exit_code=1, err="✗ Upload failed\n", answers=[(202, b"")]),
    _upload(["f1"], [("f1", 1)], exit_code=1, err=f"✗ Upload failed: {_NOT_FOUND}", answers=_GONE),
    Line(["upload", "s", "f1", "nope"], 1, "", "✗ File not found: nope\n"),
    Line(["upload", "s", "dir"], 1, "", "✗ Is a directory (use --dir): dir\n"),
    Line(["upload", "s", "--dir", "f1"], 1, "", "✗ Not a directory: f1\n"),
    Line(["upload", "s"], 1, "", "✗ No files to upload\n"),
    Line(["upload", "s", "--dir", "empty"], 1, "", "✗ No files to upload\n"),
    Line(["download", "s"], 0, _FETCHING + "✓ Extracted to .\n", heard=[_GET], leaves=["d", "d/a", "e"]),
    Line(
        ["download", "s", "--extract", "new/o"],
        0,
        _FETCHING + "✓ Extracted to new/o\n",
        heard=[_GET],
        leaves=["new", "new/o", "new/o/d", "new/o/d/a", "new/o/e"],
    ),
    Line(
        ["download", "s", "--output", "o.tgz", "--src", "/x y"],
        0,
        _FETCHING + "✓ Downloaded to o.tgz\n",
        heard=["GET /v1/sandboxes/s/files/download?src=%2Fx+y"],
        leaves=["o.tgz"],
    ),
    Line(["download", "s"], 1, _FETCHING, f"✗ Download failed: {_NOT_FOUND}", [_GET], _GONE),
    Line(["download", "s"], 1, _FETCHING, "✗ Unexpected error: not a gzip file\n", [_GET], [(200, b"junk")]),
    Line(["download", "s"], 1, _FETCHING, "✗ Unexpected error: empty file\n", [_GET], [(200, b"")]),
    Line(["download", "s"], 0, _FETCHING + "✓ Extracted to .\n", "", [_GET], [(200, archive())]),
]

_OUTSIDE = archive(("/abs", b"1"), ("../up", b"1"), ("l", {"type": b"2", "linkname": "/etc"}), ("ok", b"1"))
_LEFT_OUT = "⚠ 3 member(s) left out because they lead outside or are special, first '/abs'\n"
OURS = [
    Line(["touch", "s t"], 0, "✓ TTL extended\n", heard=["POST /v1/sandboxes/s%20t/touch"]),
    Line(
        ["download", "s"],
        0,
        _FETCHING + _LEFT_OUT + "✓ Extracted to .\n",
        "",
        [_GET],
        [(200, _OUTSIDE)],
        leaves=["ok"],
    ),
    Line(
        ["download", "s"],
        1,
        _FETCHING,
        "✗ Unexpected error: the archive ends too early\n",
        [_GET],
        [(200, HOME[:-20])],
    ),
]

# typed -> (what the prompts and answers print after the greeting, standard error, commands that arrive)
TYPED: List[Tuple[str, str, str, List[Any]]] = [
    ("exit\n", "$ ", "", []),
    ("quit\n", "$ ", "", []),
    ("", "$ \n", "", []),
    ("\n  \nexit\n", "$ $ $ ", "", []),
    ("touch\nexit\n", "$ ✓ TTL extended\n$ ", "", [_TOUCH]),
    ('echo "b c" | cat\nexit\n', "$ out: echo b c | cat\n$ ", "err", [["echo", "b c", "|", "cat"]]),
    ("x 3\nexit\n", "$ out: x 3\n⚠ Command exited with code 3\n$ ", "err", [["x", "3"]]),
    ("cd /x\npwd\nexit\n", "$ out: cd /x\n$ out: pwd\n$ ", "errerr", [["cd", "/x"], ["pwd"]]),
    ("EXIT\nexit now\n", "$ out: EXIT\n$ out: exit now\n$ \n", "errerr", [["EXIT"], ["exit", "now"]]),
]
SHELL = [
    Line(
        ["shell", "s"],
        0,
        printed.replace("$ ", "noxrunner:s$ "),
        error,
        [
            line if isinstance(line, str) else _EXEC + json.dumps({"cmd": line})[:-1] + ", " + _WORKSPACE
            for line in heard
        ],
        typed=typed,
    )
    for typed, printed, error, heard in TYPED
]
