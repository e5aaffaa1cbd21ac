"""Requests below the dialect's prefix, and what every reply and every error has."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tests.unit.native.calls import Calls, Told

PREFIX = "/workspace/se"
ERROR = ("error_code", "description", "error_detail", "error_link", "solution")


@dataclass(frozen=True)
class Runtime:
    """One server, as its Sandbox Runtime clients see it."""

    calls: Calls

    def __call__(self, verb: str, path: str, body: Any = None, **headers: str) -> Told:
        return self.calls(verb, PREFIX + path, body, **headers)

    def good(self, verb: str, path: str, body: Any = None, **headers: str) -> dict[str, Any]:
        """The payload of a reply, after checking that it is there in every form."""
        return payload(self(verb, path, body, **headers))

    def handle(self, code: str, event: Mapping[str, Any] | None = None, **more: Any) -> Told:
        """A one-shot handler."""
        return self("POST", "/v2/execute_code", {"handler_code": code, "event": dict(event or {}), **more})


def payload(told: Told) -> dict[str, Any]:
    assert (told.status, told.headers["content-type"]) == (200, "application/json"), told.body
    whole: dict[str, Any] = told.json
    found: dict[str, Any] = whole.pop("result")
    assert whole.pop("full_result") == found == whole
    return found


def error(told: Told, status: int) -> dict[str, Any]:
    """The error object of *told*, after checking that it is the published one."""
    assert (told.status, told.headers["content-type"]) == (status, "application/json"), told.body
    whole: dict[str, Any] = told.json
    assert all(isinstance(whole[name], str) and whole[name] for name in ERROR), whole
    assert whole["error_code"].startswith("Sandbox.")
    detail = whole["detail"]
    if isinstance(detail, dict):
        assert all(detail[name] == whole[name] for name in ERROR)
    elif isinstance(detail, list):
        assert all({"type", "loc", "msg"} <= set(each) for each in detail)
    else:
        assert detail == whole["error_detail"]
    return whole


def form(content: bytes, filename: str = "", name: str = "file") -> tuple[bytes, dict[str, str]]:
    """A form with one file, and the header that goes with it."""
    named = f'; filename="{filename}"' if filename else ""
    head = f'--BOUND\r\nContent-Disposition: form-data; name="{name}"{named}\r\n\r\n'
    body = head.encode() + content + b"\r\n--BOUND--\r\n"
    return body, {"Content_Type": "multipart/form-data; boundary=BOUND"}
