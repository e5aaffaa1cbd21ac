"""Where pip gets packages from on this machine, carried into the box it runs in.

Read from pip's own variables and configuration files at run time; index addresses may hold
credentials, so nothing of this is ever logged (`without_secrets`).
"""

from __future__ import annotations

import configparser
import io
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

from sandlot.contracts.errors import InvalidSpec
from sandlot.contracts.spec import Mount

BUILD = PurePosixPath("/workspace/build")
"""Where the files of the build stand in the box."""

_PLACES = ("find-links", "index-url", "extra-index-url")
_CERTIFICATES = ("cert", "client-cert")
_CERTIFICATE_VARIABLES = (
    "SSL_CERT_FILE",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "PIP_CERT",
    "PIP_CLIENT_CERT",
)
_CREDENTIALS = re.compile(r"(?<=://)[^/\s]+(?=@)")


@dataclass(frozen=True, slots=True)
class Installer:
    """What the box of a build needs: variables, files (name in BUILD -> content), directories to see."""

    variables: Mapping[str, str] = field(repr=False)
    files: Mapping[str, bytes] = field(repr=False)
    mounts: tuple[Mount, ...]


def installer_for(variables: Mapping[str, str]) -> Installer:
    """How pip is set up here, given the *variables* of `settings.installer_variables`.

    Raises InvalidSpec for a configuration that cannot be read.
    """
    merged = _merged(configuration_files(variables))
    files: dict[str, bytes] = {}
    places = [
        value for section in merged.sections() for key, value in merged.items(section) if key in _PLACES
    ]
    for section in merged.sections():
        for key in _CERTIFICATES:
            if merged.has_option(section, key):
                merged.set(section, key, _carried(merged.get(section, key), files))
    given = {name: value for name, value in variables.items() if name not in ("HOME", "XDG_CONFIG_HOME")}
    for name in _CERTIFICATE_VARIABLES:
        if given.get(name):
            given[name] = _carried(given[name], files)
    places += [given[name] for name in map(_variable, _PLACES) if name in given]
    files["pip.conf"] = _text(merged)
    given["PIP_CONFIG_FILE"] = str(BUILD / "pip.conf")
    mounts = tuple(Mount(path, PurePosixPath(path)) for path in _outermost(_directories(places)))
    return Installer(given, files, mounts)


def configuration_files(variables: Mapping[str, str]) -> list[Path]:
    """The configuration files of pip, weakest first, as its user guide lists them for Unix."""
    chosen = variables.get("PIP_CONFIG_FILE")
    if chosen == os.devnull:
        return []
    home = Path(variables.get("HOME") or "/nonexistent")
    user = Path(variables.get("XDG_CONFIG_HOME") or home / ".config")
    found = [
        Path("/etc/xdg/pip/pip.conf"),
        Path("/etc/pip.conf"),
        home / ".pip/pip.conf",
        user / "pip/pip.conf",
    ]
    return [*found, Path(chosen)] if chosen else found


def without_secrets(line: str) -> str:
    """*line* with the user and password of every address in it struck out."""
    return _CREDENTIALS.sub("****", line)


def _merged(paths: Iterable[Path]) -> configparser.RawConfigParser:
    merged = configparser.RawConfigParser()
    for path in paths:
        try:
            merged.read(path, encoding="utf-8")  # passes over a file that is not there
        except (OSError, UnicodeDecodeError, configparser.Error) as cause:
            raise InvalidSpec(f"pip's configuration {path} cannot be read: {type(cause).__name__}") from cause
    return merged


def _carried(path: str, files: dict[str, bytes]) -> str:
    """The path in the box of the certificate *path*, whose content joins *files*."""
    name = f"certificate-{len(files)}.pem"
    try:
        files[name] = Path(path).expanduser().read_bytes()
    except OSError as cause:
        raise InvalidSpec(f"pip's certificate file {path} cannot be read: {cause.strerror}") from cause
    return str(BUILD / name)


def _variable(key: str) -> str:
    return "PIP_" + key.upper().replace("-", "_")


def _text(merged: configparser.RawConfigParser) -> bytes:
    text = io.StringIO()
    merged.write(text)
    return text.getvalue().encode()


def _directories(places: Iterable[str]) -> Iterator[str]:
    for place in (word for value in places for word in value.split()):
        address = urlsplit(place)
        if address.scheme not in ("", "file"):
            continue
        path = os.path.abspath(os.path.expanduser(unquote(address.path)))
        # The pages of an index link to files beside it (`../../files/x.whl` from `simple/x/`).
        if os.path.basename(path) == "simple":
            path = os.path.dirname(path)
        if os.path.exists(path) and path != "/":
            yield path


def _outermost(paths: Iterable[str]) -> list[str]:
    """*paths* without those inside another one, and without those every box sees under /usr."""
    kept: list[str] = []
    for path in sorted(set(paths)):
        if not any(path == above or path.startswith(above + "/") for above in ("/usr", *kept)):
            kept.append(path)
    return kept
