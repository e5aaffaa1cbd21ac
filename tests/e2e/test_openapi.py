"""The document of the API is true: what it allows is served, what it forbids is refused, and nothing fails.

Half of the requests that name a sandbox name one that lives, so that more than "not found" is tried.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.config import SchemathesisConfig
from schemathesis.config._checks import POSITIVE_DATA_ACCEPTANCE_EXPECTED_STATUSES
from schemathesis.core.parameters import ParameterLocation
from schemathesis.core.result import Ok
from schemathesis.pytest.lazy import get_all_tests
from schemathesis.specs.openapi.checks import positive_data_acceptance
from starlette.routing import BaseRoute, WebSocketRoute

from sandlot.server import control
from sandlot.server.dialect import Context, dialects
from sandlot.server.health import Health
from sandlot.server.lifecycle import Lifecycle
from sandlot.server.metrics import Metrics
from sandlot.server.openapi import document
from sandlot.settings import load
from sandlot.testing.servers import running_server
from sandlot.testing.tars import honest_by_library
from tests.e2e.openapi_stage import PATIENCE, RUNTIME, SSE, Case, Stage

pytestmark = [pytest.mark.engine, pytest.mark.timeout(1800)]

_FULL = 100
"""From so many examples on a run is a full one."""
_LONGEST_WAIT = 3600
_LONGEST_EXAMPLE = 100_000
_TOLD = ("timed_out", "engine_unavailable", "degraded")
"""Answers by a status of the server's kind: a process still runs, no engine here is what was asked for, and
at /readyz that the machine has too much to do."""
_AMOUNTS = {
    **dict.fromkeys(("memory", "memoryLimit"), "256Mi"),
    **dict.fromkeys(("disk", "ephemeralStorageLimit"), "64Mi"),
    "size": "64M",
    **dict.fromkeys(("cpu", "cpuLimit"), 1),
}

_ARCHIVES = st.dictionaries(st.from_regex("[a-z]{1,9}", fullmatch=True), st.binary(max_size=99))
# The document cannot say what an archive is, and for other routes it is as good as any bytes.
schemathesis.openapi.media_type(
    "application/x-tar", _ARCHIVES.map(honest_by_library), aliases=["application/octet-stream"]
)


def fit(case: Case) -> None:
    """Ask for no more than this machine has, where the document has to leave that open, and not wait long."""
    wait = str((case.query or {}).get("waitSeconds"))
    if re.fullmatch(r"[0-9]+(\.[0-9]+)?", wait) and 0.1 < float(wait) <= _LONGEST_WAIT:
        case.query["waitSeconds"] = 0.1
    body: Any = case.body
    if case.meta is None or case.meta.is_negative_at(ParameterLocation.BODY) or not isinstance(body, dict):
        return
    if re.search("[/:@+]", str(body.get("image"))):
        body["image"] = "system"  # no environment can have such a name, so it would have to be mapped
    if body.get("event") is not None:
        body["event"] = {"depth and digits": "have bounds that no schema tells"}
    if "/contexts/" in case.path:
        body.pop("cursor", None)  # its bound is the code's length, which no schema tells
    for holder in (body, body.get("limits") or {}):
        for name, amount in _AMOUNTS.items():
            if holder.get(name) is not None:
                holder[name] = amount


@pytest.fixture(scope="module", params=["keyless", "with-a-key"])
def stage(request: pytest.FixtureRequest) -> Iterator[Stage]:
    with running_server() as server:
        key = server.key("fuzz", "read", "write", "metrics") if request.param != "keyless" else None
        made = Stage(server, key)
        while made.ask("GET", "/readyz").status_code != 200:
            time.sleep(0.1)  # nothing announces it
        try:
            yield made
        finally:
            made.close()


def _without_great_lengths(schema: dict[str, Any]) -> dict[str, Any]:
    """No example is as long, and joined with a pattern such a bound takes the library a second each time."""
    if isinstance(length := schema.get("maxLength"), int) and length > _LONGEST_EXAMPLE:
        del schema["maxLength"]
    return schema


@pytest.fixture(scope="module")
def api(stage: Stage, request: pytest.FixtureRequest) -> schemathesis.BaseSchema:
    told: Any = stage.ask("GET", "/openapi.json").json(object_hook=_without_great_lengths)
    if stage.headers:
        # This server lets nobody in without one.
        told["security"] = [{"key": []}]
    examples = request.config.getoption("--examples")
    config = SchemathesisConfig.from_dict(
        {
            "base-url": stage.url,
            "max-stream-events": 3,
            "generation": {
                "max-examples": examples,
                "deterministic": True,
                "database": "none",
                # The key is ours to send; that each operation wants it is a check of its own.
                "with-security-parameters": False,
            },
            # The edges of every field are the same with a key: a short run tries them once.
            "phases": {"coverage": {"enabled": not stage.headers or examples >= _FULL}},
            # What cannot be enforced here is refused, and whether it can depends on the machine.
            "checks": {
                "positive_data_acceptance": {
                    "expected-statuses": [*POSITIVE_DATA_ACCEPTANCE_EXPECTED_STATUSES, "416", "422"]
                }
            },
        }
    )
    return schemathesis.openapi.from_dict(told, config=config)


def _routes() -> tuple[list[BaseRoute], dict[str, Any]]:
    """Every route of a server with all dialects, and the document that tells of them."""
    context = Context(load(), Metrics(), Lifecycle())
    found = dialects(context)
    health = Health(context.lifecycle, context.metrics, context.settings.data_directory)
    routes = [route for dialect in found for route in dialect.routes]
    routes += control.routes(health, dict)
    return routes, document(control.paths(), found)


def _operations(told: dict[str, Any]) -> list[tuple[str, str]]:
    return [(verb.upper(), path) for path, item in told["paths"].items() for verb in item]


def _why(told: dict[str, Any]) -> str | None:
    return told.get("code") or told.get("status")


@pytest.mark.parametrize(("verb", "path"), _operations(_routes()[1]))
def test_an_operation_does_what_the_document_says(
    verb: str, path: str, api: schemathesis.BaseSchema, stage: Stage
) -> None:
    def play(case: Case) -> None:
        stage.aim(case)
        fit(case)
        headers = dict(stage.headers)
        is_endless = case.path.endswith(("/files/watch", "/events"))
        if is_endless:
            headers["Accept"] = SSE
        if isinstance(case.body, dict) and case.body.get("stdinStream") is True:
            headers["Accept"] = "application/x-ndjson"
        # Of what never ends a second is heard.
        timeout = 1 if is_endless else PATIENCE
        response = case.call(headers=headers, session=stage.session, timeout=timeout)
        is_runtime = case.path.startswith(RUNTIME)
        is_told = response.status_code >= 500 and _why(response.json()) in _TOLD
        case.validate_response(
            response,
            headers=headers,
            transport_kwargs={"session": stage.session, "headers": headers},
            excluded_checks=[
                *([not_a_server_error] if is_told else ()),
                # There a name that is none, or of no file, is 400 for the sake of older clients.
                *([positive_data_acceptance] if is_runtime and response.status_code in (400, 415) else ()),
            ],
        )
        stage.tidy(case, response)

    (found,) = get_all_tests(
        schema=api.include(method=verb, path=path),
        test_func=play,
        settings=settings(deadline=None, suppress_health_check=list(HealthCheck)),
        given_kwargs=None,
    )
    assert isinstance(found, Ok), found
    _, test = found.ok()
    test()


def test_a_good_share_of_the_requests_met_a_sandbox_that_lives(stage: Stage) -> None:
    assert stage.met > stage.asked // 10


def test_the_document_has_an_operation_for_every_route_but_the_websockets(
    api: schemathesis.BaseSchema,
) -> None:
    routes, told = _routes()
    served = {
        (verb, getattr(route, "path", ""))
        for route in routes
        if not isinstance(route, WebSocketRoute)
        for verb in set(getattr(route, "methods", ()))
    }
    sockets = {route.path.split("{id}")[1] for route in routes if isinstance(route, WebSocketRoute)}
    assert sockets == {  # OpenAPI has no word for them
        "/channels",
        "/contexts/{context}/channel",
        "/terminal",
        "/terminals/{terminal}",
    }
    assert set(_operations(told)) == served
    assert set(_operations(api.raw_schema)) == served
    assert api.statistic.operations.total == len(served)
