from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandlot.keeper import protocol, reports
from sandlot.keeper.launch import Consumption, Exit, KeptMount, Launch, Powers, Refusal, WorkspaceMount
from sandlot.keeper.orders import Fit, Limits, ZygoteOrder
from sandlot.walls import tree

TEXT = st.text(st.characters(exclude_characters="\0"), max_size=20)
KINDS = st.sampled_from(["image", "directory"])
LAUNCHES = st.builds(
    Launch,
    argv=st.lists(TEXT.map(lambda text: text.replace("{workspace}", "")), max_size=5).map(
        lambda rest: ("/x", *rest)
    ),
    env=st.dictionaries(TEXT.filter(lambda name: name and "=" not in name), TEXT, max_size=4),
    identity=st.sampled_from(["own", "box"]),
    memory=st.none() | st.integers(1, 2**62),
    cpu=st.none() | st.floats(0.01, 64),
    pids=st.none() | st.integers(1, 10_000),
    rlimits=st.dictionaries(st.sampled_from(["nofile", "as", "core"]), st.integers(0, 2**40)),
    workspace=st.none() | st.builds(WorkspaceMount, st.integers(1, 2**40), st.integers(1, 2**20)),
    kept=st.none() | st.builds(KeptMount, st.from_regex(r"[a-z0-9][a-z0-9._-]{0,99}", fullmatch=True), KINDS),
    extra_fds=st.lists(st.integers(3, 255), unique=True, max_size=13).map(tuple),
)
ORDERS = st.builds(
    ZygoteOrder,
    argv=st.lists(TEXT, max_size=5).map(lambda rest: ("/x", *rest)),
    env=st.dictionaries(TEXT.filter(lambda name: name and "=" not in name), TEXT, max_size=4),
    tree=st.lists(st.tuples(st.sampled_from(tree.KINDS), TEXT, TEXT), max_size=5).map(tuple),
    loading=st.floats(0.1, 3600),
    making=st.floats(0.1, 3600),
)
LIMITS = st.builds(
    Limits,
    memory=st.none() | st.integers(1, 2**62),
    cpu=st.none() | st.floats(0.01, 64),
    pids=st.none() | st.integers(1, 10_000),
)
SIZES = st.none() | st.tuples(st.integers(1, 2**40), st.integers(1, 2**20))
LIMITLESS = {"memory": None, "cpu": None, "pids": None}
ORDER = asdict(ZygoteOrder(("/x",), {}, (("proc", "/proc", ""),)))
FIT = asdict(Fit(Limits(memory=1), 4096, 8, kept=KeptMount("w", "image")))
POWERS = Powers(
    uid_switch=True,
    pid_namespace=False,
    workspace=False,
    controllers=frozenset({"pids", "cpu"}),
    missing=("a", "b"),
)


@given(LAUNCHES)
def test_a_launch_arrives_as_it_was_sent(launch: Launch) -> None:
    packet = protocol.encode({"id": 7, "verb": "spawn", "launch": reports.launch_fields(launch)})
    assert protocol.parse_request(packet, 3 + len(launch.extra_fds)) == protocol.Request(
        7, "spawn", launch=launch
    )


@given(ORDERS)
def test_a_zygotes_order_arrives_as_it_was_sent(order: ZygoteOrder) -> None:
    packet = protocol.encode({"id": 7, "verb": "zygote", "order": asdict(order)})
    assert protocol.parse_request(packet, 0) == protocol.Request(7, "zygote", order=order)


@given(LIMITS, st.integers(1, 2**31))
def test_a_request_to_park_arrives_as_it_was_sent(limits: Limits, zygote: int) -> None:
    packet = protocol.encode({"id": 7, "verb": "park", "zygote": zygote, "limits": asdict(limits)})
    assert protocol.parse_request(packet, 3) == protocol.Request(7, "park", zygote=zygote, limits=limits)


@given(
    LIMITS, SIZES, st.none() | st.integers(1, 2**40), st.none() | st.builds(KeptMount, st.just("w"), KINDS)
)
def test_a_fit_arrives_as_it_was_sent(
    limits: Limits, size: tuple[int, int] | None, scratch: int | None, kept: KeptMount | None
) -> None:
    disk, inodes = size or (None, None)
    fit = Fit(limits, disk, inodes, scratch, kept)
    packet = protocol.encode({"id": 7, "verb": "fit", "box": 3, "fit": asdict(fit)})
    assert protocol.parse_request(packet, 0) == protocol.Request(7, "fit", box=3, fit=fit)


@given(st.binary(max_size=200), st.integers(0, 4))
def test_noise_is_refused_and_nothing_else(noise: bytes, descriptors: int) -> None:
    for parse in (lambda: protocol.parse_request(noise, descriptors), lambda: reports.parse_report(noise)):
        with pytest.raises(Refusal):
            parse()


@pytest.mark.parametrize(
    ("request_", "descriptors"),
    [
        ({"id": 1, "verb": "kill", "box": 1}, 1),
        ({"id": 1, "verb": "kill", "box": 1, "pid": 1}, 0),
        ({"id": 1, "verb": "kill"}, 0),
        ({"id": 1, "verb": "kill", "box": "1"}, 0),
        ({"id": 1, "verb": "kill", "box": 0}, 0),
        ({"id": True, "verb": "sweep"}, 0),
        ({"verb": "sweep"}, 0),
        ({"id": 1, "verb": "mount"}, 0),
        ({"id": 1, "verb": ["sweep"]}, 0),
        ({"id": 1, "verb": "sweep", "all": True}, 0),
        ({"id": 1, "verb": "spawn", "launch": None}, 3),
        ({"id": 1, "verb": "spawn", "launch": {"argv": ["/x"]}}, 3),
        ({"id": 1, "verb": "spawn", "launch": reports.launch_fields(Launch(("/x",)))}, 2),
        ({"id": 1, "verb": "spawn", "launch": reports.launch_fields(Launch(("/x",)))}, 4),
        ({"id": 1, "verb": "spawn", "launch": {**reports.launch_fields(Launch(("/x",))), "uid": 0}}, 3),
        ({"id": 1, "verb": "spawn", "launch": {**reports.launch_fields(Launch(("/x",))), "argv": "/x"}}, 3),
        (
            {
                "id": 1,
                "verb": "spawn",
                "launch": {**reports.launch_fields(Launch(("/x",))), "workspace": {}},
            },
            3,
        ),
        ([], 0),
        ({"id": 1, "verb": "zygote"}, 0),
        ({"id": 1, "verb": "zygote", "order": None}, 0),
        ({"id": 1, "verb": "zygote", "order": ORDER}, 1),
        ({"id": 1, "verb": "zygote", "order": {**ORDER, "uid": 0}}, 0),
        ({"id": 1, "verb": "zygote", "order": {**ORDER, "argv": "/x"}}, 0),
        ({"id": 1, "verb": "zygote", "order": {**ORDER, "tree": "show"}}, 0),
        ({"id": 1, "verb": "zygote", "order": {**ORDER, "tree": ["show"]}}, 0),
        ({"id": 1, "verb": "zygote", "order": {**ORDER, "tree": [["mount", "/", "/"]]}}, 0),
        ({"id": 1, "verb": "zygote", "order": {**ORDER, "loading": "60"}}, 0),
        ({"id": 1, "verb": "park", "zygote": 1, "limits": LIMITLESS}, 2),
        ({"id": 1, "verb": "park", "zygote": 1, "limits": LIMITLESS}, 4),
        ({"id": 1, "verb": "park", "zygote": 0, "limits": LIMITLESS}, 3),
        ({"id": 1, "verb": "park", "zygote": "1", "limits": LIMITLESS}, 3),
        ({"id": 1, "verb": "park", "limits": LIMITLESS}, 3),
        ({"id": 1, "verb": "park", "zygote": 1, "limits": None}, 3),
        ({"id": 1, "verb": "park", "zygote": 1, "limits": {"memory": 1}}, 3),
        ({"id": 1, "verb": "park", "zygote": 1, "limits": {**LIMITLESS, "pids": -1}}, 3),
        ({"id": 1, "verb": "park", "zygote": 1, "limits": {**LIMITLESS, "uid": 0}}, 3),
        ({"id": 1, "verb": "fit", "box": 1, "fit": FIT}, 1),
        ({"id": 1, "verb": "fit", "fit": FIT}, 0),
        ({"id": 1, "verb": "fit", "box": True, "fit": FIT}, 0),
        ({"id": 1, "verb": "fit", "box": 1, "fit": None}, 0),
        ({"id": 1, "verb": "fit", "box": 1, "fit": {**FIT, "limits": None}}, 0),
        ({"id": 1, "verb": "fit", "box": 1, "fit": {**FIT, "inodes": None}}, 0),
        ({"id": 1, "verb": "fit", "box": 1, "fit": {**FIT, "kept": "w"}}, 0),
        ({"id": 1, "verb": "fit", "box": 1, "fit": {**FIT, "kept": {"name": "../w", "kind": "image"}}}, 0),
        ({"id": 1, "verb": "fit", "box": 1, "fit": {**FIT, "path": "/"}}, 0),
    ],
)
def test_ill_formed_requests_are_refused(request_: Any, descriptors: int) -> None:
    with pytest.raises(Refusal) as refused:
        protocol.parse_request(json.dumps(request_).encode(), descriptors)
    assert refused.value.code == "invalid"


@pytest.mark.parametrize(
    "packet", [b"[" * 60_000, b'{"id":1,"id":2,"verb":"sweep"}', b"\xff", b"", b"{}" + b" " * 65_536]
)
def test_packets_that_are_no_plain_object_are_refused(packet: bytes) -> None:
    with pytest.raises(Refusal):
        protocol.parse_request(packet, 0)


def test_a_message_that_does_not_fit_is_refused_before_it_is_sent() -> None:
    with pytest.raises(Refusal, match="65536"):
        protocol.encode({"id": 1, "verb": "spawn", "launch": {"argv": ["/x" * 40_000]}})


@pytest.mark.parametrize(
    ("message", "report"),
    [
        ({"event": "born"}, reports.Born()),
        ({"event": "ready", "powers": protocol.powers_fields(POWERS)}, reports.Ready(POWERS)),
        (
            {"event": "exit", "box": 3, "exit": asdict(Exit(9, "killed", 1, 2, 0.5))},
            reports.Ended(3, Exit(9, "killed", 1, 2, 0.5)),
        ),
        ({"id": 4, "ok": {"box": 1}}, reports.Reply(4, {"box": 1})),
        ({"event": "zygote_ended", "zygote": 2}, reports.ZygoteEnded(2)),
        (
            {"event": "exit", "box": 3, "exit": asdict(Exit(9, "warden_died"))},
            reports.Ended(3, Exit(9, "warden_died")),
        ),
    ],
)
def test_reports_arrive_as_they_were_sent(message: dict[str, Any], report: reports.Report) -> None:
    assert reports.parse_report(protocol.encode(message)) == report


def test_a_refusal_arrives_with_code_and_message() -> None:
    report = reports.parse_report(protocol.encode({"id": 4, "error": {"code": "stuck", "message": "so"}}))
    assert isinstance(report, reports.Reply)
    assert report.error is not None
    assert (report.id, report.error.code, report.error.message) == (4, "stuck", "so")


@pytest.mark.parametrize(
    "message",
    [
        {"event": "exit", "box": 3, "exit": asdict(Exit(9, "keeper_died"))},
        {"event": "exit", "box": 3, "exit": {**asdict(Exit(9, "killed")), "memory_peak": "1"}},
        {"event": "exit", "box": 3, "exit": {"wait_status": 0}},
        {"event": "ready", "powers": {**protocol.powers_fields(POWERS), "workspace": 1}},
        {"event": "ready", "powers": {**protocol.powers_fields(POWERS), "controllers": "cpu"}},
        {"event": "ready"},
        {"event": "news"},
        {"event": "zygote_ended"},
        {"event": "zygote_ended", "zygote": 0},
        {"event": "zygote_ended", "zygote": "2"},
        {"event": "zygote_ended", "zygote": 2, "why": "x"},
        {"id": 1, "ok": []},
        {"id": 1, "ok": {}, "error": {}},
        {"id": 1, "error": {"code": "odd", "message": "x"}},
        {"id": 1},
    ],
)
def test_ill_formed_reports_are_refused(message: dict[str, Any]) -> None:
    with pytest.raises(Refusal):
        reports.parse_report(json.dumps(message).encode())


def test_consumption_arrives_as_it_was_sent() -> None:
    used = Consumption(1, 2, 0.5, None)
    assert reports.parse_consumption(asdict(used)) == used


@pytest.mark.parametrize(
    ("packet", "number"), [(b'{"id":5,"verb":"x"}', 5), (b'{"id":-5}', 0), (b"nonsense", 0), (b"{}", 0)]
)
def test_the_number_of_a_bad_request_is_found_where_there_is_one(packet: bytes, number: int) -> None:
    assert protocol.request_number(packet) == number
