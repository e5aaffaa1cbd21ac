from __future__ import annotations

import pytest

from sandlot.cli import statuses
from sandlot.contracts.lease import Ending, EndReason, Lease, State
from sandlot.contracts.quantity import Seconds
from sandlot.contracts.service import SandboxStatus
from sandlot.contracts.spec import Isolation

NOW = 1_700_000_000.0


def _status(**rest: object) -> SandboxStatus:
    lease = Lease(Seconds(900), NOW - 60)
    return SandboxStatus("box", "bubblewrap", Isolation.NAMESPACE, (), lease, created=NOW - 3661, **rest)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (-1.0, "0s"),
        (0.4, "0s"),
        (59.6, "1m"),
        (61, "1m 1s"),
        (3600, "1h"),
        (3601, "1h"),
        (86_400 + 3 * 3600 + 59, "1d 3h"),
        (366 * 86_400, "366d"),
    ],
)
def test_a_length_of_time_has_two_units_at_most(seconds: float, shown: str) -> None:
    assert statuses.length(seconds) == shown


def test_a_row_tells_when_it_expires() -> None:
    assert statuses.cells(_status(), NOW) == (
        "box",
        "running",
        "bubblewrap",
        "namespace",
        "1h 1m",
        "in 14m",
        "-",
    )


def test_a_row_of_an_ended_one_tells_why() -> None:
    ending = Ending(EndReason.OUT_OF_MEMORY, NOW - 30, "detail")
    row = statuses.cells(_status(state=State.ENDED, ending=ending), NOW)
    assert (row[1], row[6]) == ("ended", "out_of_memory 30s ago")


def test_a_sandbox_without_a_lease_never_expires() -> None:
    held = SandboxStatus("x", "process", Isolation.PROCESS, (), Lease(None, NOW), created=NOW)
    assert statuses.cells(held, NOW)[5] == "never"


def test_programs_get_the_words_of_the_http_api() -> None:
    shown = statuses.document(_status())
    assert (shown["id"], shown["expiresAt"]) == ("box", "2023-11-14T22:27:20Z")
    assert "podName" not in shown


def test_one_line_says_where_it_runs_and_how_long(capsys: pytest.CaptureFixture[str]) -> None:
    statuses.tell(_status(), as_json=False)
    assert capsys.readouterr().out.startswith("box  bubblewrap  namespace  expires ")
