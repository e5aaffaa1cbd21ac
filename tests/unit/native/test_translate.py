from __future__ import annotations

import pytest

from sandlot.contracts.errors import InvalidSpec
from sandlot.contracts.lease import Lease, State
from sandlot.contracts.service import SandboxStatus
from sandlot.contracts.spec import Isolation
from sandlot.server import ranges
from sandlot.server.dialects.native import translate
from sandlot.server.dialects.native.translate import Page
from sandlot.server.ranges import ByteRange

EVERY = frozenset(State)


def _status(name: str, *, created: float = 1.0, state: State = State.RUNNING) -> SandboxStatus:
    lease = Lease(None, created)
    return SandboxStatus(name, "memory", Isolation.PROCESS, (), lease, state=state, created=created)


def test_a_pod_name_is_stable_and_another_for_another_owner_id_or_time() -> None:
    names = [
        translate.pod_name(owner, _status(name, created=created))
        for owner, name, created in (("a", "b", 1.0), ("ab", "", 1.0), ("b", "b", 1.0), ("a", "b", 1.5))
    ]
    assert len(set(names)) == len(names)
    assert names[0] == translate.pod_name("a", _status("b", state=State.STOPPED))
    assert all(len(name) == 14 and name.startswith("sbx-") for name in names)


def test_pages_follow_each_other_by_id_and_end() -> None:
    found = [_status(name) for name in ("c", "a", "d", "b", "e")]
    told: list[str] = []
    after: str | None = ""
    while after is not None:
        page = translate.page_to_json("me", found, Page(2, after, EVERY))
        told += [each["id"] for each in page["sandboxes"]]
        after = page["next"]
    assert told == ["a", "b", "c", "d", "e"]


def test_a_full_last_page_has_no_next() -> None:
    assert translate.page_to_json("me", [_status("a"), _status("b")], Page(2, "", EVERY))["next"] is None


def test_pages_hold_only_the_states_asked_for() -> None:
    found = [_status("a"), _status("b", state=State.STOPPED)]
    page = translate.page_to_json("me", found, Page(9, "", translate.states_from("stopped,ended")))
    assert [each["id"] for each in page["sandboxes"]] == ["b"]


def test_what_has_ended_is_listed_only_when_it_is_asked_for() -> None:
    assert translate.states_from(None) == {State.RUNNING, State.STOPPED}
    assert translate.states_from("ended,ended") == {State.ENDED}


@pytest.mark.parametrize("text", ["", "running,", "RUNNING", "gone"])
def test_an_unknown_state_is_refused(text: str) -> None:
    with pytest.raises(InvalidSpec, match="running,stopped,ended"):
        translate.states_from(text)


@pytest.mark.parametrize(
    ("accept", "media"),
    [
        (None, "application/json"),
        ("", "application/json"),
        ("*/*", "application/json"),
        ("application/*", "application/json"),
        ("application/x-ndjson", "application/x-ndjson"),
        ("Text/Event-Stream", "text/event-stream"),
        ("text/*", "text/event-stream"),
        ("text/event-stream, application/json", "text/event-stream"),
        ("application/json, text/event-stream", "application/json"),
        ("application/json;q=0.5, text/event-stream;q=0.9", "text/event-stream"),
        ("text/event-stream;q=0, */*;q=0.1", "application/json"),
        ("image/png", "application/json"),
        (",;q=,;;", "application/json"),
    ],
)
def test_the_media_type_liked_best_is_chosen(accept: str | None, media: str) -> None:
    assert translate.wanted_media(accept) == media


@pytest.mark.parametrize(
    ("header", "part"),
    [
        (None, None),
        ("bytes=0-0", ByteRange(0, 1)),
        ("bytes=2-4", ByteRange(2, 3)),
        ("bytes=2-400", ByteRange(2, 8)),
        ("bytes=9-", ByteRange(9, 1)),
        ("Bytes = 2-4", ByteRange(2, 3)),
        ("bytes=-3", ByteRange(7, 3)),
        ("bytes=-30", ByteRange(0, 10)),
        ("bytes=10-", ByteRange(10, 0)),
        ("bytes=10-12", ByteRange(10, 0)),
        ("bytes=-0", ByteRange(10, 0)),
        ("bytes=4-2", None),
        ("bytes=1-2,4-5", None),
        ("bytes=-", None),
        ("bytes=a-b", None),
        ("lines=1-2", None),
        ("bytes=1-99999999999999999999", None),
        ("bytes=²-3", None),
    ],
)
def test_one_range_is_understood_and_others_are_ignored(header: str | None, part: ByteRange | None) -> None:
    assert ranges.byte_range(header, 10) == part


def test_a_content_range_tells_what_there_is() -> None:
    assert ranges.content_range(ByteRange(2, 3), 10) == "bytes 2-4/10"
    assert ranges.content_range(ByteRange(10, 0), 10) == "bytes */10"
    assert ranges.byte_range("bytes=-5", 0) == ByteRange(0, 0)
