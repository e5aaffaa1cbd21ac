"""N03: a program in a box does not reach the server that runs it, or is nobody there."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import sandlot
from sandlot.testing.servers import RunningServer
from tests.threats.conftest import ready_server
from tests.threats.raw import ask

pytestmark = [pytest.mark.engine, pytest.mark.timeout(60)]

_CALL = """
import os, urllib.error, urllib.request
for path in ('/v1/sandboxes', '/v1/sandboxes/box', '/metrics'):
    try:
        print(urllib.request.urlopen({url!r} + path, timeout=5).status)
    except urllib.error.HTTPError as error:
        print(error.code)
    except OSError as error:
        print('unreachable')
"""
_SOMEBODY = 54_321


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    with ready_server("--allow-network") as running:
        yield running


def _called(server: RunningServer, network: str) -> list[str]:
    asked = {"code": _CALL.format(url=server.url), "network": network}
    answer = ask(server, "POST", "/v1/run", asked)
    assert answer.status == 200, answer
    return str(answer.json["stdout"]).split()


def test_n03_without_a_network_the_server_is_unreachable(server: RunningServer, box: str) -> None:
    assert ask(server, "GET", f"/v1/sandboxes/{box}").status == 200
    assert _called(server, "none") == ["unreachable"] * 3


@pytest.mark.skipif(os.geteuid() != 0, reason="only root's boxes have a uid of their own")
def test_n03_with_the_hosts_network_a_program_is_another_user_and_needs_a_key(
    server: RunningServer, box: str
) -> None:
    assert ask(server, "GET", f"/v1/sandboxes/{box}").status == 200
    assert _called(server, "full") == ["403"] * 3


_AS_SOMEBODY = """
import os, sys, tempfile
os.setgroups([]); os.setgid({uid}); os.setuid({uid})
sys.path.insert(0, {source!r})
from sandlot.testing.servers import running_server
from tests.threats.raw import ask
with running_server('--allow-network') as server:
    print(ask(server, 'POST', '/v1/run', {{'cmd': ['true'], 'network': 'full'}}).code)
    key = {{'Authorization': 'Bearer ' + server.key('first')}}
    print(ask(server, 'GET', '/v1/sandboxes').code, ask(server, 'GET', '/v1/sandboxes', **key).status)
with running_server('--allow-network', '--auth', 'keys') as server:
    key = {{'Authorization': 'Bearer ' + server.key('first')}}
    asked = {{'code': {call!r}.format(url=server.url), 'network': 'full'}}
    print(*ask(server, 'POST', '/v1/run', asked, **key).json['stdout'].split())
"""


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="needs uid 0 to become somebody else")
def test_n03_a_server_that_is_not_root_gives_the_hosts_network_only_where_keys_are_wanted() -> None:
    source = Path(sandlot.__file__).parents[1]
    if not all(parent.stat().st_mode & 0o001 for parent in (source, *source.parents)):
        pytest.skip(f"another user cannot read {source}")
    program = _AS_SOMEBODY.format(uid=_SOMEBODY, source=str(source), call=_CALL)
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, cwd="/"
    )
    assert done.stdout.splitlines() == ["forbidden", "unauthorized 200", "401 401 401"], done.stderr
