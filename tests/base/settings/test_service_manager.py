"""What a service manager tells by variables: the socket it opened, and how long it waits for a word."""

from __future__ import annotations

from typing import Dict, Optional

import pytest

from sandlot import settings
from sandlot.contracts.errors import InvalidSpec


@pytest.mark.parametrize(
    ("environ", "found"),
    [
        ({}, None),
        ({"LISTEN_PID": "7", "LISTEN_FDS": "1"}, 3),
        ({"LISTEN_PID": "7", "LISTEN_FDS": "0"}, None),
        ({"LISTEN_PID": "8", "LISTEN_FDS": "1"}, None),
        ({"LISTEN_FDS": "1"}, None),
    ],
)
def test_a_socket_is_taken_by_the_process_it_is_for(environ: Dict[str, str], found: Optional[int]) -> None:
    assert settings.listen_descriptor(environ, 7) == found


@pytest.mark.parametrize("count", ["2", "", "many"])
def test_more_than_one_socket_is_refused(count: str) -> None:
    with pytest.raises(InvalidSpec, match="one is served"):
        settings.listen_descriptor({"LISTEN_PID": "7", "LISTEN_FDS": count}, 7)


@pytest.mark.parametrize(
    ("environ", "seconds"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "30000000"}, 30.0),
        ({"WATCHDOG_USEC": "500000", "WATCHDOG_PID": "7"}, 0.5),
        ({"WATCHDOG_USEC": "500000", "WATCHDOG_PID": "8"}, None),
    ],
)
def test_a_sign_of_life_is_wanted_of_the_process_that_is_named(
    environ: Dict[str, str], seconds: Optional[float]
) -> None:
    assert settings.watchdog_seconds(environ, 7) == seconds


@pytest.mark.parametrize("text", ["0", "-1", "soon"])
def test_a_length_that_cannot_be_meant_is_refused(text: str) -> None:
    with pytest.raises(InvalidSpec, match="microseconds"):
        settings.watchdog_seconds({"WATCHDOG_USEC": text}, 7)
