"""Files of a session: written, uploaded, read in whole, in part and in pages, listed."""

from __future__ import annotations

import asyncio
import mimetypes
from collections.abc import AsyncIterator, Mapping
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import quote

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from sandlot.contracts.engine import Files
from sandlot.contracts.errors import InvalidSpec, NotFound, OutputTooLarge
from sandlot.contracts.paths import WORKSPACE
from sandlot.contracts.streams import ended
from sandlot.server import answers, ranges
from sandlot.server.query import Query
from sandlot.server.reading import raw_body
from sandlot.trees.pack import once

from . import asked, pages
from .multipart import Form, boundary_of
from .reading import asked_of, body_of, named, session_of
from .replies import superset
from .workspace import file_inside, inside, kind, shown

MOST_LISTED = 50_000
_MANY = 500
LARGEST_PAGE = 2 * 2**20
"""Bytes of one page, whatever larger buffer is asked for: the next page begins where this one ends."""

USUAL_PAGE = 4096
_OCTETS = "application/octet-stream"
_PREVIEWED = frozenset(
    ["html", "txt", "md", "json", "xml", "csv", "png", "jpg", "jpeg", "gif", "bmp", "webp", "svg", "ico"]
)
_TYPES = {"md": "text/markdown", "csv": "text/csv", "ico": "image/x-icon", "webp": "image/webp"}
_TEXTS = ("text/", "application/json", "application/xml", "image/svg")
# A preview is shown by a browser as a page of this very server: nothing in it may run, ask or be sent.
_HARMLESS = "sandbox; default-src 'none'; img-src data:; style-src 'unsafe-inline'"


async def create(request: Request) -> Response:
    """POST create."""
    wanted = await body_of(request, asked.creation_from)
    path = file_inside(wanted.filename)
    files = (await session_of(request)).files
    content = wanted.content.encode("utf-8")
    await written(files, path, once(content), wanted.mode)
    return superset({"filename": wanted.filename, "size": len(content)})


async def upload(request: Request) -> Response:
    """POST upload: the part `file` of a form, under the query's `filename` or its own."""
    named(request)
    name = asked_of(request, lambda query: query.text("filename"))
    try:
        form = Form(raw_body(request), boundary_of(request.headers.get("content-type", "")))
        part = await form.find("file")
        if part is None:
            raise InvalidSpec("the form has no part named file")
        if not (name or part.filename):
            raise HTTPException(400, "No filename provided")
        path = file_inside(name or part.filename)
        files = (await session_of(request)).files
        size = await written(files, path, form.content())
    except InvalidSpec as error:
        raise HTTPException(422, error.message) from None
    return superset({"filename": name or part.filename, "size": size})


async def download(request: Request) -> Response:
    """GET download."""
    path = file_inside(request.path_params["path"])
    name = quote(path.name, errors="replace")
    plain = path.name if path.name.isascii() and path.name.isprintable() and '"' not in path.name else name
    attached = f'attachment; filename="{plain}"' + (
        "" if plain == path.name else f"; filename*=UTF-8''{name}"
    )
    return await _sent(request, path, _OCTETS, {"Content-Disposition": attached})


async def preview(request: Request) -> Response:
    """GET files/preview; `sid` is not needed, for callers reach their own sessions only."""
    path = file_inside(request.path_params["path"])
    extension = path.suffix.lower().lstrip(".")
    if extension not in _PREVIEWED:
        raise HTTPException(415, f"File type not supported: previews are of {', '.join(sorted(_PREVIEWED))}")
    media = _TYPES.get(extension) or mimetypes.guess_type(f"a.{extension}", strict=False)[0] or _OCTETS
    if media.startswith(_TEXTS):
        media += "; charset=utf-8"
    shielded = {"Content-Disposition": "inline", "Content-Security-Policy": _HARMLESS}
    return await _sent(request, path, media, shielded)


async def read_page(request: Request) -> Response:
    """GET readfile: a page of a file, and where the next one begins."""
    path = file_inside(request.path_params["path"])
    offset, most = asked_of(request, _page_asked)
    files = (await session_of(request)).files
    size = int((await _found(files, path))["size"])
    if offset >= size:
        return superset({"content": "", "is_binary": False, "offset": offset, "size": size, "is_eof": True})
    is_text = pages.is_text(path)
    wanted = most + pages.LONGEST_CHARACTER if is_text else most
    async with ended(files.read(path, offset, wanted)) as pieces:
        data = b"".join([piece async for piece in pieces])
    is_last = offset + len(data) >= size
    page = pages.text_page(data, most, is_last=is_last) if is_text and data else pages.binary_page(data)
    return superset(
        {
            "content": page.content,
            "is_binary": page.is_binary,
            "offset": offset + page.length,
            "size": size,
            "is_eof": offset + page.length >= size,
        }
    )


async def listed(request: Request) -> Response:
    """GET files: those of one directory, or of all beneath it."""
    path = inside(request.path_params["path"])
    is_deep = asked_of(request, lambda query: query.flag("recursive"))
    files = (await session_of(request)).files
    if path != WORKSPACE and (await _found_anything(files, path))["kind"] != "directory":
        raise HTTPException(400, "Not a directory")
    found = [_row(entry) async for entry in beneath(files, path, is_deep=is_deep)]
    # What is long is written beside the event loop.
    return await asyncio.to_thread(_listing, found) if len(found) > _MANY else _listing(found)


async def written(files: Files, path: PurePosixPath, content: AsyncIterator[bytes], mode: int = 0o644) -> int:
    """Write *content* to *path*, whose directories are made; the bytes written."""
    await files.mkdir(path.parent, parents=True)
    return await files.write(path, content, mode)


def _page_asked(query: Query) -> tuple[int, int]:
    most = query.count("buffer_size", USUAL_PAGE, least=1)
    return query.count("offset", 0), min(most, LARGEST_PAGE)


async def _sent(request: Request, path: PurePosixPath, media: str, headers: Mapping[str, str]) -> Response:
    """A file, or the range of it that is asked for."""
    files = (await session_of(request)).files
    about = await _found(files, path)
    size = int(about["size"])
    # If-Range wants a strong validator (RFC 9110, 13.1.5), which times of files are not: all is sent.
    part = None if "if-range" in request.headers else ranges.byte_range(request.headers.get("range"), size)
    told = {**headers, "Accept-Ranges": "bytes", "ETag": f'W/"{about["mtime"]:.6f}-{size}"'}
    told["Cache-Control"] = "no-cache"
    if part is not None:
        told["Content-Range"] = ranges.content_range(part, size)
        if not part.length:
            raise HTTPException(416, f"the file has {size} bytes: ask for some of them", told)
    begin, length = part or (0, size)
    pieces = await answers.begun(answers.exactly(files.read(path, begin, length), length))
    told["Content-Length"] = str(length)
    return answers.ByteStream(pieces, media, status=206 if part else 200, headers=told)


async def _found(files: Files, path: PurePosixPath) -> Mapping[str, Any]:
    """What is known of the file at *path*. Raises HTTPException: 404 for nothing, 400 for something else."""
    about = await _found_anything(files, path)
    if about["kind"] != "file":
        raise HTTPException(400, "Not a file")
    return about


async def _found_anything(files: Files, path: PurePosixPath) -> Mapping[str, Any]:
    try:
        return await files.stat(path)
    except NotFound:
        raise HTTPException(404, "File not found") from None


async def beneath(files: Files, path: PurePosixPath, *, is_deep: bool) -> AsyncIterator[Mapping[str, Any]]:
    """The files in a directory, and in those within it. Raises OutputTooLarge for very many."""
    waiting, count = [path], 0
    while waiting:
        async with ended(files.list(waiting.pop())) as entries:
            try:
                async for entry in entries:
                    count += 1
                    if count > MOST_LISTED:
                        raise OutputTooLarge(
                            f"there are more than {MOST_LISTED} files: list a directory of them"
                        )
                    if entry["kind"] == "file":
                        yield entry
                    elif is_deep and entry["kind"] == "directory":
                        waiting.append(PurePosixPath(entry["path"]))
            except NotFound:
                continue  # a program has removed the directory meanwhile


def _listing(rows: list[dict[str, Any]]) -> Response:
    return superset({"files": sorted(rows, key=lambda row: str(row["filename"]))})


def _row(entry: Mapping[str, Any]) -> dict[str, Any]:
    name = shown(PurePosixPath(entry["path"]))
    return {"filename": name, "name": name, "size": entry["size"], "type": kind(str(entry["name"]))}
