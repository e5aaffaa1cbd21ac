"""NoxRunner's HTTP protocol, version 1, as its own client speaks it: one connection per request."""

from __future__ import annotations

import http.client
import json
import re
import time
import urllib.error
import urllib.parse
import urllib.request
from typing import Any, Dict, List, Optional, Tuple, Union

from ..exceptions import NoxRunnerError, NoxRunnerHTTPError
from ..fileops.tar_handler import TarHandler
from .base import SandboxBackend

_DEFAULT_TIMEOUT = 30
_ANSWER_TIME = 5  # seconds a service may need to tell that a command timed out
# RFC 3986 `pchar`, and a percent sign before two hexadecimal digits: who encoded an id is not encoded again.
_SAFE_IN_PATH = "%-._~!$&'()*+,;=:@"
_BARE_PERCENT = re.compile("%(?![0-9A-Fa-f]{2})")


class HTTPSandboxBackend(SandboxBackend):
    """Sandboxes of the service at `base_url`; a request may take `timeout` seconds."""

    def __init__(self, base_url: str, timeout: int = _DEFAULT_TIMEOUT) -> None:
        self.base_url = base_url.rstrip("/")
        self.timeout = timeout
        self.tar_handler = TarHandler()

    def _request(
        self,
        method: str,
        path: str,
        data: Optional[Union[Dict[str, Any], bytes]] = None,
        headers: Optional[Dict[str, str]] = None,
        content_type: Optional[str] = None,
        timeout: Optional[float] = None,
    ) -> Tuple[int, bytes]:
        all_headers = dict(headers or {})
        if isinstance(data, dict):
            body: Optional[bytes] = json.dumps(data).encode("utf-8")
            content_type = content_type or "application/json"
        else:
            body = data
        if content_type:
            all_headers["Content-Type"] = content_type
        # Built outside the try: a base URL without a scheme is the caller's ValueError.
        request = urllib.request.Request(  # noqa: S310 - the scheme is whoever chose the base URL's choice
            self.base_url + path, data=body, headers=all_headers, method=method
        )
        try:
            with urllib.request.urlopen(request, timeout=timeout or self.timeout) as response:  # noqa: S310 - as above
                return response.getcode(), response.read()
        except urllib.error.HTTPError as error:
            raise NoxRunnerHTTPError(error.code, str(error), _body_of(error)) from error
        except urllib.error.URLError as error:
            raise NoxRunnerError(f"Network error: {error}") from error
        except Exception as error:  # the contract: whatever fails on the way is a NoxRunnerError
            raise NoxRunnerError(f"Unexpected error: {error}") from error

    def _json_request(
        self, method: str, path: str, data: Optional[Dict[str, Any]] = None, timeout: Optional[float] = None
    ) -> Any:
        _, body = self._request(method, path, data, timeout=timeout)
        if not body:
            return {}
        try:
            return json.loads(body.decode("utf-8"))
        except (ValueError, RecursionError) as error:
            raise NoxRunnerError(f"Invalid JSON response: {error}") from error

    def health_check(self) -> bool:
        """Whether `/healthz` answers 200 with an `OK` in it."""
        try:
            status, body = self._request("GET", "/healthz")
        except (NoxRunnerError, ValueError):
            return False
        return status == 200 and b"OK" in body

    def create_sandbox(
        self,
        session_id: str,
        ttl_seconds: int = 900,
        image: Optional[str] = None,
        cpu_limit: Optional[str] = None,
        memory_limit: Optional[str] = None,
        ephemeral_storage_limit: Optional[str] = None,
    ) -> Any:
        """The service's JSON as it came; raises NoxRunnerError."""
        optional = {
            "image": image,
            "cpuLimit": cpu_limit,
            "memoryLimit": memory_limit,
            "ephemeralStorageLimit": ephemeral_storage_limit,
        }
        asked: Dict[str, Any] = {"ttlSeconds": ttl_seconds}
        asked.update((name, value) for name, value in optional.items() if value)
        return self._json_request("PUT", _path(session_id), asked)

    def touch(self, session_id: str) -> bool:
        """True for status 200 only; raises NoxRunnerError."""
        status, _ = self._request("POST", _path(session_id, "/touch"))
        return status == 200

    def exec(
        self,
        session_id: str,
        cmd: List[str],
        workdir: str = "/workspace",
        env: Optional[Dict[str, str]] = None,
        timeout_seconds: int = 30,
    ) -> Any:
        """The service's JSON as it came; raises NoxRunnerError."""
        asked: Dict[str, Any] = {"cmd": cmd, "workdir": workdir, "timeoutSeconds": timeout_seconds}
        if env:
            asked["env"] = env
        patience = _patience(self.timeout, timeout_seconds)
        return self._json_request("POST", _path(session_id, "/exec"), asked, timeout=patience)

    def upload_files(
        self, session_id: str, files: Dict[str, Union[str, bytes]], dest: str = "/workspace"
    ) -> bool:
        """True for status 200 only; raises NoxRunnerError."""
        archive = self.tar_handler.create_tar(files)
        path = _path(session_id, "/files/upload?" + urllib.parse.urlencode({"dest": dest}))
        status, _ = self._request("POST", path, archive, content_type="application/x-tar")
        return status == 200

    def download_files(self, session_id: str, src: str = "/workspace") -> bytes:
        """The body of any successful answer; raises NoxRunnerError."""
        path = _path(session_id, "/files/download?" + urllib.parse.urlencode({"src": src}))
        return self._request("GET", path)[1]

    def delete_sandbox(self, session_id: str) -> bool:
        """True for status 200 or 204; raises NoxRunnerError."""
        status, _ = self._request("DELETE", _path(session_id))
        return status in (200, 204)

    def wait_for_pod_ready(self, session_id: str, timeout: int = 30, interval: int = 2) -> bool:
        """Whether `echo ready` prints that within `timeout` seconds; its exit code is not looked at."""
        start = time.time()
        while time.time() - start < timeout:
            try:
                answer = self.exec(session_id, ["echo", "ready"], timeout_seconds=5)
                if answer.get("stdout", "").strip() == "ready":
                    return True
            except Exception:  # noqa: BLE001, S110 - the contract: never raises, a failure means not yet
                pass
            time.sleep(interval)
        return False


def _path(session_id: str, verb: str = "") -> str:
    text = _BARE_PERCENT.sub("%25", str(session_id))
    return f"/v1/sandboxes/{urllib.parse.quote(text, _SAFE_IN_PATH, errors='surrogatepass')}{verb}"


def _patience(timeout: float, command_timeout: float) -> float:
    """How long to wait for a command's result: as long as the command may run, unless told to hurry."""
    numbers = all(isinstance(value, (int, float)) for value in (timeout, command_timeout))
    if not numbers or timeout < _DEFAULT_TIMEOUT:
        return timeout
    return max(timeout, command_timeout + _ANSWER_TIME)


def _body_of(error: urllib.error.HTTPError) -> str:
    if error.fp is None:
        return ""
    try:
        with error:
            return error.read().decode("utf-8", "ignore")
    except (OSError, http.client.HTTPException):
        return ""  # the status is the message; its explanation was cut off
