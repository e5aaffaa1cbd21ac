"""Who may do what: the same gate as everywhere, told in this dialect's words."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from sandlot.testing.servers import RunningServer, running_server
from tests.unit.native.calls import Calls
from tests.unit.sandbox_runtime_dialect.wire import Runtime, error

HANDLER = {"handler_code": "def handler(event): return 1"}


@pytest.fixture(scope="module")
def guarded() -> Iterator[RunningServer]:
    with running_server("--workspaces", "memory", "--pool", "0") as running:
        yield running


@pytest.fixture(scope="module")
def owners(guarded: RunningServer) -> tuple[Runtime, Runtime, Runtime]:
    """Two owners who may do everything, and the first one's key to look only."""
    keys = [
        guarded.key("a", "read", "write", owner="a"),
        guarded.key("b", "read", "write", owner="b"),
        guarded.key("look", "read", owner="a"),
    ]
    first, second, third = (Runtime(Calls(guarded.url, {"Authorization": f"Bearer {key}"})) for key in keys)
    return first, second, third


def test_without_a_key_nothing_is_told(guarded: RunningServer, owners: tuple[Runtime, ...]) -> None:
    del owners  # there are keys now
    stranger = Runtime(Calls(guarded.url))
    for verb, path in (
        ("GET", "/healthy"),
        ("GET", "/workspaces"),
        ("POST", "/v2/execute_code"),
        ("GET", "/no"),
    ):
        told = stranger(verb, path, HANDLER if verb == "POST" else None)
        error(told, 401)
        assert told.headers["www-authenticate"] == "Bearer"
    assert stranger.calls("GET", "/api.json").status == 401


def test_owners_see_their_own_sessions_only(owners: tuple[Runtime, Runtime, Runtime]) -> None:
    first, second, _ = owners
    first.good("POST", "/create/shared", {"content": "secret", "filename": "a.txt"})
    assert second.good("GET", "/workspaces") == {"workspaces": {}}
    assert second.good("GET", "/status/shared")["exists"] is False
    assert second.good("GET", "/files/shared") == {"files": []}  # a session of their own
    error(second("GET", "/readfile/shared/a.txt"), 404)
    assert second.good("POST", "/cleanup-all", {"force": True})["total"] == 1
    assert first.good("GET", "/readfile/shared/a.txt")["content"] == "secret"


def test_a_key_that_may_look_only_changes_nothing(owners: tuple[Runtime, Runtime, Runtime]) -> None:
    looking = owners[2]
    assert looking.good("GET", "/healthy") == {"status": "success"}
    assert looking.good("GET", "/workspaces")["workspaces"].keys() >= {"shared"} - {"shared"}
    error(looking("POST", "/v2/execute_code", HANDLER), 403)
    error(looking("DELETE", "/session/shared"), 403)
    error(looking("POST", "/cleanup-all", {}), 403)
    error(looking("GET", "/files/unmade"), 403)


@pytest.mark.parametrize("headers", [{"Host": "evil.example"}, {"Origin": "https://evil.example"}])
def test_names_and_pages_of_others_are_refused(runtime: Runtime, headers: dict[str, str]) -> None:
    error(runtime("POST", "/v2/execute_code", HANDLER, **headers), 403)


def test_a_body_without_its_type_is_refused(runtime: Runtime) -> None:
    told = runtime("POST", "/v2/execute_code", b'{"handler_code": "1"}', Content_Type="text/plain")
    error(told, 415)
