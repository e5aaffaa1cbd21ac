"""Calls of the client with what the service answers, what must arrive there, and what the caller gets.

The table holds for the original too (tests/e2e/test_noxrunner_original.py), rows of `OURS` excepted.
"""

from __future__ import annotations

import json
from typing import Any, List, NamedTuple, Tuple


class Call(NamedTuple):
    method: str
    arguments: Tuple[Any, ...]
    heard: List[str]
    gives: Any = True
    status: int = 200
    body: bytes = b"{}"

    @property
    def label(self) -> str:
        return "{} {} {} {}".format(
            self.method, *(ascii(part)[:30] for part in (self.arguments, self.status, self.body))
        )


class Raised(NamedTuple):
    kind: str
    text: str


_SANDBOX = {"podName": "p", "expiresAt": "x"}
_CREATED = json.dumps(_SANDBOX).encode()
_PUT = 'PUT /v1/sandboxes/s {"ttlSeconds": 900}'
_EXEC = "POST /v1/sandboxes/s/exec "
_PLAIN = _EXEC + '{"cmd": ["a"], "workdir": "/workspace", "timeoutSeconds": 30}'
_UPLOAD = "POST /v1/sandboxes/s/files/upload?dest=%2Fworkspace [('a', 1)]"
_DOWNLOAD = "GET /v1/sandboxes/s/files/download?src=%2Fworkspace"
_TOUCH, _DELETE = "POST /v1/sandboxes/s/touch", "DELETE /v1/sandboxes/s"


def _refused(status: int, reason: str, body: str = "") -> Raised:
    text = f"HTTP {status}: HTTP Error {status}: {reason}"
    return Raised("NoxRunnerHTTPError", f"{text}\nResponse: {body}" if body else text)


def _create(gives: Any, status: int, body: bytes) -> Call:
    return Call("create_sandbox", ("s",), [_PUT], gives, status, body)


HEALTH = [
    Call("health_check", (), ["GET /healthz"], gives, status, body)
    for gives, status, body in [
        (True, 200, b"OK"),
        (False, 200, b"ok"),
        (True, 200, b'{"status":"OK"}'),
        (False, 201, b"OK"),
        (False, 204, b""),
        (False, 404, b"OK"),
        (False, 503, b"OK"),
    ]
]
CREATE = [
    _create(_SANDBOX, 200, _CREATED),
    _create(_SANDBOX, 201, _CREATED),
    _create({}, 200, b""),
    _create({}, 204, b""),
    _create([1], 200, b"[1]"),
    _create(None, 200, b"null"),
    _create(
        Raised("NoxRunnerError", "Invalid JSON response: Expecting value: line 1 column 1 (char 0)"),
        200,
        b"x",
    ),
    _create(_refused(400, "Bad Request", '{"error":"bad"}'), 400, b'{"error":"bad"}'),
    _create(_refused(404, "Not Found", "x"), 404, b"\xff\xfex"),
    _create(_refused(500, "Internal Server Error"), 500, b""),
    _create(_refused(307, "Temporary Redirect", "q"), 307, b"q"),
    Call(
        "create_sandbox",
        ("s", 5, "img", "1", "1Gi", "2Gi"),
        [
            (
                'PUT /v1/sandboxes/s {"ttlSeconds": 5, "image": "img", "cpuLimit": "1", "memoryLimit": "1Gi",'
                ' "ephemeralStorageLimit": "2Gi"}'
            )
        ],
        {},
    ),
    Call("create_sandbox", ("s", 0, "", "", "", ""), ['PUT /v1/sandboxes/s {"ttlSeconds": 0}'], {}),
]
EXEC = [
    Call(
        "exec",
        ("s", ["echo", "\u00e9"], "/w", {"A": "1"}, 7),
        [_EXEC + '{"cmd": ["echo", "\\u00e9"], "workdir": "/w", "timeoutSeconds": 7, "env": {"A": "1"}}'],
        {"exitCode": 0},
        200,
        b'{"exitCode": 0}',
    ),
    Call(
        "exec",
        ("s", [], "/w", {}),
        [_EXEC + '{"cmd": [], "workdir": "/w", "timeoutSeconds": 30}'],
        {},
    ),
    Call("exec", ("s", ["a"]), [_PLAIN], {}, 204, b""),
    Call("exec", ("s", ["a"]), [_PLAIN], _refused(404, "Not Found", "gone"), 404, b"gone"),
    Call(
        "exec_shell",
        ("s", "echo $A | cat", "/w", None, 9, "bash"),
        [_EXEC + '{"cmd": ["bash", "-c", "echo $A | cat"], "workdir": "/w", "timeoutSeconds": 9}'],
        {},
    ),
    Call(
        "exec_shell",
        ("s", "x", "/w", None, 9, "zsh"),
        [],
        Raised("ValueError", "shell must be 'sh' or 'bash', got: zsh"),
    ),
    Call(
        "wait_for_pod_ready",
        ("s",),
        [_EXEC + '{"cmd": ["echo", "ready"], "workdir": "/workspace", "timeoutSeconds": 5}'],
        True,
        200,
        b'{"exitCode": 5, "stdout": " ready\\n"}',
    ),
    Call("wait_for_pod_ready", ("s", 0), [], False),
]
FILES = [
    Call("upload_files", ("s", {"a": "b"}), [_UPLOAD], status == 200, status, b"x" if status != 204 else b"")
    for status in (200, 201, 202, 204)
]
FILES += [
    Call(
        "upload_files",
        ("s", {"a": b"\xff"}),
        [_UPLOAD],
        _refused(400, "Bad Request", "bad tar"),
        400,
        b"bad tar",
    ),
    Call("upload_files", ("s", {}), ["POST /v1/sandboxes/s/files/upload?dest=%2Fworkspace []"]),
    Call(
        "upload_files",
        ("s", {"a b/\u00e9": b"x"}, "/w s/\u00e9?&"),
        ["POST /v1/sandboxes/s/files/upload?dest=%2Fw+s%2F%C3%A9%3F%26 [('a b/\u00e9', 1)]"],
    ),
    Call("download_files", ("s",), [_DOWNLOAD], b"\x00raw", 200, b"\x00raw"),
    Call("download_files", ("s",), [_DOWNLOAD], b"raw", 202, b"raw"),
    Call("download_files", ("s", "/a b"), ["GET /v1/sandboxes/s/files/download?src=%2Fa+b"], b"{}"),
    Call("download_files", ("s",), [_DOWNLOAD], _refused(404, "Not Found"), 404, b""),
]
LIFE = [
    call
    for status in (200, 201, 202, 204)
    for body in [b"" if status == 204 else b"text"]
    for call in (
        Call("touch", ("s",), [_TOUCH], status == 200, status, body),
        Call("delete_sandbox", ("s",), [_DELETE], status in (200, 204), status, body),
    )
]
LIFE += [
    Call(method, ("s",), [line], _refused(404, "Not Found", "no"), 404, b"no")
    for method, line in (("touch", _TOUCH), ("delete_sandbox", _DELETE))
]
IDS = [
    Call("touch", (name,), [f"POST /v1/sandboxes/{name}/touch"])
    for name in ("A-z_0.9~", "..", "%41", "a%2fb", "a:b@c!$&'()*+,;=", "")
]
SAME = [*HEALTH, *CREATE, *EXEC, *FILES, *LIFE, *IDS]

OURS = [
    *(
        Call("touch", (name,), [f"POST /v1/sandboxes/{encoded}/touch"])
        for name, encoded in [
            ("a/b", "a%2Fb"),
            ("a?x=1", "a%3Fx=1"),
            ("a#b", "a%23b"),
            ("a b", "a%20b"),
            ("\u00e9", "%C3%A9"),
            ("a\nb", "a%0Ab"),
            ("a\0b", "a%00b"),
            ("100%", "100%25"),
            ("\ud800", "%ED%A0%80"),
        ]
    ),
    _create(
        Raised(
            "NoxRunnerError",
            "Invalid JSON response: 'utf-8' codec can't decode byte 0xff in position 0: invalid start byte",
        ),
        200,
        b"\xff",
    ),
]


def outcome(client: Any, method: str, arguments: Tuple[Any, ...]) -> Any:
    """What the caller gets: a value, or class and text of what was raised."""
    try:
        return getattr(client, method)(*arguments)
    except Exception as error:  # noqa: BLE001 - the outcome under test
        return Raised(type(error).__name__, str(error))
