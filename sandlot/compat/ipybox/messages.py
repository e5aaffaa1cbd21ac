"""What a kernel's messages say, and the one that is said to it (pure).

Source: https://jupyter-client.readthedocs.io/en/stable/messaging.html, and for the frames
https://jupyter-server.readthedocs.io/en/latest/developers/websocket-protocols.html, without a subprotocol.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

PICTURES: Final = {"image/png": "png", "image/jpeg": "jpg"}
"""Kinds of pictures that are taken out of displays, the best first, each with the suffix of its files."""


@dataclass(frozen=True, slots=True)
class Text:
    """A chunk of output."""

    text: str


@dataclass(frozen=True, slots=True)
class Picture:
    """An image of a kind of PICTURES, in base64 as it came."""

    kind: str
    data: str


@dataclass(frozen=True, slots=True)
class Raised:
    """The code raised an exception."""

    name: str
    value: str
    trace: str

    @property
    def message(self) -> str:
        """As the original tells it."""
        return f"{self.name}: {self.value}"


@dataclass(frozen=True, slots=True)
class Replied:
    """The code has run; `raised` is why it failed."""

    raised: Raised | None = None


@dataclass(frozen=True, slots=True)
class State:
    """The kernel is idle, busy, restarting, dead and so on."""

    name: str


Said = Text | Picture | Raised | Replied | State
DIED: Final = "KernelDied"
"""The name of what a kernel of sandlot replies when its interpreter ended. It starts another one then."""

_ABORTED = Raised("Aborted", "the code before it failed, so this was not run", "")


@dataclass(frozen=True, slots=True)
class Told:
    """What one message says about the request of the id *about*, which is empty where there is none."""

    about: str
    said: tuple[Said, ...]


def request_frame(request_id: str, code: str, session: str) -> str:
    """The frame that asks for *code* to be run."""
    header = {
        "msg_id": request_id,
        "msg_type": "execute_request",
        "username": "",
        "session": session,
        "version": "5.0",
    }
    content = {
        "code": code,
        "silent": False,
        "store_history": False,
        "user_expressions": {},
        "allow_stdin": False,
        "stop_on_error": False,  # else code that follows an interrupted cell too soon is given up
    }
    message = {
        "channel": "shell",
        "header": header,
        "parent_header": {},
        "metadata": {},
        "content": content,
        "buffers": [],
    }
    return json.dumps(message)


def told_in(frame: str) -> Told:
    """What the kernel says in *frame*; nothing where that is of no use. Raises ValueError for no message."""
    try:
        message = _object(json.loads(frame))
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    kind = _object(message.get("header")).get("msg_type") or message.get("msg_type")
    content = _object(message.get("content"))
    return Told(_text(_object(message.get("parent_header")), "msg_id"), _said(kind, content))


def _said(kind: object, content: Mapping[str, Any]) -> tuple[Said, ...]:
    if kind == "stream":
        return (Text(_text(content, "text")),)
    if kind in ("display_data", "execute_result"):
        return tuple(_shown(_object(content.get("data"))))
    if kind == "error":
        return (_raised(content),)
    if kind == "status":
        return (State(_text(content, "execution_state")),)
    return (Replied(_failure(content)),) if kind == "execute_reply" else ()


def _shown(bundle: Mapping[str, Any]) -> list[Said]:
    found: list[Said] = []
    if "text/plain" in bundle:
        found.append(Text(_joined(bundle["text/plain"])))
    kind = next((kind for kind in PICTURES if kind in bundle), None)
    if kind is not None:
        found.append(Picture(kind, _joined(bundle[kind])))
    return found


def _failure(content: Mapping[str, Any]) -> Raised | None:
    status = content.get("status")
    if status == "ok":
        return None
    return _raised(content) if status == "error" else _ABORTED


def _raised(content: Mapping[str, Any]) -> Raised:
    lines = content.get("traceback")
    trace = "\n".join(map(str, lines)) if isinstance(lines, list) else ""
    return Raised(_text(content, "ename") or "Unknown Error", _text(content, "evalue"), trace)


def _joined(value: object) -> str:
    """Text, or the lines of it, as notebooks have them."""
    return "".join(map(str, value)) if isinstance(value, list) else str(value)


def _object(value: object) -> Mapping[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise ValueError(f"it has {type(value).__name__} where an object belongs")  # noqa: TRY004 - it is a stranger's value
    return value


def _text(content: Mapping[str, Any], name: str) -> str:
    found = content.get(name, "")
    return found if isinstance(found, str) else str(found)
