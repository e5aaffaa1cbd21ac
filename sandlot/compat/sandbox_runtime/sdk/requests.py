"""What is asked of the service, as values: paths, bodies, and code as it was meant."""

from __future__ import annotations

import ast
import json
import posixpath
import re
import secrets
import warnings
from dataclasses import dataclass, field
from typing import IO, Any, Dict, Iterator, Mapping, Optional
from urllib.parse import quote

from .errors import SandboxError

PREFIX = "/workspace/se"
_PIECE = 65536
# RFC 3986 `pchar`; and a percent sign before two hexadecimal digits: who encoded a name is not encoded again.
_SAFE_IN_PATH = "%-._~!$&'()*+,;=:@"
_BARE_PERCENT = re.compile("%(?![0-9A-Fa-f]{2})")
_SAFE_IN_NAME = re.compile(r"[A-Za-z0-9._~-]+")
_LITERALS = re.compile(r"'''.*?'''|'(?:\\.|[^'\\])*'|#[^\\]*")


@dataclass(frozen=True)
class Asked:
    """A request: `path` as people read it, `target` as it is sent, `content` for a body in pieces."""

    method: str
    path: str
    target: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    content: Optional[Iterator[bytes]] = None


def asking(
    method: str,
    verb: str,
    session: str,
    filename: Optional[str] = None,
    *,
    json: Any = None,
    query: Optional[Mapping[str, str]] = None,
) -> Asked:
    """The request for *verb* of *session*, about *filename* where one is given."""
    path = f"{PREFIX}/{verb}/{session}"
    target = f"{PREFIX}/{verb}/{_segment(session)}"
    if filename is not None:
        # The original's client resolves dots, so `a/../b` is `b`; what leads outside the service refuses.
        inside = posixpath.normpath(filename.lstrip("/")) if filename.strip("/") else ""
        path += f"/{filename}" if filename else ""
        target += "/" + "/".join(_segment(part) for part in inside.split("/"))
    if query:
        target += "?" + "&".join(f"{name}={quote(value, '')}" for name, value in query.items())
    body = b"" if json is None else _encoded(json)
    return Asked(method, path, target, {} if json is None else {"Content-Type": "application/json"}, body)


def upload(session: str, target: str, file: IO[bytes]) -> Asked:
    """The request that sends *file* as *target*.

    A name that the form could not carry as it is goes into the query besides, which the service prefers.
    """
    query = {} if _SAFE_IN_NAME.fullmatch(target) else {"filename": target}
    asked = asking("POST", "upload", session, query=query)
    boundary = secrets.token_hex(16)  # nobody who writes the file can know it
    kind = f"multipart/form-data; boundary={boundary}"
    content = _form(target, file, boundary)
    return Asked("POST", asked.path, asked.target, {"Content-Type": kind}, content=content)


def meant(code: str) -> str:
    """*code*, with its newlines restored where they came as a backslash and an n.

    Models write programs so. It is done for one line that cannot be Python as it is: with a backslash outside
    of its strings.
    """
    if "\n" in code or '"' in code or "\\" not in _LITERALS.sub("", code):
        return code
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of escapes that are none: `\d` stays as it is
            return str(ast.literal_eval(f'"{code}"'))
    except (SyntaxError, ValueError):
        return code


def _segment(text: str) -> str:
    """*text* as one segment of a path; alone, dots would lead elsewhere on the way."""
    if text in (".", ".."):
        return text.replace(".", "%2E")
    encoded = _BARE_PERCENT.sub("%25", text)
    return quote(encoded, _SAFE_IN_PATH, errors="surrogatepass")


def _encoded(value: Any) -> bytes:
    try:
        return json.dumps(value).encode("ascii")
    except (TypeError, ValueError) as error:
        raise SandboxError(f"Request failed: the arguments have no JSON form: {error}", error) from error


def _form(name: str, file: IO[bytes], boundary: str) -> Iterator[bytes]:
    """A form of one file (RFC 7578)."""
    headers: Dict[str, str] = {
        "Content-Disposition": f'form-data; name="file"; filename="{quote(name, "")}"',
        "Content-Type": "application/octet-stream",
    }
    lines = [f"--{boundary}", *(f"{each}: {value}" for each, value in headers.items()), "", ""]
    yield "\r\n".join(lines).encode("ascii")
    yield from iter(lambda: file.read(_PIECE), b"")
    yield f"\r\n--{boundary}--\r\n".encode("ascii")
