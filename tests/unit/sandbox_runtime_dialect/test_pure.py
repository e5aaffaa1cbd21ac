"""The parts that need no server: pages, sizes, forms, names."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import PurePosixPath

import pytest
from starlette.exceptions import HTTPException

from sandlot.contracts.errors import InvalidSpec
from sandlot.server.dialects.sandbox_runtime.multipart import Form, Part, boundary_of, part_from
from sandlot.server.dialects.sandbox_runtime.pages import text_page
from sandlot.server.dialects.sandbox_runtime.sizes import USUAL, size_from
from sandlot.server.dialects.sandbox_runtime.workspace import inside, kind

FORM = (
    b"--B\r\nContent-Disposition: form-data; name=a\r\n\r\nfirst\r\n--B\r\n\r\nnobody's\r\n"
    b'--B\r\ncontent-type: x/y\r\nContent-disposition: form-data; name="file"; filename="u.txt"\r\n\r\n'
    b"con\r\n--Btent\r\n--\r\n--B--\r\nepilogue"
)


@pytest.mark.parametrize(
    ("data", "most", "is_last", "text", "length"),
    [
        (b"abc", 2, False, "ab", 2),
        ("é€😀".encode(), 2, False, "é", 2),
        ("é€😀".encode(), 4, False, "é", 2),
        ("😀a".encode(), 1, False, "😀", 4),
        (b"abc\xc3", 4, False, "abc", 3),
        (b"abc\xff", 4, True, "abcÿ", 4),
        ("文字".encode("gbk"), 3, False, "文", 2),
        ("文字".encode("gbk"), 1, True, "文", 2),
        (b"\xff\xfe", 1, True, "ÿ", 1),
        (b"a\xff", 9, True, "aÿ", 2),
    ],
)
def test_a_page_ends_between_characters(
    data: bytes, most: int, is_last: bool, text: str, length: int
) -> None:
    page = text_page(data, most, is_last=is_last)
    assert (page.content, page.length, page.is_binary) == (text, length, False)


@pytest.mark.parametrize(
    ("text", "size"),
    [("100M", 100 * 2**20), ("50m", 50 * 2**20), ("1G", 2**30), ("64k", 65536), ("4096", 4096)],
)
def test_sizes_are_those_of_a_tmpfs(text: str, size: int) -> None:
    assert size_from(text) == size
    assert all(size_from(usual) for usual in USUAL)


@pytest.mark.parametrize("text", ["", "0", "-1M", "50%", "1T", "M", "1.5M", "1" * 20])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(InvalidSpec):
        size_from(text)


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("a", "/workspace/a"),
        ("./a//b/", "/workspace/a/b"),
        ("/workspace/a", "/workspace/a"),
        ("", "/workspace"),
        ("/", "/workspace"),
    ],
)
def test_names_are_relative_to_the_workspace(name: str, path: str) -> None:
    assert inside(name) == PurePosixPath(path)


@pytest.mark.parametrize("name", ["..", "a/..", "/tmp/a", "/workspacex", "a\0", "x" * 300])
def test_other_names_are_refused(name: str) -> None:
    with pytest.raises(HTTPException) as caught:
        inside(name)
    assert caught.value.status_code == 400


def test_a_kind_is_an_extension() -> None:
    assert [kind(name) for name in ("a.txt", "a", "a.tar.gz", ".profile")] == [
        "txt",
        "unknown",
        "gz",
        "profile",
    ]


@pytest.mark.parametrize("step", [1, 2, 3, 7, 1000])
def test_a_form_is_read_however_it_is_cut(step: int) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for begin in range(0, len(FORM), step):
            yield FORM[begin : begin + step]

    async def read() -> tuple[Part | None, bytes, Part | None]:
        form = Form(pieces(), b"B")
        part = await form.find("file")
        return part, b"".join([piece async for piece in form.content()]), None

    part, content, _ = asyncio.run(read())
    assert part == Part("file", "u.txt")
    assert content == b"con\r\n--Btent\r\n--"


@pytest.mark.parametrize(
    "body", [b"", b"--B", b"--B\r\n", FORM[:-20], b"--B\r\n" + b"x" * 9000, b"--B\r\n\r\n" * 200]
)
def test_a_broken_form_is_refused(body: bytes) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield body

    async def read() -> None:
        form = Form(pieces(), b"B")
        while await form.find("file") is not None:
            continue

    with pytest.raises(InvalidSpec):
        asyncio.run(read())


@pytest.mark.parametrize(
    ("disposition", "part"),
    [
        (b'form-data; name="file"; filename="a b.txt"', Part("file", "a b.txt")),
        (b'form-data; filename="n%2Fu.txt"; name=file', Part("file", "n/u.txt")),
        ('form-data;name=file;filename="hé.txt"'.encode(), Part("file", "hé.txt")),
        # RFC 7578, 4.2: this form of a name is not for forms.
        (b"form-data;name=file;filename*=UTF-8''h%C3%A9.txt", Part("file", "")),
        (b'form-data; name="f\\"ile"', Part('f"ile', "")),
        (b"attachment; name=file", Part("", "")),
        (b"", Part("", "")),
    ],
)
def test_what_a_part_is_called_is_understood(disposition: bytes, part: Part) -> None:
    assert part_from(disposition) == part


@pytest.mark.parametrize(
    "kind", ["multipart/form-data; boundary=B", 'Multipart/Form-Data; x=y; boundary="B"; z']
)
def test_a_boundary_is_found(kind: str) -> None:
    assert boundary_of(kind) == b"B"


@pytest.mark.parametrize(
    "kind", ["", "application/json", "multipart/mixed; boundary=B", "multipart/form-data"]
)
def test_what_is_no_form_is_refused(kind: str) -> None:
    with pytest.raises(InvalidSpec):
        boundary_of(kind)
