from __future__ import annotations

from urllib.parse import quote

import pytest

from tests.unit.native.calls import NDJSON, SSE, Calls, one_event


def _put(call: Calls, box: str, path: str, content: bytes = b"x", rest: str = "") -> None:
    assert call("PUT", f"{box}/files/content?path={quote(path)}{rest}", content).status == 200


def test_a_file_is_written_with_its_parents_and_read(call: Calls, box: str) -> None:
    told = call("PUT", f"{box}/files/content?path=deep/er/file&mode=0600", b"0123456789")
    assert (told.status, told.json) == (200, {"bytes": 10})
    found = call("GET", f"{box}/files/stat?path=/workspace/deep/er/file").json
    assert (found["kind"], found["size"], found["mode"], found["name"]) == ("file", 10, 0o600, "file")
    read = call("GET", f"{box}/files/content?path=deep/er/file")
    assert (read.status, read.body) == (200, b"0123456789")
    assert read.headers["content-type"] == "application/octet-stream"
    assert read.headers["content-length"] == read.headers["sandlot-size"] == "10"
    assert read.headers["content-disposition"] == "attachment"
    assert read.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    ("asked", "status", "body", "told"),
    [
        ("bytes=2-4", 206, b"234", "bytes 2-4/10"),
        ("bytes=7-", 206, b"789", "bytes 7-9/10"),
        ("bytes=-2", 206, b"89", "bytes 8-9/10"),
        ("bytes=0-99", 206, b"0123456789", "bytes 0-9/10"),
        ("bytes=1-2,4-5", 200, b"0123456789", None),
        ("junk", 200, b"0123456789", None),
    ],
)
def test_a_part_of_a_file_is_read(
    call: Calls, box: str, asked: str, status: int, body: bytes, told: str | None
) -> None:
    _put(call, box, "ranged", b"0123456789")
    read = call("GET", f"{box}/files/content?path=ranged", Range=asked)
    assert (read.status, read.body, read.headers.get("content-range")) == (status, body, told)
    assert read.headers["content-length"] == str(len(body))


def test_a_part_that_is_not_there_is_refused(call: Calls, box: str) -> None:
    _put(call, box, "ranged", b"0123456789")
    read = call("GET", f"{box}/files/content?path=ranged", Range="bytes=10-")
    assert (read.status, read.headers["content-range"]) == (416, "bytes */10")
    assert read.code == "invalid_spec"


def test_a_conditional_range_is_for_all_of_it(call: Calls, box: str) -> None:
    _put(call, box, "ranged", b"0123456789")
    read = call("GET", f"{box}/files/content?path=ranged", Range="bytes=1-2", If_Range='"some"')
    assert (read.status, read.body) == (200, b"0123456789")


def test_an_empty_file_is_read(call: Calls, box: str) -> None:
    _put(call, box, "empty", b"")
    read = call("GET", f"{box}/files/content?path=empty")
    assert (read.status, read.body, read.headers["content-length"]) == (200, b"", "0")


def test_a_directory_is_not_replaced_by_a_file(call: Calls, box: str) -> None:
    for path in ("/workspace", "/tmp", "."):
        assert call("PUT", f"{box}/files/content?path={path}", b"x").code == "conflict"


def test_a_large_file_comes_and_goes_whole(call: Calls, box: str) -> None:
    content = bytes(range(256)) * 40_000
    _put(call, box, "large", content)
    assert call("GET", f"{box}/files/content?path=large").body == content


def test_directories_are_made_listed_moved_and_removed(call: Calls, box: str) -> None:
    files = f"{box}/files"
    assert call("POST", f"{files}/mkdir", {"path": "one/two", "parents": True}).status == 204
    assert call("POST", f"{files}/mkdir", {"path": "one"}).code == "conflict"
    assert call("POST", f"{files}/mkdir", {"path": "no/parent"}).code == "not_found"
    _put(call, box, "one/file")
    found = call("GET", f"{files}/list?path=one").json["entries"]
    assert {(each["name"], each["kind"]) for each in found} == {("two", "directory"), ("file", "file")}
    assert call("POST", f"{files}/move", {"path": "one", "to": "/tmp/other"}).code == "unsupported"
    assert call("POST", f"{files}/move", {"path": "one", "to": "moved"}).status == 204
    assert call("DELETE", f"{files}?path=moved").code == "conflict"
    assert call("DELETE", f"{files}?path=moved&recursive=true").status == 204
    assert call("GET", f"{files}/stat?path=moved").code == "not_found"
    assert call("DELETE", f"{files}?path=moved").code == "not_found"


def test_a_directory_of_many_files_is_listed(call: Calls, box: str) -> None:
    call("POST", f"{box}/exec", {"cmd": ["sh", "-c", "mkdir many && cd many && seq 1 1501 | xargs touch"]})
    found = call("GET", f"{box}/files/list?path=many")
    assert {each["name"] for each in found.json["entries"]} == {str(number) for number in range(1, 1502)}
    call("POST", f"{box}/files/mkdir", {"path": "none"})
    assert call("GET", f"{box}/files/list?path=none").body == b'{"entries":[]}'


@pytest.mark.parametrize(
    "name", ["new\nline", "-rf", " lead", "quote\"'", "ünïcode", "a" * 255, "CON", "$(id)", "\u202ertl"]
)
def test_odd_names_make_the_round_trip(call: Calls, box: str, name: str) -> None:
    """F09."""
    _put(call, box, f"odd/{name}", b"content")
    assert call("GET", f"{box}/files/content?path={quote('odd/' + name)}").body == b"content"
    assert name in [each["name"] for each in call("GET", f"{box}/files/list?path=odd").json["entries"]]


def test_names_that_are_no_text_are_listed_and_cannot_be_asked_for(call: Calls, box: str) -> None:
    call("POST", f"{box}/exec", {"code": "import os; os.mkdir('bytes'); open(b'bytes/\\xff', 'w')"})
    assert [each["name"] for each in call("GET", f"{box}/files/list?path=bytes").json["entries"]] == [
        "\udcff"
    ]
    assert call("GET", f"{box}/files/stat?path=bytes/%FF").code == "invalid_spec"


@pytest.mark.parametrize(
    "path",
    [
        "../x",
        "/etc/passwd",
        "/",
        "/proc/1/mem",
        "a/../../b",
        "%2e%2e/x",
        "a%00b",
        "",
        "b" * 256,
        "/workspace/../etc/x",
    ],
)
@pytest.mark.parametrize(
    ("verb", "route"),
    [
        ("GET", "stat"),
        ("GET", "list"),
        ("GET", "content"),
        ("PUT", "content"),
        ("GET", "watch"),
        ("DELETE", ""),
    ],
)
def test_paths_that_lead_out_are_refused(call: Calls, box: str, verb: str, route: str, path: str) -> None:
    """F03."""
    told = call(
        verb, f"{box}/files{'/' + route if route else ''}?path={path}", b"x" if verb == "PUT" else None
    )
    assert told.code in ("path_escape", "invalid_spec")


def test_paths_in_bodies_that_lead_out_are_refused(call: Calls, box: str) -> None:
    for path in ("../x", "/etc/x", "a\0b", ""):
        assert call("POST", f"{box}/files/mkdir", {"path": path}).status == 400
        assert call("POST", f"{box}/files/move", {"path": "x", "to": path}).status == 400
        assert call("POST", f"{box}/files/move", {"path": path, "to": "x"}).status == 400


def test_links_are_told_and_never_followed(call: Calls, box: str) -> None:
    """F04."""
    call("POST", f"{box}/exec", {"cmd": ["ln", "-s", "/etc/passwd", "link"]})
    found = call("GET", f"{box}/files/stat?path=link").json
    assert (found["kind"], found["target"]) == ("symlink", "/etc/passwd")
    assert call("GET", f"{box}/files/content?path=link").status in (400, 409)
    assert call("GET", f"{box}/files/content?path=link/x").status in (400, 404, 409)


def test_what_is_no_regular_file_is_not_read(call: Calls, box: str) -> None:
    """F08."""
    call("POST", f"{box}/exec", {"cmd": ["mkfifo", "fifo"]})
    assert call("GET", f"{box}/files/content?path=fifo").status == 400
    assert call("GET", f"{box}/files/content?path=/workspace").code == "conflict"
    assert call("PUT", f"{box}/files/content?path=fifo", b"x").status == 400


@pytest.mark.parametrize("accept", [NDJSON, SSE])
def test_changes_are_told_as_they_happen(call: Calls, box: str, accept: str) -> None:
    call("POST", f"{box}/files/mkdir", {"path": f"seen-{accept[0]}"})
    with call.begun("GET", f"{box}/files/watch?path=seen-{accept[0]}", Accept=accept) as answer:
        assert answer.status == 200
        _put(call, box, f"seen-{accept[0]}/new")
        change = one_event(answer)
    assert change == {
        "id": 1,
        "event": "change",
        "path": f"/workspace/seen-{accept[0]}/new",
        "kind": "created",
    }


def test_nothing_is_watched_that_is_not_there(call: Calls, box: str) -> None:
    assert call("GET", f"{box}/files/watch?path=nothing").code == "not_found"


def test_a_watch_ends_with_its_sandbox(call: Calls) -> None:
    path = "/v1/sandboxes/watched"
    call("PUT", path, {})
    with call.begun("GET", f"{path}/files/watch") as answer:
        call("DELETE", path)
        assert one_event(answer)["event"] == "failed"
        assert answer.read() == b""


@pytest.mark.parametrize(
    "body", ["{}", '{"path":"a","mode":1}', '{"path":1}', '{"path":"a","parents":"yes"}', "[]"]
)
def test_a_directory_that_is_asked_for_wrongly_is_refused(call: Calls, box: str, body: str) -> None:
    assert call("POST", f"{box}/files/mkdir", body, Content_Type="application/json").code == "invalid_spec"


def test_a_full_workspace_is_told(call: Calls) -> None:
    path = "/v1/sandboxes/full"
    call("PUT", path, {"limits": {"disk": "1Mi"}})
    assert call("PUT", f"{path}/files/content?path=large", b"x" * 3_000_000).code == "disk_full"
    assert call("GET", f"{path}/files/stat?path=large").code == "not_found"
    call("DELETE", path)
