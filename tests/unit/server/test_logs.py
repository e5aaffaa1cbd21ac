from __future__ import annotations

import json
import logging
import os
import sys
from pathlib import Path

import pytest

from sandlot.server.logs import Bounds, JsonLines, Text, TokenBucket, logging_to


def record(message: str, *args: object, level: int = logging.INFO, **about: object) -> logging.LogRecord:
    made = logging.LogRecord("sandlot.access", level, __file__, 1, message, args, None)
    made.about = about
    return made


HOSTILE = '\r\n{"level": "forged"}\x1b[2J\u202e\u2028'


def test_a_hostile_text_stays_within_its_line() -> None:
    for form in (JsonLines(), Text()):
        line = form.format(record("GET %s", HOSTILE, key=HOSTILE))
        assert line.isascii()
        assert line.isprintable()
    told = json.loads(JsonLines().format(record("GET %s", HOSTILE, key=HOSTILE, trace=None)))
    assert told["message"] == "GET " + HOSTILE
    assert told["level"] == "info"
    assert "trace" not in told


def test_a_long_text_is_cut() -> None:
    assert len(JsonLines().format(record("x" * 100_000))) < 10_000


def test_a_traceback_is_told_to_the_log() -> None:
    try:
        raise ValueError("because")
    except ValueError:
        made = record("request %s failed", "r1", level=logging.ERROR)
        made.exc_info = sys.exc_info()
    assert "ValueError: because" in json.loads(JsonLines().format(made))["traceback"]
    assert "ValueError: because" in Text().format(made)


def test_a_bucket_gives_what_it_holds_and_fills_with_time() -> None:
    now = [0.0]
    bucket = TokenBucket(2.0, 3.0, lambda: now[0])
    assert [bucket.take() for _ in range(4)] == [True, True, True, False]
    now[0] = 0.5
    assert [bucket.take() for _ in range(2)] == [True, False]
    now[0] = 100.0
    assert [bucket.take() for _ in range(4)] == [True, True, True, False]


def test_a_flood_is_bounded_and_counted_and_hides_no_error() -> None:
    now = [0.0]
    bounds = Bounds(lambda: TokenBucket(1.0, 5.0, lambda: now[0]))
    passed = [bounds.filter(record("x")) for _ in range(100)]
    assert passed.count(True) == 5
    grave = record("y", level=logging.ERROR)
    assert bounds.filter(grave)
    assert json.loads(JsonLines().format(grave))["dropped"] == 95


@pytest.mark.timeout(20)
def test_a_log_that_nobody_reads_stops_nobody() -> None:
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as reader, os.fdopen(writing, "w") as stream:
        with logging_to(stream):
            log = logging.getLogger("sandlot.test")
            for _ in range(50):
                log.error("%s", "x" * 8000)  # more than a pipe holds
        assert reader.read(9) == b'{"time": '


def test_lines_are_json_where_nobody_watches(tmp_path: Path) -> None:
    with (tmp_path / "log").open("w") as stream, logging_to(stream):
        logging.getLogger("sandlot").info("listening on %s", "http://x", extra={"about": {"url": "http://x"}})
    told = json.loads((tmp_path / "log").read_text())
    assert (told["message"], told["url"]) == ("listening on http://x", "http://x")
