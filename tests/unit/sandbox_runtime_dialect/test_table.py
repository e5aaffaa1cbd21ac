"""Every request of the endpoint table, good and bad: the documented reply, or the published error."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import pytest

from tests.unit.sandbox_runtime_dialect.wire import Runtime, error, form

HELLO = "def handler(event):\n    return event"


class Row(NamedTuple):
    verb: str
    path: str
    body: Any = None
    status: int = 200
    reply: Mapping[str, Any] = {}
    detail: object = None


GOOD = [
    Row("GET", "/healthy", reply={"status": "success"}),
    Row("POST", "/session/made{n}", {}, reply={"size": None, "size_enforced": False}),
    Row("DELETE", "/session/made0", reply={"status": "success"}),
    Row("DELETE", "/session/made1", reply={"status": "success"}),
    Row("GET", "/status/never", reply={"id": "never", "exists": False, "created_at": None, "files": []}),
    Row("POST", "/create/{id}", {"content": "hé\n", "filename": "d/a.txt"}, reply={"size": 4}),
    Row("POST", "/create/{id}", {"content": "", "filename": "e.sh", "mode": 0o755}, reply={"size": 0}),
    Row("GET", "/files/{id}"),
    Row(
        "GET",
        "/files/{id}/d",
        reply={"files": [{"filename": "d/a.txt", "name": "d/a.txt", "size": 4, "type": "txt"}]},
    ),
    Row(
        "GET",
        "/readfile/{id}/d/a.txt",
        reply={"content": "hé\n", "is_binary": False, "offset": 4, "is_eof": True},
    ),
    Row(
        "GET",
        "/readfile/{id}/d/a.txt?offset=9",
        reply={"content": "", "offset": 9, "size": 4, "is_eof": True},
    ),
    Row(
        "POST",
        "/execute/{id}",
        {"command": "echo", "args": ["a"]},
        reply={"stdout": "a\n", "stderr": "", "returncode": 0},
    ),
    Row(
        "POST", "/execute/{id}", {"command": "exit 3"}, reply={"stdout": "", "returncode": 3, "exit_code": 3}
    ),
    Row("POST", "/execute/{id}", {"command": "no-such-program"}, reply={"returncode": 127}),
    Row(
        "POST",
        "/execute_code/{id}",
        {"code": "print(1)", "args": None},
        reply={"stdout": "1\n", "returncode": 0},
    ),
    Row(
        "POST",
        "/execute_code/{id}",
        {"code": "a = [1]", "output_params": ["a", "b"]},
        reply={"output_variables": {"a": [1]}},
    ),
    Row("GET", "/workspaces"),
    Row(
        "POST",
        "/download_from_efast/{id}",
        {"file_params": [{"docid": "gns://one"}]},
        reply={"success_count": 1},
    ),
]
BAD = [
    Row("GET", "/nothing", status=404),
    Row("PUT", "/healthy", status=405),
    Row("POST", "/session/{id}", {"size": "50M"}, 409),
    Row("POST", "/session/new", None, 415),
    Row("POST", "/session/new", {"size": "much"}, 422),
    Row("POST", "/session/new", {"size": 5}, 422),
    Row("POST", "/session/.new", {}, 400),
    Row("GET", "/status/a%20b", status=400),
    Row("GET", "/files/a%2Fb", status=400),
    Row("POST", "/create/{id}", {"content": "a"}, 422),
    Row("POST", "/create/{id}", {"content": "a", "filename": "../a"}, 400),
    Row("POST", "/create/{id}", {"content": "a", "filename": "/etc/a"}, 400),
    Row("POST", "/create/{id}", {"content": "a", "filename": ""}, 400),
    Row("POST", "/create/{id}", {"content": "a", "filename": "a\0b"}, 400),
    Row("POST", "/create/{id}", {"content": "a", "filename": "a", "mode": -1}, 422),
    Row("POST", "/upload/{id}", {"file": "a"}, 422),
    Row("GET", "/download/{id}/none.txt", status=404, detail="File not found"),
    Row("GET", "/download/{id}/d", status=400, detail="Not a file"),
    Row("GET", "/download/{id}/d/..%2F..%2Fetc/passwd", status=400),
    Row("GET", "/download/{id}/", status=400),
    Row("GET", "/files/{id}/none", status=404),
    Row("GET", "/files/{id}/e.sh", status=400),
    Row("GET", "/files/{id}/..", status=400),
    Row("GET", "/files/{id}?recursive=perhaps", status=422),
    Row("GET", "/files/preview/{id}/none.txt?sid=1", status=404),
    Row("GET", "/files/preview/{id}/e.sh", status=415),
    Row("GET", "/readfile/{id}/none.txt", status=404, detail="File not found"),
    Row("GET", "/readfile/{id}/d", status=400, detail="Not a file"),
    Row("GET", "/readfile/{id}/d/a.txt?offset=-1", status=422),
    Row("GET", "/readfile/{id}/d/a.txt?buffer_size=0", status=422),
    Row("POST", "/execute/{id}", {}, 422),
    Row("POST", "/execute/{id}", {"command": " "}, 422),
    Row("POST", "/execute/{id}", {"command": "ls", "args": [1]}, 422),
    Row("POST", "/execute/{id}", {"command": "ls", "timeout": 0}, 422),
    Row("POST", "/execute/{id}", b"{", 415),
    Row("POST", "/execute/{id}", {"command": "ls", "args": ["a\0b"]}, 422),
    Row("POST", "/execute_code/{id}", {"code": "1", "args": ["a" * 140_000]}, 422),
    Row("POST", "/v2/execute_code", {"handler_code": HELLO, "event": {"a": "x" * 2**21}}, 422),
    Row("POST", "/v2/execute_code", {"handler_code": HELLO, "context": {"function_name": "x" * 9000}}, 422),
    Row("POST", "/execute_code/{id}", {"code": "1", "script_type": "ruby"}, 422),
    Row("POST", "/execute_code/{id}", {"code": "1", "filename": "../a.py"}, 400),
    Row("POST", "/v2/execute_code", {}, 422),
    Row("POST", "/v2/execute_code", {"handler_code": "  "}, 422),
    Row("POST", "/v2/execute_code", {"handler_code": HELLO, "event": [1]}, 422),
    Row("POST", "/v2/execute_code", {"handler_code": HELLO, "event": {"__timeout": "5"}}, 422),
    Row("POST", "/v2/execute_code", {"handler_code": HELLO, "context": {"colour": "red"}}, 422),
    Row("POST", "/v2/execute_code", {"handler_code": "#" * 102_401}, 422),
    Row("POST", "/cleanup-all", None, 415),
    Row("POST", "/cleanup-all", {"force": "yes"}, 422),
    Row("POST", "/download_from_efast/{id}", {}, 400, detail="No file parameters provided"),
    Row(
        "POST",
        "/download_from_efast/{id}",
        {"file_params": [{}]},
        400,
        detail="Missing docid in file_params[0]",
    ),
    Row("POST", "/download_from_efast/{id}", {"file_params": [{"docid": "a", "savename": "../b"}]}, 400),
    Row("POST", "/download_from_efast/{id}", {"file_params": [{"docid": "a"}], "save_path": "/etc"}, 400),
]


def _name(row: Row) -> str:
    return f"{row.verb} {row.path} {row.status}"


@pytest.fixture(scope="module", autouse=True)
def furnished(runtime: Runtime, session: str) -> None:
    """What the rows read, whichever of them run."""
    runtime.good("POST", f"/create/{session}", {"content": "hé\n", "filename": "d/a.txt"})
    runtime.good("POST", f"/create/{session}", {"content": "", "filename": "e.sh"})


@pytest.mark.parametrize("slash", ["", "/"])
@pytest.mark.parametrize("row", GOOD, ids=_name)
def test_a_good_request_is_answered_in_every_form(
    runtime: Runtime, session: str, row: Row, slash: str
) -> None:
    path, question, query = row.path.format(id=session, n=len(slash)).partition("?")
    told = runtime.good(row.verb, path + slash + question + query, row.body)
    assert {name: told[name] for name in row.reply} == row.reply


@pytest.mark.parametrize("row", BAD, ids=_name)
def test_a_bad_request_is_told_why(runtime: Runtime, session: str, row: Row) -> None:
    told = runtime(row.verb, row.path.replace("{id}", session), row.body)
    found = error(told, row.status)
    assert row.detail in (None, found["detail"])


def test_the_original_replies_have_their_members(runtime: Runtime, session: str) -> None:
    about = runtime.good("GET", f"/status/{session}")
    assert (about["exists"], about["is_mounted"], about["mount_point"]) == (True, True, "/workspace")
    assert {"filename", "size", "type", "modified_at"} <= set(about["files"][0])
    assert {each["filename"] for each in about["files"]} >= {"e.sh"}
    place = runtime.good("GET", "/workspaces")["workspaces"][session]
    assert place == {"mount_point": "/workspace", "created_at": about["created_at"]}


@pytest.mark.parametrize(
    ("query", "part", "named"), [("?filename=q.txt", "u.txt", "q.txt"), ("", "n%2Fu.txt", "n/u.txt")]
)
def test_an_upload_is_named_by_its_query_or_by_its_part(
    runtime: Runtime, session: str, query: str, part: str, named: str
) -> None:
    body, headers = form(b"\r\n--BOUN\r\n\x00", part)
    assert runtime.good("POST", f"/upload/{session}{query}", body, **headers) == {
        "filename": named,
        "size": 11,
    }
    told = runtime("GET", f"/download/{session}/{named}")
    assert (told.status, told.body) == (200, b"\r\n--BOUN\r\n\x00")
    assert told.headers["content-disposition"] == f'attachment; filename="{named.rpartition("/")[2]}"'
    assert told.headers["accept-ranges"] == "bytes"
    assert told.headers["etag"]


def test_an_upload_without_a_name_or_a_file_is_refused(runtime: Runtime, session: str) -> None:
    body, headers = form(b"a")
    assert (
        error(runtime("POST", f"/upload/{session}", body, **headers), 400)["detail"] == "No filename provided"
    )
    body, headers = form(b"a", "a.txt", name="other")
    error(runtime("POST", f"/upload/{session}", body, **headers), 422)
    body, headers = form(b"a", "../a.txt")
    error(runtime("POST", f"/upload/{session}", body, **headers), 400)
    body, headers = form(b"a", "a.txt")
    error(runtime("POST", f"/upload/{session}", body[:-8], **headers), 422)
    error(runtime("POST", f"/upload/{session}", b"x" * (4 * 2**20), **headers), 413)


def test_parts_of_a_download_are_had(runtime: Runtime, session: str) -> None:
    told = runtime("GET", f"/download/{session}/d/a.txt", Range="bytes=1-2")
    assert (told.status, told.body, told.headers["content-range"]) == (206, b"\xc3\xa9", "bytes 1-2/4")
    error(runtime("GET", f"/download/{session}/d/a.txt", Range="bytes=9-"), 416)


def test_the_documents_of_the_api_tell_every_operation(runtime: Runtime) -> None:
    own, whole = runtime.calls("GET", "/api.json").json, runtime.calls("GET", "/openapi.json").json
    told = {(verb, path) for path, item in own["paths"].items() for verb in item}
    assert len([path for _, path in told if path.startswith("/workspace/se/")]) == 16
    assert own["paths"].items() <= whole["paths"].items()
