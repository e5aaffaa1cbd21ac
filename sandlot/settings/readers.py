"""How each setting is read from text or TOML, and whether a project file may set it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Callable, Dict, Mapping, NamedTuple, Tuple
from urllib.parse import urlsplit

from sandlot.contracts.errors import InvalidSpec
from sandlot.contracts.paths import identifier, image_name
from sandlot.contracts.quantity import Bytes, Cores, Seconds
from sandlot.contracts.spec import Isolation, Network

from .values import DEFAULT_URL

_HOST = re.compile(r"(?:[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,252})|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?")
_BIND = re.compile(r"[A-Za-z0-9_:][A-Za-z0-9_.:%-]{0,252}")
_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]{0,30}://[^/?#@\s]{1,260}")
_COMPILER = re.compile(r"[A-Za-z0-9_/][A-Za-z0-9_./+-]{0,254}")
_URL_SCHEMES = ("http", "https", "unix", "http+unix")


class Reader(NamedTuple):
    """How one setting is read, whether a project file may set it, and its flag where that differs."""

    parse: Callable[[Any], Any]
    project: bool = False
    flag: str = ""


def _text(raw: Any) -> str:
    if not isinstance(raw, str):
        raise InvalidSpec(f"{raw!r} is not text")
    return raw


def _count(raw: Any) -> int:
    return _number(raw, 1, 10_000_000, "a count")


def _port(raw: Any) -> int:
    return _number(raw, 0, 65_535, "a port")


def _depth(raw: Any) -> int:
    return _number(raw, 0, 64, "a depth")


def _number(raw: Any, least: int, most: int, what: str) -> int:
    digits = str(raw).strip()
    if not re.fullmatch("[0-9]{1,8}", digits) or not least <= int(digits) <= most:
        raise InvalidSpec(f"{raw!r} is not {what}: use {least} to {most}")
    return int(digits)


def _absolute(raw: Any) -> Path:
    path = Path(_text(str(raw)))
    if not path.is_absolute():
        raise InvalidSpec(f"{str(raw)!r} is not an absolute path")
    return path


def _one_of(*words: str) -> Callable[[Any], str]:
    def parse(raw: Any) -> str:
        if raw not in words:
            raise InvalidSpec(f"{raw!r} is none of {', '.join(words)}")
        return str(raw)

    return parse


def _yes(raw: Any) -> bool:
    """A decision that takes a wall down is said in full words, in any case."""
    said = (
        raw
        if isinstance(raw, bool)
        else {"true": True, "1": True, "false": False, "0": False}.get(str(raw).strip().lower())
    )
    if said is None:
        raise InvalidSpec(f"{raw!r} is neither true nor false")
    return said


def _matching(pattern: re.Pattern[str], what: str) -> Callable[[Any], str]:
    def parse(raw: Any) -> str:
        text = _text(raw).strip()
        if not pattern.fullmatch(text):
            raise InvalidSpec(f"{text!r} is not {what}")
        return text

    return parse


def _lowered(one: Callable[[Any], str]) -> Callable[[Any], str]:
    """What *one* reads of text in lower case: names of hosts have no case."""
    return lambda raw: one(raw.lower() if isinstance(raw, str) else raw)


def _several(one: Callable[[Any], str]) -> Callable[[Any], Tuple[str, ...]]:
    """A list, or text with commas, of what *one* reads."""

    def parse(raw: Any) -> Tuple[str, ...]:
        items = raw.split(",") if isinstance(raw, str) else raw
        if not isinstance(items, (list, tuple)):
            raise InvalidSpec(f"{raw!r} is neither a list nor text with commas")
        return tuple(one(item.strip() if isinstance(item, str) else item) for item in items if item != "")

    return parse


def _images(raw: Any) -> Mapping[str, str]:
    """A table, or text such as `python:3.11=default,node:20=node`."""
    words = raw.split(",") if isinstance(raw, str) else raw
    if isinstance(words, (list, tuple)):
        pairs = [str(word).strip().rpartition("=")[::2] for word in words if word != ""]
    elif isinstance(words, Mapping):
        pairs = list(words.items())
    else:
        raise InvalidSpec(f"{raw!r} is neither a table nor text such as python:3.11=default")
    return {image_name(_text(name)): identifier(environment, "environment") for name, environment in pairs}


def _url(raw: Any) -> str:
    text = _text(raw).strip()
    try:
        parts = urlsplit(text)
    except ValueError:
        raise InvalidSpec(f"{text!r} is not the address of a server") from None
    if "@" in parts.netloc:
        # The text is not shown: what stands before the @ is a credential.
        raise InvalidSpec("the address of a server holds a credential: give the key by itself")
    if parts.scheme not in _URL_SCHEMES or not (parts.netloc or parts.path) or parts.query or parts.fragment:
        raise InvalidSpec(f"{text!r} is not the address of a server: use one such as {DEFAULT_URL}")
    return text.rstrip("/")


def _web_url(raw: Any) -> str:
    text = _url(raw)
    if not text.startswith(("http://", "https://")):
        raise InvalidSpec(f"{text!r} is not the address of a service on the web: use http or https")
    return text


def secret(raw: Any) -> str:
    """A credential: visible ASCII. No error shows it."""
    text = raw.strip() if isinstance(raw, str) else ""
    if not re.fullmatch(r"[\x21-\x7e]{1,512}", text):
        raise InvalidSpec("the key is not one word of visible ASCII: see sandlot key create")
    return text


def _token(raw: Any) -> str:
    """A credential of another service's making. No error shows it."""
    text = raw.strip() if isinstance(raw, str) else ""
    if not re.fullmatch(r"[\x21-\x7e]{1,8192}", text):
        raise InvalidSpec("the token is not one word of visible ASCII")
    return text


READERS: Dict[str, Reader] = {
    "engine": Reader(lambda raw: identifier(raw, "engine")),
    "isolation": Reader(lambda raw: Isolation.parse(_text(raw))),
    "network": Reader(lambda raw: Network.parse(_text(raw))),
    "environment": Reader(lambda raw: identifier(raw, "environment"), project=True),
    "timeout": Reader(Seconds.parse, project=True),
    "memory": Reader(Bytes.parse, project=True),
    "cpu": Reader(Cores.parse, project=True),
    "pids": Reader(_count, project=True),
    "disk": Reader(Bytes.parse, project=True),
    "inodes": Reader(_count, project=True),
    "output": Reader(Bytes.parse, project=True),
    "open_files": Reader(_count, project=True),
    "data_directory": Reader(_absolute),
    "runtime_directory": Reader(_absolute),
    "url": Reader(_url),
    "key": Reader(secret),
    "key_file": Reader(_absolute),
    "host": Reader(_matching(_BIND, "an address to listen at")),
    "port": Reader(_port),
    "unix": Reader(_absolute),
    "auth": Reader(_one_of("auto", "keys", "local")),
    "allow_hosts": Reader(_several(_lowered(_matching(_HOST, "the name of a host"))), flag="allow-host"),
    "allow_origins": Reader(
        _several(_lowered(_matching(_ORIGIN, "an origin such as https://console.example"))),
        flag="allow-origin",
    ),
    "grace": Reader(Seconds.parse),
    "workspaces": Reader(_one_of("auto", "disk", "memory")),
    "most_sandboxes": Reader(_count),
    "most_sandboxes_per_owner": Reader(_count),
    "most_commands": Reader(_count),
    "most_waiting": Reader(_count),
    "most_upload": Reader(Bytes.parse),
    "pool_depth": Reader(_depth, flag="pool"),
    "pool_wait": Reader(Seconds.parse),
    "pool_keep": Reader(_several(lambda raw: identifier(raw, "environment"))),
    "compiler": Reader(_matching(_COMPILER, "a C compiler: auto, none, a name or a path")),
    "images": Reader(_images, flag="image"),
    "session_ttl": Reader(Seconds.parse),
    "document_services": Reader(_several(_web_url)),
    "document_token": Reader(_token),
    "allow_process": Reader(_yes),
    "allow_network": Reader(_yes),
}
"""Every setting there is."""
