"""Variables of others that we pass on or obey: proxies, package installers, terminals, Jupyter, systemd."""

from __future__ import annotations

import os
import re
from typing import Dict, Mapping, Optional

from sandlot.contracts.errors import InvalidSpec

_TERMINAL = ("NO_COLOR", "FORCE_COLOR", "CLICOLOR", "TERM", "TERM_PROGRAM", "KITTY_WINDOW_ID")
_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")
_EITHER_CASE = (*_PROXIES, *(name.lower() for name in _PROXIES))
_FIRST_DESCRIPTOR = 3  # SD_LISTEN_FDS_START
_CERTIFICATES = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")


def installer_variables(environ: Optional[Mapping[str, str]] = None) -> Dict[str, str]:
    """The variables that tell pip where packages come from and how to get there.

    They may hold credentials: hand them to the installer only, never to a log.
    """
    environ = os.environ if environ is None else environ
    wanted = {*_EITHER_CASE, *_CERTIFICATES, "HOME", "XDG_CONFIG_HOME"}
    return {name: value for name, value in environ.items() if name.startswith("PIP_") or name in wanted}


def proxy_variables(environ: Optional[Mapping[str, str]] = None) -> Dict[str, str]:
    """The variables that say by which proxy a client reaches a server, in either case as found.

    An empty one is kept: it switches its proxy off. They may hold credentials. Under CGI `HTTP_PROXY` comes
    from a request (httpoxy, CVE-2016-5385) and is left out; the lower-case name cannot.
    """
    environ = os.environ if environ is None else environ
    found = {name: environ[name] for name in _EITHER_CASE if name in environ}
    if "REQUEST_METHOD" in environ:
        found.pop("HTTP_PROXY", None)
    return found


def terminal_variables(environ: Optional[Mapping[str, str]] = None) -> Dict[str, str]:
    """The variables by which people and terminals say how to write to them (no-color.org)."""
    environ = os.environ if environ is None else environ
    return {name: environ[name] for name in _TERMINAL if name in environ}


def notebook_client(environ: Optional[Mapping[str, str]] = None) -> Optional[int]:
    """The process that a kernel is to end with, as jupyter_client's launcher tells it; None without one."""
    environ = os.environ if environ is None else environ
    told = environ.get("JPY_PARENT_PID", "")
    return int(told) if re.fullmatch("[1-9][0-9]{0,8}", told) else None


def notify_socket(environ: Optional[Mapping[str, str]] = None) -> Optional[str]:
    """Where a service manager wants to hear that we are ready (sd_notify(3)); None without one."""
    environ = os.environ if environ is None else environ
    return environ.get("NOTIFY_SOCKET") or None


def listen_descriptor(
    environ: Optional[Mapping[str, str]] = None, pid: Optional[int] = None
) -> Optional[int]:
    """The socket that a service manager opened for this process (sd_listen_fds(3)); None without one.

    Raises InvalidSpec when it opened several: one is served.
    """
    environ = os.environ if environ is None else environ
    if not _is_for_us(environ.get("LISTEN_PID"), pid):
        return None
    count = environ.get("LISTEN_FDS", "")
    if count not in ("0", "1"):
        raise InvalidSpec(
            f"the service manager passed LISTEN_FDS={count!r} sockets and one is served: leave one "
            "ListenStream= in the socket unit"
        )
    return _FIRST_DESCRIPTOR if count == "1" else None


def watchdog_seconds(
    environ: Optional[Mapping[str, str]] = None, pid: Optional[int] = None
) -> Optional[float]:
    """After how long a silence the service manager restarts this process; None when it does not watch.

    Raises InvalidSpec for what sd_watchdog_enabled(3) does not write.
    """
    environ = os.environ if environ is None else environ
    told = environ.get("WATCHDOG_USEC")
    if not told or ("WATCHDOG_PID" in environ and not _is_for_us(environ["WATCHDOG_PID"], pid)):
        return None
    if not re.fullmatch("[0-9]{1,18}", told) or not int(told):
        raise InvalidSpec(
            f"WATCHDOG_USEC={told!r} is not a number of microseconds: let WatchdogSec= write it"
        )
    return int(told) / 1_000_000


def _is_for_us(named: Optional[str], pid: Optional[int]) -> bool:
    """Whether *named* is this process: others inherit such variables and are not meant by them."""
    return named == str(os.getpid() if pid is None else pid)
