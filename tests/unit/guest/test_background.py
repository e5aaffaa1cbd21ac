"""Background processes: listed, signalled, fed, waited for, read."""

from __future__ import annotations

from typing import Any

from tests.base.guest.driver import Host


def _start(host: Host, *argv: str, **fields: Any) -> str:
    name: str = host.run(*argv, background=True, **fields).ok["process"]
    return name


def test_a_list_tells_what_runs_and_how_it_ended(host: Host) -> None:
    first, second = _start(host, "sleep", "60"), _start(host, "sh", "-c", "exit 4")
    host.ask("process_wait", process=second)
    rows = {row["id"]: row for row in host.ask("processes").ok["processes"]}
    assert (rows[first]["running"], rows[first]["argv"]) == (True, ["sleep", "60"])
    assert (rows[second]["running"], rows[second]["exit_code"]) == (False, 4)
    assert all(row["background"] for row in rows.values())


def test_a_signal_ends_it_and_waiting_tells(host: Host) -> None:
    name = _start(host, "sleep", "60")
    assert host.ask("process_wait", process=name, timeout=0.05).ok["running"]
    assert host.ask("process_signal", process=name, signal=15).ok == {}
    ended = host.ask("process_wait", process=name).ok
    assert (ended["running"], ended["reason"], ended["signal"]) == (False, "signalled", 15)


def test_a_full_ring_drops_its_oldest_bytes(host: Host) -> None:
    name = _start(host, "sh", "-c", "head -c 2000000 /dev/zero; echo end")
    host.ask("process_wait", process=name)
    said = host.ask("process_output", process=name, offset=100)
    assert said.ok == {"next": 2_000_004, "dropped": 2_000_004 - 2**20 - 100}
    assert len(said.stdout) == 2**20
    assert said.stdout.endswith(b"end\n")
    assert host.ask("process_output", process=name, offset=2_000_004).stdout == b""


def test_input_may_be_sent_piece_by_piece_and_ended(host: Host) -> None:
    name = _start(host, "cat", stdin=True)
    host.upload("process_input", b"one ", process=name)
    host.upload("process_input", b"two", process=name, end=True)
    assert host.ask("process_wait", process=name).ok["exit_code"] == 0
    assert host.ask("process_output", process=name, offset=0).stdout == b"one two"


def test_a_background_command_that_cannot_start_says_so(host: Host, tmp_path: object) -> None:
    assert host.run("true", background=True, workdir=f"{tmp_path}/missing").error == "not_found"
    assert host.ask("processes").ok == {"processes": []}


def test_unknown_processes_and_numbers_are_refused(host: Host) -> None:
    assert host.ask("process_wait", process="99").error == "not_found"
    assert host.ask("process_output", process=1).error == "invalid"
    name = _start(host, "sleep", "60")
    assert host.ask("process_signal", process=name, signal=65).error == "invalid"


def test_a_list_fits_one_frame_however_long_the_commands_are(host: Host) -> None:
    for _ in range(60):
        _start(host, "true", *["\x01" * 200] * 20)
    rows = host.ask("processes").ok["processes"]
    assert len(rows) == 60
    assert rows[0]["argv"]
    assert not rows[-1]["argv"]
