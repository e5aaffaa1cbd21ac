"""More handlers at once than there are sandboxes: each waits for its turn, and all succeed."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from sandlot.testing.servers import running_server
from tests.unit.native.calls import Calls

pytestmark = [pytest.mark.engine, pytest.mark.timeout(180)]

_CROWD = 40
_SLOW = "import time\ndef handler(event):\n    time.sleep(0.5)\n    return event['number']"


def _handled(call: Calls, number: int) -> tuple[int, int, int]:
    asked = {"handler_code": _SLOW, "event": {"number": number}}
    told = call("POST", "/workspace/se/v2/execute_code", asked)
    return told.status, told.json["result"], told.json["exit_code"]


@pytest.mark.parametrize("commands", ["8", "256"])
def test_forty_handlers_at_once_all_succeed_on_a_pool_of_two(commands: str) -> None:
    environ = {"SANDLOT_MOST_COMMANDS": commands}
    with (
        running_server("--workspaces", "memory", "--pool", "2", environ=environ) as server,
        ThreadPoolExecutor(_CROWD) as crowd,
    ):
        told = list(crowd.map(lambda number: _handled(Calls(server.url), number), range(_CROWD)))
    assert told == [(200, number, 0) for number in range(_CROWD)]
