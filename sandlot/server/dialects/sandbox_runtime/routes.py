"""The API as a table: one row for each verb of each path."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from sandlot import __version__
from sandlot.server.dialect import Context, Dialect

from . import downloads, errors, executions, files, handlers, schemas, sessions
from .operation import PREFIX, Operation, paths, served
from .sessions import Sessions

NAME = "sandbox_runtime"
_TEXT = {"type": "string"}
_DOCUMENT = "/api.json"
_MISSING = (404, 409, 502, 504, 507)
"""Statuses of errors where a session, or its files, are used."""

_SID = {**_TEXT, "description": "Of older clients; it is not needed"}


def operations(made: Sessions) -> tuple[Operation, ...]:
    """Every row; the paths are below PREFIX, and one that another would hide comes before it."""
    return (
        Operation(
            "POST",
            "/v2/execute_code",
            handlers.execute,
            "write",
            "Call a handler in a sandbox of its own",
            schemas.HANDLED,
            body=schemas.HANDLER,
        ),
        *_programs(),
        *_sessions(made),
        *_files_written(),
        *_files_read(),
    )


def _programs() -> tuple[Operation, ...]:
    return (
        Operation(
            "POST",
            "/execute_code/{id}",
            executions.execute_code,
            "write",
            "Run a script",
            schemas.superset(schemas.EXECUTED),
            body=schemas.SCRIPT,
            errors=_MISSING,
        ),
        Operation(
            "POST",
            "/execute/{id}",
            executions.execute,
            "write",
            "Run a command",
            schemas.superset(schemas.EXECUTED),
            body=schemas.COMMAND,
            errors=_MISSING,
        ),
    )


def _sessions(made: Sessions) -> tuple[Operation, ...]:
    found = schemas.superset
    return (
        Operation("GET", "/healthy", sessions.healthy, "read", "Is it well?", found(schemas.STATUS)),
        Operation(
            "POST",
            "/session/{id}",
            made.create,
            "write",
            "Make a session",
            found(schemas.SESSION),
            body=schemas.SIZE,
            errors=(409, 507),
        ),
        Operation(
            "DELETE", "/session/{id}", sessions.delete, "write", "End a session", found(schemas.STATUS)
        ),
        Operation("GET", "/status/{id}", sessions.status, "read", "One session", found(schemas.ABOUT)),
        Operation(
            "GET", "/workspaces", sessions.workspaces, "read", "All sessions", found(schemas.WORKSPACES)
        ),
        Operation(
            "POST",
            "/cleanup-all",
            sessions.clean_up,
            "write",
            "End all sessions",
            found(schemas.CLEANED),
            body=schemas.FORCE,
        ),
    )


def _files_written() -> tuple[Operation, ...]:
    found = schemas.superset
    return (
        Operation(
            "POST",
            "/create/{id}",
            files.create,
            "write",
            "Write a file",
            found(schemas.WRITTEN),
            body=schemas.CONTENT,
            errors=_MISSING,
        ),
        Operation(
            "POST",
            "/upload/{id}",
            files.upload,
            "write",
            "Upload a file",
            found(schemas.WRITTEN),
            {"filename": schemas.FILENAME},
            schemas.FORM,
            _MISSING,
            form=True,
        ),
        Operation(
            "POST",
            "/download_from_efast/{id}",
            downloads.download,
            "write",
            "Fetch documents of the document service",
            found(schemas.FETCHED),
            body=schemas.DOCUMENTS,
            errors=_MISSING,
        ),
    )


def _files_read() -> tuple[Operation, ...]:
    found = schemas.superset
    page = {"offset": {"type": "integer", "minimum": 0}, "buffer_size": {"type": "integer", "minimum": 1}}
    return (
        Operation(
            "GET",
            "/download/{id}/{path}",
            files.download,
            "read",
            "A whole file",
            schemas.BYTES,
            errors=(*_MISSING, 416),
            file=True,
        ),
        Operation(
            "GET",
            "/files/preview/{id}/{path}",
            files.preview,
            "read",
            "A file, to be looked at",
            schemas.BYTES,
            {"sid": _SID},
            errors=(*_MISSING, 416),
            file=True,
        ),
        Operation(
            "GET",
            "/files/{id}/{path}",
            files.listed,
            "read",
            "The files of a directory",
            found(schemas.LISTED),
            {"recursive": {"type": "boolean"}},
            errors=_MISSING,
        ),
        Operation(
            "GET",
            "/readfile/{id}/{path}",
            files.read_page,
            "read",
            "A page of a file",
            found(schemas.PAGE),
            page,
            errors=_MISSING,
        ),
    )


def routes(context: Context) -> Dialect:
    """The routes of the dialect and what tells of them."""
    del context

    async def document(_request: Request) -> Response:
        """GET /api.json."""
        return JSONResponse(_whole(paths(rows)))

    own = Operation("GET", _DOCUMENT, document, "read", "This document", {"type": "object"}, prefix="")
    rows = (*operations(Sessions()), own)
    return Dialect(NAME, served(rows), lambda: paths(rows), lambda: schemas.SHARED, PREFIX, errors.answer)


def _whole(told: dict[str, Any]) -> dict[str, Any]:
    return {
        "openapi": "3.1.0",
        "info": {"title": "Sandbox Runtime, spoken by sandlot", "version": __version__},
        "paths": told,
        "components": {
            "schemas": schemas.SHARED,
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{"key": []}, {}],
    }
