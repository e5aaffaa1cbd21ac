"""Files of a session: pages that cut no character, previews that run nothing, listings."""

from __future__ import annotations

import base64

import pytest

from tests.unit.sandbox_runtime_dialect.wire import Runtime, error, form

TEXT = "aé漢😀\n" * 300


def put(runtime: Runtime, session: str, name: str, content: bytes) -> None:
    body, headers = form(content, name)
    runtime.good("POST", f"/upload/{session}", body, **headers)


def paged(runtime: Runtime, session: str, name: str, size: int) -> list[str]:
    """The content of every page."""
    found, offset = [], 0
    while True:
        page = runtime.good("GET", f"/readfile/{session}/{name}?offset={offset}&buffer_size={size}")
        assert page["offset"] > offset
        found.append(page["content"])
        offset = page["offset"]
        if page["is_eof"]:
            assert offset == page["size"]
            return found


@pytest.mark.parametrize(("size", "encoding"), [(1, "utf-8"), (1000, "utf-8"), (999, "gbk")])
def test_pages_of_text_make_up_the_text(runtime: Runtime, session: str, size: int, encoding: str) -> None:
    text = (
        TEXT[:20]
        if size == 1
        else TEXT.replace("😀", "é" if encoding == "utf-8" else "字").replace("é", "文")
    )
    put(runtime, session, f"page-{size}.txt", text.encode(encoding))
    pages = paged(runtime, session, f"page-{size}.txt", size)
    assert "".join(pages) == text
    assert len(pages) > 1


def test_what_is_no_text_comes_as_base64(runtime: Runtime, session: str) -> None:
    content = bytes(range(256)) * 40
    put(runtime, session, "b.bin", content)
    assert b"".join(map(base64.b64decode, paged(runtime, session, "b.bin", 4096))) == content
    page = runtime.good("GET", f"/readfile/{session}/b.bin")
    assert (page["is_binary"], page["offset"], page["is_eof"]) == (True, 4096, False)


def test_a_buffer_of_any_size_is_taken_and_the_page_bounded(runtime: Runtime, session: str) -> None:
    put(runtime, session, "large.bin", b"x" * (2**21 + 5))
    page = runtime.good("GET", f"/readfile/{session}/large.bin?buffer_size=999999999")
    assert (page["offset"], page["is_eof"]) == (2**21, False)


@pytest.mark.parametrize(
    ("name", "media"),
    [
        ("a.html", "text/html; charset=utf-8"),
        ("a.md", "text/markdown; charset=utf-8"),
        ("a.csv", "text/csv; charset=utf-8"),
        ("a.json", "application/json; charset=utf-8"),
        ("a.svg", "image/svg+xml; charset=utf-8"),
        ("a.PNG", "image/png"),
        ("a.webp", "image/webp"),
        ("a.ico", "image/x-icon"),
    ],
)
def test_a_preview_has_its_type_and_can_do_nothing(
    runtime: Runtime, session: str, name: str, media: str
) -> None:
    put(runtime, session, name, b"<script>alert(1)</script>")
    told = runtime("GET", f"/files/preview/{session}/{name}?sid=any")
    assert (told.status, told.headers["content-type"]) == (200, media)
    assert told.headers["content-disposition"] == "inline"
    assert told.headers["x-content-type-options"] == "nosniff"
    assert told.headers["content-security-policy"].startswith("sandbox; default-src 'none'")


def test_a_name_beyond_ascii_is_told_in_both_forms(runtime: Runtime, session: str) -> None:
    put(runtime, session, "h%C3%A9%22.txt", b"a")
    disposition = runtime("GET", f"/download/{session}/h%C3%A9%22.txt").headers["content-disposition"]
    assert disposition == "attachment; filename=\"h%C3%A9%22.txt\"; filename*=UTF-8''h%C3%A9%22.txt"


def test_a_listing_goes_down_when_asked_and_follows_no_link(runtime: Runtime, session: str) -> None:
    runtime.good(
        "POST", f"/execute/{session}", {"command": "mkdir -p l/m && touch l/b l/m/a && ln -s / l/root"}
    )
    flat = runtime.good("GET", f"/files/{session}/l")["files"]
    deep = runtime.good("GET", f"/files/{session}/l?recursive=true")["files"]
    assert [each["filename"] for each in flat] == ["l/b"]
    assert [each["filename"] for each in deep] == ["l/b", "l/m/a"]
    assert deep[0] == {"filename": "l/b", "name": "l/b", "size": 0, "type": "unknown"}
    error(runtime("GET", f"/download/{session}/l/root/etc/passwd"), 400)


def test_a_full_workspace_is_told(runtime: Runtime) -> None:
    runtime.good("POST", "/session/small", {"size": "1m"})
    body, headers = form(b"x" * (2 * 2**20), "large.bin")
    error(runtime("POST", "/upload/small", body, **headers), 507)
    runtime.good("DELETE", "/session/small")
