"""Variables of others that we pass on or obey: proxies, package installers, terminals, systemd."""

from __future__ import annotations

import os
from typing import Dict, Mapping, Optional

_TERMINAL = ("NO_COLOR", "FORCE_COLOR", "CLICOLOR", "TERM", "TERM_PROGRAM", "KITTY_WINDOW_ID")
_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")
_EITHER_CASE = (*_PROXIES, *(name.lower() for name in _PROXIES))
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


def notify_socket(environ: Optional[Mapping[str, str]] = None) -> Optional[str]:
    """Where a service manager wants to hear that we are ready (sd_notify(3)); None without one."""
    environ = os.environ if environ is None else environ
    return environ.get("NOTIFY_SOCKET") or None
