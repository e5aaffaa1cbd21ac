"""Calls of the SDK with what the service answers, what must arrive there, and what the caller gets.

`SAME` holds for the original too (tests/e2e/test_sandbox_runtime_original.py), `BETTER` only here.
"""

from __future__ import annotations

import json
from typing import Any, Dict, List, NamedTuple, Tuple

from tests.base.compat_sandbox_runtime.service import Answer

SESSION = "s1"
FILE = "FILE"
"""Stands for the path of a file that holds `abc`."""
TARGET = "TARGET"
"""Stands for a path to write to."""


class Call(NamedTuple):
    method: str
    arguments: Tuple[Any, ...]
    heard: List[str]
    gives: Any
    answer: Answer = Answer()
    named: Dict[str, Any] = {}  # noqa: RUF012 - read only

    @property
    def label(self) -> str:
        return f"{self.method} {ascii(self.arguments)[:40]} {self.answer.status} {self.answer.body[:30]!r}"


class Raised(NamedTuple):
    """A SandboxError: how its message begins, and what its context tells at least."""

    text: str
    context: Dict[str, Any]


def _json(value: Any, status: int = 200) -> Answer:
    return Answer(status, json.dumps(value).encode())


def _asked(line: str, body: Any = None) -> List[str]:
    prefix, _, path = line.partition(" ")
    told = f"{prefix} /workspace/se/{path}"
    return [told if body is None else f"{told} {json.dumps(body, sort_keys=True)}"]


def _code(code: str, **rest: Any) -> List[str]:
    usual: Dict[str, Any] = {"filename": None, "args": [], "script_type": "python", "output_params": []}
    return _asked("POST execute_code/s1", {**usual, "code": code, **rest})


def _refused(line: str, status: int, said: Any) -> Raised:
    method, _, path = line.partition(" ")
    url = f"URL/workspace/se/{path}"
    return Raised(
        f"HTTP request failed: {method} {url} - Status: {status}, Message: {said}",
        {"method": method, "url": url, "status": status, "err_msg": said},
    )


_RAN = {"stdout": "hi\n", "stderr": "", "returncode": 0}
_ENTRIES = [{"filename": "a.txt", "size": 3, "type": "txt"}]
_STATUS = {"id": "s1", "exists": True, "files": []}
_READ = {"content": "abc", "is_binary": False, "offset": 3, "size": 3, "is_eof": True}
_WRAPPED = {**_RAN, "result": _RAN, "full_result": _RAN}
_FETCHED = {"message": "ok", "success_count": 1, "failed_count": 0}

SESSIONS = [
    Call(
        "create_session",
        (),
        _asked("POST session/s1", {"size": "50M"}),
        {"session_id": "s1"},
        _json({"session_id": "s1"}),
    ),
    Call("create_session", ("1G",), _asked("POST session/s1", {"size": "1G"}), {}),
    Call(
        "create_session",
        (),
        _asked("POST session/s1", {"size": "50M"}),
        _refused("POST session/s1", 500, {"detail": "exists"}),
        _json({"detail": "exists"}, 500),
    ),
    Call("delete_session", (), _asked("DELETE session/s1"), True, _json({"status": "success"})),
    Call(
        "delete_session",
        (),
        _asked("DELETE session/s1"),
        _refused("DELETE session/s1", 404, "no"),
        _json("no", 404),
    ),
    Call("get_status", (), _asked("GET status/s1"), _STATUS, _json(_STATUS)),
    Call("get_status", (), _asked("GET status/s1"), _STATUS, _json({"result": _STATUS})),
    Call("close", (), _asked("DELETE session/s1"), None, _json({}, 500)),
]
RUNS = [
    Call("execute", ("ls",), _asked("POST execute/s1", {"command": "ls", "args": []}), _RAN, _json(_RAN)),
    Call(
        "execute",
        ("echo", "a b", "\u00e9"),
        _asked("POST execute/s1", {"command": "echo", "args": ["a b", "\u00e9"]}),
        _RAN,
        _json(_WRAPPED),
    ),
    Call(
        "execute", ("x",), _asked("POST execute/s1", {"command": "x", "args": []}), Raised("", {}), _json([1])
    ),
    Call("execute_code", ("print(1)",), _code("print(1)"), _RAN, _json(_RAN)),
    Call("execute_code", ('print("a\\nb")',), _code('print("a\\nb")'), _RAN, _json(_WRAPPED)),
    Call("execute_code", ("print('a\\nb')\nx",), _code("print('a\\nb')\nx"), _RAN, _json(_RAN)),
    Call("execute_code", ("print('''\\d''')",), _code("print('''\\d''')"), _RAN, _json(_RAN)),
    Call("execute_code", ("x = 1\\nprint(x)",), _code("x = 1\nprint(x)"), _RAN, _json(_RAN)),
    Call(
        "execute_code",
        ("# don't\\nprint('\u00e9\\\\n')",),
        _code("# don't\nprint('\u00e9\\n')"),
        _RAN,
        _json(_RAN),
    ),
    Call(
        "execute_code",
        ("x = 1",),
        _code("x = 1", filename="f.py", args=["1"], output_params=["x"]),
        {**_RAN, "output_variables": {"x": 1}},
        _json({**_RAN, "output_variables": {"x": 1}}),
        {"filename": "f.py", "args": ["1"], "output_params": ["x"]},
    ),
    Call(
        "execute_code",
        ("echo hi",),
        _code("echo hi", script_type="shell"),
        _RAN,
        _json(_RAN),
        {"script_type": "shell"},
    ),
]
FILES = [
    Call(
        "create_file",
        ("abc", "d/a.txt"),
        _asked("POST create/s1", {"content": "abc", "filename": "d/a.txt", "mode": 420}),
        {"filename": "d/a.txt", "size": 3},
        _json({"filename": "d/a.txt", "size": 3}),
    ),
    Call(
        "create_file",
        ("abc", "../x"),
        _asked("POST create/s1", {"content": "abc", "filename": "../x", "mode": 384}),
        _refused("POST create/s1", 400, {"detail": "Invalid file path"}),
        _json({"detail": "Invalid file path"}, 400),
        {"mode": 0o600},
    ),
    Call(
        "upload_file",
        (FILE,),
        _asked("POST upload/s1", [["file", "a.txt", "abc"]]),
        {"size": 3},
        _json({"size": 3}),
    ),
    Call("upload_file", (FILE, "b.txt"), _asked("POST upload/s1", [["file", "b.txt", "abc"]]), {}),
    Call("upload_file", ("nowhere",), [], Raised("File not found: nowhere", {"file_path": "nowhere"})),
    Call(
        "download_file",
        ("a.txt", TARGET),
        _asked("GET download/s1/a.txt"),
        True,
        Answer(200, b"\x00raw", "text/x"),
    ),
    Call("download_file", ("d/a b\u00e9.txt", TARGET), _asked("GET download/s1/d/a%20b%C3%A9.txt"), True),
    Call(
        "download_file",
        ("a.txt", TARGET),
        _asked("GET download/s1/a.txt"),
        Raised("Failed to download file: ", {"filename": "a.txt", "session_id": "s1"}),
        _json({"detail": "File not found"}, 404),
    ),
    Call("list_files", ("d",), _asked("GET files/s1/d"), _ENTRIES, _json({"files": _ENTRIES})),
    Call("list_files", ("d",), _asked("GET files/s1/d"), _ENTRIES, _json({"result": {"files": _ENTRIES}})),
    Call(
        "list_files", ("d",), _asked("GET files/s1/d"), Raised("Failed to list files: 'files'", {}), _json({})
    ),
    Call(
        "read_file",
        ("a.txt",),
        _asked("GET readfile/s1/a.txt?offset=0&buffer_size=4096"),
        _READ,
        _json(_READ),
    ),
    Call("read_file", ("a", 3, 9), _asked("GET readfile/s1/a?offset=3&buffer_size=9"), _READ, _json(_READ)),
    Call(
        "read_file", ("d/../a",), _asked("GET readfile/s1/a?offset=0&buffer_size=4096"), _READ, _json(_READ)
    ),
    Call(
        "read_file",
        ("a%20b",),
        _asked("GET readfile/s1/a%20b?offset=0&buffer_size=4096"),
        _READ,
        _json(_READ),
    ),
    Call(
        "read_file",
        ("100%",),
        _asked("GET readfile/s1/100%25?offset=0&buffer_size=4096"),
        _READ,
        _json(_READ),
    ),
    Call(
        "download_from_efast",
        ([{"docid": "d"}],),
        _asked(
            "POST download_from_efast/s1",
            {"file_params": [{"docid": "d"}], "save_path": "", "efast_url": "", "token": "", "timeout": 300},
        ),
        _FETCHED,
        _json({"result": _FETCHED}),
    ),
]
SAME = [*SESSIONS, *RUNS, *FILES]

_TEXT = Answer(500, b"Internal Server Error", "text/plain; charset=utf-8")
BETTER = [
    # The original decodes the error as JSON, and tells of that instead of the service's own words.
    Call(
        "get_status",
        (),
        _asked("GET status/s1"),
        _refused("GET status/s1", 500, "Internal Server Error"),
        _TEXT,
    ),
    # It makes newlines of what stands in strings.
    Call("execute_code", ("print('a\\nb')",), _code("print('a\\nb')"), _RAN, _json(_RAN)),
    # Unescaping is for Python; a shell has its own.
    Call(
        "execute_code",
        ("printf 'a\\n'",),
        _code("printf 'a\\n'", script_type="shell"),
        _RAN,
        _json(_RAN),
        {"script_type": "shell"},
    ),
    # It asks for `recursive=false` whenever a recursive listing is wanted.
    Call(
        "list_files",
        ("d", True),
        _asked("GET files/s1/d?recursive=true"),
        _ENTRIES,
        _json({"files": _ENTRIES}),
    ),
    # It is redirected there.
    Call("list_files", (), _asked("GET files/s1/"), _ENTRIES, _json({"files": _ENTRIES})),
    # It takes `?` and `#` for the end of the name, and goes to another session for `..`.
    Call(
        "read_file",
        ("a?b#c",),
        _asked("GET readfile/s1/a%3Fb%23c?offset=0&buffer_size=4096"),
        _READ,
        _json(_READ),
    ),
    Call(
        "read_file",
        ("../x",),
        _asked("GET readfile/s1/%2E%2E/x?offset=0&buffer_size=4096"),
        _READ,
        _json(_READ),
    ),
    # It stores `nest%2Fu.txt`.
    Call(
        "upload_file",
        (FILE, "nest/u.txt"),
        _asked("POST upload/s1?filename=nest%2Fu.txt", [["file", "nest%2Fu.txt", "abc"]]),
        {},
    ),
]
