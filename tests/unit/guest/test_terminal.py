"""Commands on a pseudo-terminal."""

from __future__ import annotations

from sandlot.wire.frames import Frame, Kind, json_frame
from tests.base.guest.driver import Host

SIZE = {"rows": 30, "columns": 90}


def test_it_is_the_controlling_terminal_of_a_session_of_its_own(host: Host) -> None:
    text = "import os; print(os.getsid(0) == os.getpid(), os.tcgetpgrp(0) == os.getpgrp(), os.ttyname(1)[:9])"
    assert host.code(text, tty=SIZE).stdout == b"True True /dev/pts/\r\n"
    assert host.run("sh", "-c", "echo through > /dev/tty", tty=SIZE).stdout == b"through\r\n"


def test_what_is_typed_is_echoed_and_read(host: Host) -> None:
    stream = host.open("run", argv=["head", "-n1"], tty=SIZE, stdin=True)
    host.send(stream, Kind.INPUT, b"typed\n")
    assert host.finish(stream).stdout == b"typed\r\ntyped\r\n"


def test_control_c_interrupts(host: Host) -> None:
    stream = host.open("run", argv=["sh", "-c", "echo ready; exec sleep 60"], tty=SIZE, stdin=True)
    host.until(lambda: b"ready" in host.replies[stream].stdout)
    host.send(stream, Kind.INPUT, b"\x03")
    assert host.finish(stream).ok["signal"] == 2


def test_the_end_of_input_is_typed(host: Host) -> None:
    stream = host.open("run", argv=["cat"], tty=SIZE, stdin=True)
    host.send(stream, Kind.INPUT_END)
    assert host.finish(stream).ok["exit_code"] == 0


def test_a_new_size_is_told_to_the_foreground(host: Host) -> None:
    text = "trap 'stty size; exit' WINCH; echo ready; while :; do sleep 0.05; done"
    stream = host.open("run", argv=["sh", "-c", text], tty=SIZE, stdin=True)
    host.until(lambda: b"ready" in host.replies[stream].stdout)
    host.post(json_frame(Kind.RESIZE, stream, {"rows": 11, "columns": 22}))
    assert host.finish(stream).stdout.endswith(b"11 22\r\n")


def test_all_output_arrives(host: Host) -> None:
    reply = host.run("sh", "-c", "seq 1 20000", tty=SIZE)
    assert reply.stdout.split() == [b"%d" % number for number in range(1, 20001)]


def test_hanging_up_kills(host: Host) -> None:
    stream = host.open("run", argv=["sh", "-c", "trap '' HUP; echo ready; sleep 60"], tty=SIZE)
    host.until(lambda: b"ready" in host.replies[stream].stdout)
    host.post(Frame(Kind.CANCEL, stream))
    assert host.finish(stream).ok["reason"] == "killed"
