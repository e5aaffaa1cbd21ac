"""The rows of files and archives."""

from __future__ import annotations

from . import archives, asked, files, told
from .operation import BYTES, Answer, Operation, Parameter
from .rows import BENEATH, BODY, BOX, FLAG, NOTHING, PATH, SANDBOX, SAVED, STREAM
from .translate import JSON

_FILES = SANDBOX + "/files"
_RECURSIVE = Parameter("recursive", "With everything beneath", FLAG)

_DEST = Parameter("dest", "The directory to unpack in, made when missing", {**PATH, "default": "/workspace"})
_SRC = Parameter("src", "The file or directory to pack", {**PATH, "default": "/workspace"})
_UNPACKED = Answer(200, "All of it is there", {JSON: told.Uploaded})
_PACKED = Answer(200, "A gzip tar, with names relative to src", {archives.TAR: BYTES}, SAVED)
_PATH = Parameter("path", "In /workspace or /tmp; relative ones start at /workspace", PATH, is_required=True)
_ENTRY = Parameter("path", "As for the others, and neither of the two itself", BENEATH, is_required=True)
_FOLDER = Parameter("path", "The directory", {**PATH, "default": "/workspace"})
_MODE = Parameter(
    "mode", "Permission bits, octal", {"type": "string", "pattern": "^0?[0-7]{3}$", "default": "0644"}
)
_PART = Parameter("Range", "One range of bytes (RFC 9110)", {"type": "string"}, place="header")
_SIZED = {"Sandlot-Size": "Bytes of the whole file", "Accept-Ranges": "bytes", **SAVED}
_CONTENT = {files.OCTETS: BYTES}
_WHOLE = Answer(200, "The file", _CONTENT, _SIZED)
_RANGED = Answer(206, "A part of it", _CONTENT, {**_SIZED, "Content-Range": "Which part"})
_CHANGES = Answer(200, "Changes as they happen", STREAM)
_ERRORS = (*BOX, *BODY)

ROWS_OF_FILES: tuple[Operation, ...] = (
    Operation(
        "POST",
        _FILES + "/upload",
        archives.upload,
        "write",
        "Unpack a tar or gzip tar: all of it or nothing",
        [_UNPACKED],
        BOX,
        {archives.TAR: BYTES, files.OCTETS: BYTES},
        (_DEST,),
    ),
    Operation(
        "GET",
        _FILES + "/download",
        archives.download,
        "read",
        "Pack a tree",
        [_PACKED],
        BOX,
        parameters=(_SRC,),
    ),
    Operation(
        "GET",
        _FILES + "/stat",
        files.stat,
        "read",
        "One file itself; links are not followed",
        [Answer(200, "The file", {JSON: told.Entry})],
        BOX,
        parameters=(_PATH,),
    ),
    Operation(
        "GET",
        _FILES + "/list",
        files.listed,
        "read",
        "The entries of a directory",
        [Answer(200, "All of them", {JSON: told.Entries})],
        BOX,
        parameters=(_FOLDER,),
    ),
    Operation(
        "GET",
        _FILES + "/content",
        files.read,
        "read",
        "The bytes of a regular file",
        [_WHOLE, _RANGED],
        (*BOX, 416),
        parameters=(_PATH, _PART),
    ),
    Operation(
        "PUT",
        _FILES + "/content",
        files.write,
        "write",
        "Replace a regular file at once; directories are made",
        [Answer(200, "All of it is there", {JSON: told.Written})],
        BOX,
        _CONTENT,
        (_PATH, _MODE),
        needs_body=False,
    ),
    Operation(
        "POST",
        _FILES + "/mkdir",
        files.make_directory,
        "write",
        "Make a directory",
        [NOTHING],
        _ERRORS,
        {JSON: asked.AskedDirectory},
    ),
    Operation(
        "POST",
        _FILES + "/move",
        files.move,
        "write",
        "Rename",
        [NOTHING],
        _ERRORS,
        {JSON: asked.AskedMove},
    ),
    Operation(
        "DELETE",
        _FILES,
        files.remove,
        "write",
        "Remove a file or directory",
        [NOTHING],
        BOX,
        parameters=(_ENTRY, _RECURSIVE),
    ),
    Operation(
        "GET",
        _FILES + "/watch",
        files.watch,
        "read",
        "Changes beneath a directory, until the client leaves",
        [_CHANGES],
        BOX,
        parameters=(_FOLDER, _RECURSIVE),
    ),
)
"""Whole trees, and single files."""
