"""A server with a warm pool of the real engine that parks."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from sandlot.testing.servers import RunningServer, running_server
from tests.unit.local.machine import obstacle
from tests.unit.server.talk import ask

pytestmark = [pytest.mark.engine, pytest.mark.needs_engine("zygote")]


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    if why := obstacle("zygote"):
        pytest.skip(f"zygote does not work here: {why}")
    with running_server("--pool", "2") as running:
        yield running


def _stock(server: RunningServer) -> dict[str, Any]:
    """The stock of the default environment, once it is full; the test's own time limit ends it otherwise."""
    while True:
        for stock in json.loads(ask(server, "GET", "/v1/pool").body)["stocks"]:
            if stock["stock"] == "system" and stock["ready"] == 2:
                found: dict[str, Any] = stock
                return found


def test_boxes_are_ready_before_and_after_a_request(server: RunningServer) -> None:
    before = _stock(server)
    answer = json.loads(ask(server, "POST", "/v1/run", {"code": "print(6 * 7)"}).body)
    assert (answer["stdout"], answer["engine"], answer["failover"]) == ("42\n", "zygote", [])
    after = _stock(server)
    assert (after["hits"], after["misses"]) == (before["hits"] + 1, before["misses"])
    assert after["refills"] > before["refills"]


def test_the_numbers_are_told_to_people_and_to_prometheus(server: RunningServer) -> None:
    _stock(server)
    words = [sys.executable, "-m", "sandlot.cli.main", "pool", "--url", server.url]
    told = subprocess.run(words, stdout=subprocess.PIPE, check=True).stdout.decode()
    head, line, *_ = told.splitlines()
    assert head.split()[:3] == ["ENGINE", "STOCK", "READY"]
    assert line.split()[:3] == ["zygote", "system", "2"]
    shape = json.loads(subprocess.run([*words, "--json"], stdout=subprocess.PIPE, check=True).stdout)
    assert {stock["engine"] for stock in shape["stocks"]} == {"zygote"}
    text = ask(server, "GET", "/metrics").body.decode()
    assert 'sandlot_pool_ready{engine="zygote",stock="system"} 2.0' in text


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount images")
def test_a_second_sandbox_finds_a_box_with_its_workspace_in_it_ready(server: RunningServer) -> None:
    name = "system/536870912/100000"
    assert ask(server, "PUT", "/v1/sandboxes/first", {}).status in (200, 201)
    while True:  # until it is full; the test's own time limit ends it otherwise
        stocks = {
            stock["stock"]: stock for stock in json.loads(ask(server, "GET", "/v1/pool").body)["stocks"]
        }
        if name in stocks and stocks[name]["ready"] == 2:
            break
    before = stocks[name]
    assert ask(server, "PUT", "/v1/sandboxes/durable", {}).status in (200, 201)
    line = {"cmd": ["sh", "-c", "echo kept > f; stat -f -c %T ."]}
    answer = json.loads(ask(server, "POST", "/v1/sandboxes/durable/exec", line).body)
    assert answer["stdout"] == "ext2/ext3\n"
    stocks = {stock["stock"]: stock for stock in json.loads(ask(server, "GET", "/v1/pool").body)["stocks"]}
    assert (stocks[name]["hits"], stocks[name]["misses"]) == (before["hits"] + 1, before["misses"])
    for sandbox in ("first", "durable"):
        assert ask(server, "DELETE", f"/v1/sandboxes/{sandbox}").status in (200, 204)


def test_no_pool_and_who_may_ask() -> None:
    if why := obstacle("zygote"):
        pytest.skip(f"zygote does not work here: {why}")
    with running_server("--pool", "0") as server:
        answer = json.loads(ask(server, "POST", "/v1/run", {"code": "print(1)"}).body)
        assert (answer["stdout"], answer["engine"]) == ("1\n", "zygote")
        assert json.loads(ask(server, "GET", "/v1/pool").body) == {"stocks": []}
        reader, watcher = server.key("reader", "read"), server.key("watcher", "metrics")
        assert ask(server, "GET", "/v1/pool").status == 401
        assert ask(server, "GET", "/v1/pool", Authorization=f"Bearer {reader}").status == 403
        assert ask(server, "GET", "/v1/pool", Authorization=f"Bearer {watcher}").status == 200
        told = subprocess.run(
            [sys.executable, "-m", "sandlot.cli.main", "pool", "--url", server.url],
            env={**os.environ, "SANDLOT_KEY": reader},
            stderr=subprocess.PIPE,
            check=False,
        )
        assert (told.returncode, b"lacks the scope 'metrics'" in told.stderr) == (125, True)
