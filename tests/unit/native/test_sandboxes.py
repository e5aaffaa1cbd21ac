from __future__ import annotations

import re
import threading
from datetime import datetime
from urllib.parse import quote

import pytest

from tests.unit.native.calls import Calls, Told

NEW = "/v1/sandboxes/lifecycle"


def _seconds(told: Told, begin: str, end: str) -> float:
    return (datetime.fromisoformat(told.json[end]) - datetime.fromisoformat(told.json[begin])).total_seconds()


def test_a_sandbox_is_made_claimed_touched_and_deleted_as_noxrunner_expects(call: Calls) -> None:
    made = call("PUT", NEW, {"ttlSeconds": 60})
    assert made.status == 200
    assert re.fullmatch("sbx-[0-9a-f]{10}", made.json["podName"])
    assert list(made.json)[:2] == ["podName", "expiresAt"]
    assert _seconds(made, "lastActiveAt", "expiresAt") == pytest.approx(60, abs=0.01)
    again = call("PUT", NEW, {})
    assert (again.status, again.json["podName"]) == (200, made.json["podName"])
    touched = call("POST", NEW + "/touch", None, Content_Length="0")
    assert touched.status == 200
    assert touched.json["expiresAt"] > made.json["expiresAt"]
    gone = call("DELETE", NEW)
    assert (gone.status, gone.body) == (204, b"")
    assert "content-type" not in gone.headers


def test_the_lease_lasts_900_seconds_unless_another_is_asked_for(call: Calls) -> None:
    made = call("PUT", NEW, {})
    assert made.json["ttlSeconds"] == 900
    call("DELETE", NEW)


def test_what_has_ended_is_told_but_cannot_be_used(call: Calls) -> None:
    call("PUT", NEW, {})
    call("DELETE", NEW)
    ended = call("GET", NEW)
    assert (ended.status, ended.json["state"], ended.json["ending"]["reason"]) == (200, "ended", "deleted")
    assert call("DELETE", NEW).code == "not_found"
    assert call("POST", NEW + "/touch").code == "not_found"
    assert call("POST", NEW + "/exec", {"cmd": ["true"]}).code == "not_found"
    assert call("GET", NEW + "/files/stat?path=x").code == "not_found"
    assert call("GET", NEW + "/processes").code == "not_found"
    assert NEW.rpartition("/")[2] not in [
        each["id"] for each in call("GET", "/v1/sandboxes").json["sandboxes"]
    ]


def test_another_spec_for_the_same_name_is_a_conflict(call: Calls, box: str) -> None:
    assert call("PUT", box, {"limits": {"memory": "123Mi"}}).code == "conflict"
    assert call("PUT", box, {"memoryLimit": "123Mi"}).code == "conflict"


def test_a_hundred_calls_at_once_make_one_sandbox(call: Calls) -> None:
    """A09."""
    told: list[Told] = []
    threads = [
        threading.Thread(target=lambda: told.append(call("PUT", NEW + "-race", {}))) for _ in range(100)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {each.status for each in told} == {200}
    assert len({each.json["podName"] for each in told}) == 1
    call("DELETE", NEW + "-race")


def test_lists_are_told_in_pages(call: Calls) -> None:
    names = [f"page-{letter}" for letter in "abc"]
    for name in names:
        call("PUT", f"/v1/sandboxes/{name}", {})
    first = call("GET", "/v1/sandboxes?limit=1&cursor=page-&state=running").json
    assert [each["id"] for each in first["sandboxes"]] == names[:1]
    rest = call("GET", f"/v1/sandboxes?limit=2&cursor={first['next']}").json
    assert [each["id"] for each in rest["sandboxes"]] == names[1:]
    for name in names:
        call("DELETE", f"/v1/sandboxes/{name}")
    ended = call("GET", "/v1/sandboxes?limit=3&cursor=page-&state=ended").json["sandboxes"]
    assert [(each["id"], each["state"]) for each in ended] == [(name, "ended") for name in names]
    told = call("GET", "/v1/sandboxes?limit=1000").json["sandboxes"]
    assert {each["state"] for each in told} <= {"running", "stopped"}


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=1001",
        "limit=x",
        "limit=",
        "state=gone",
        "state=",
        "state=running,",
        "limit=1&limit=2",
    ],
)
def test_a_page_that_cannot_be_is_refused(call: Calls, query: str) -> None:
    assert call("GET", f"/v1/sandboxes?{query}").code == "invalid_spec"


@pytest.mark.parametrize(
    "name",
    [
        "..",
        ".",
        "%2e%2e",
        "-a",
        "a b",
        "a%00b",
        "a" * 129,
        "a" * 10_240,
        "ä",
        "\N{CYRILLIC SMALL LETTER A}",
        "a;b",
        "$(id)",
        "a`b",
    ],
)
@pytest.mark.parametrize("verb", ["PUT", "GET", "DELETE"])
def test_a_name_that_is_none_is_refused(call: Calls, name: str, verb: str) -> None:
    """A06."""
    path = "/v1/sandboxes/" + quote(name, safe="%")
    assert call(verb, path, {} if verb == "PUT" else None).code == "invalid_spec"


@pytest.mark.parametrize("path", ["x%2Fexec", "x%2ftouch", "a%2Fb/touch", "%2e%2e%2f", "lifecycle%2ffiles"])
@pytest.mark.parametrize("verb", ["PUT", "GET", "POST", "DELETE"])
def test_an_escaped_slash_makes_no_other_route(call: Calls, path: str, verb: str) -> None:
    told = call(verb, f"/v1/sandboxes/{path}", {"cmd": ["true"]} if verb in ("PUT", "POST") else None)
    assert told.status in (400, 404, 405)


@pytest.mark.parametrize(
    "ttl", ["-1", "0", "1e308", "NaN", "Infinity", "1e999", '"5"', "true", "[]", "9" * 40, "31622401"]
)
def test_a_lease_out_of_range_is_refused(call: Calls, ttl: str) -> None:
    """A07."""
    told = call("PUT", NEW, f'{{"ttlSeconds":{ttl}}}', Content_Type="application/json")
    assert told.code == "invalid_spec"


@pytest.mark.parametrize(
    "body",
    [
        '{"mounts":[]}',
        '{"workspace":{}}',
        '{"ttlseconds":5}',
        '{"image":"no/such:image"}',
        '{"isolation":"best"}',
        '{"network":"some"}',
        '{"engine":"../x"}',
        '{"limits":{"gpu":1}}',
        '{"limits":[]}',
        '{"env":{"A":1}}',
        '{"env":{"A=B":"1"}}',
        '{"cpuLimit":"1","limits":{"cpu":"2"}}',
        '{"limits":{"pids":0}}',
        '{"limits":{"memory":"-5"}}',
    ],
)
def test_a_spec_with_a_field_that_is_wrong_is_refused(call: Calls, body: str) -> None:
    """A04."""
    assert call("PUT", NEW, body, Content_Type="application/json").code == "invalid_spec"


def test_the_engine_without_walls_is_not_given_over_http(call: Calls) -> None:
    assert call("PUT", NEW, {"engine": "process"}).code == "forbidden"
    assert call("POST", "/v1/run", {"cmd": ["true"], "isolation": "process"}).code == "forbidden"


def test_what_cannot_be_done_here_is_refused(call: Calls) -> None:
    assert call("PUT", NEW, {"engine": "nobodys"}).status in (422, 503)


def test_noxrunners_names_of_limits_are_understood(call: Calls) -> None:
    # A memory limit needs control groups, which an ordinary user may lack: refused, never passed over.
    asked = {"ttlSeconds": 60, "ephemeralStorageLimit": "8Mi"}
    limited = {**asked, "memoryLimit": "64Mi"}
    made = call("PUT", NEW + "-limits", limited)
    if made.status == 422:
        made = call("PUT", NEW + "-limits", asked)
    assert made.status == 200
    told = call("POST", NEW + "-limits/exec", {"cmd": ["sh", "-c", "head -c 20M /dev/zero > x"]})
    assert told.json["exitCode"] != 0
    call("DELETE", NEW + "-limits")
