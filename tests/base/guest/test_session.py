"""A whole session with a real agent, in the interpreter that runs these tests."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from sandlot.wire.frames import Frame, Kind
from tests.base.guest.driver import Host

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the agent needs Linux")


def test_a_command_tells_output_error_and_exit_code(tmp_path: Path) -> None:
    with Host(str(tmp_path)) as host:
        reply = host.run("sh", "-c", "echo out; echo err >&2; exit 3")
    assert (reply.stdout, reply.stderr) == (b"out\n", b"err\n")
    assert (reply.ok["reason"], reply.ok["exit_code"], reply.ok["signal"]) == ("exited", 3, None)
    assert reply.events[0]["event"] == "started"
    assert reply.ok["memory_peak"] > 0
    assert host.process.returncode == 0


def test_a_program_runs_as_main_with_the_environment_it_was_given(tmp_path: Path) -> None:
    text = "import os, sys\nprint(__name__, sys.argv, os.environ['COLOUR'], os.getcwd(), sys.path[-1])\n"
    with Host(str(tmp_path)) as host:
        reply = host.code(text, env={"COLOUR": "blue"})
    assert reply.stderr == b""
    assert reply.stdout.decode() == f"__main__ ['-c'] blue {tmp_path} {tmp_path}\n"
    assert reply.ok["exit_code"] == 0


def test_a_traceback_shows_the_programs_own_lines_and_nothing_of_the_agent(tmp_path: Path) -> None:
    with Host(str(tmp_path)) as host:
        reply = host.code("def broken():\n    return 1 / 0\n\nbroken()\n")
    told = reply.stderr.decode()
    assert told.startswith(
        'Traceback (most recent call last):\n  File "<code>", line 4, in <module>\n    broken()\n'
    )
    assert "    return 1 / 0\n" in told
    assert told.endswith("ZeroDivisionError: division by zero\n")
    assert "sandlot" not in told
    assert reply.ok["exit_code"] == 1


def test_a_program_sees_nothing_of_the_agent(tmp_path: Path) -> None:
    text = (
        "import gc, sys\n"
        "print([name for name in sys.modules if 'sandlot' in name or 'ctypes' == name])\n"
        "kinds = [type(thing) for thing in gc.get_objects()]\n"
        "print([kind.__name__ for kind in kinds if 'sandlot' in str(kind.__module__)])\n"
        "import ctypes, signal, typing\n"
        "print(ctypes.sizeof(ctypes.c_int), signal.getsignal(signal.SIGTERM) is signal.SIG_DFL)\n"
    )
    with Host(str(tmp_path)) as host:
        reply = host.code(text)
    assert reply.stderr == b""
    assert reply.stdout == b"[]\n[]\n4 True\n"


def test_standard_input_reaches_the_command_and_ends(tmp_path: Path) -> None:
    with Host(str(tmp_path)) as host:
        stream = host.open("run", argv=["cat"], stdin=True)
        host.send(stream, Kind.INPUT, b"\xff\x00 bytes")
        host.send(stream, Kind.INPUT_END)
        assert host.finish(stream).stdout == b"\xff\x00 bytes"
        assert host.run("cat").stdout == b""


def test_a_timeout_kills_the_tree_and_keeps_what_was_said(tmp_path: Path) -> None:
    with Host(str(tmp_path)) as host:
        reply = host.run("sh", "-c", "trap '' TERM; echo before; sleep 60 & wait", timeout=0.3)
    assert (reply.stdout, reply.ok["reason"]) == (b"before\n", "timeout")
    assert 0.2 < reply.ok["duration"] < 5


def test_files_go_in_and_come_out(tmp_path: Path) -> None:
    with Host(str(tmp_path)) as host:
        path = f"{tmp_path}/notes.txt"
        assert host.upload("write", b"0123456789", path=path, mode=0o600).ok["size"] == 10
        assert host.ask("read", path=path, offset=3, length=4).stdout == b"3456"
        assert host.ask("stat", path=path).ok["mode"] == 0o600
        archive = host.ask("get", path=str(tmp_path)).stdout
        assert host.upload("put", archive, path=f"{tmp_path}/copy").ok == {"members": 1, "bytes": 10}
        assert host.ask("remove", path=f"{tmp_path}/copy", recursive=True).ok == {}
    assert os.listdir(str(tmp_path)) == ["notes.txt"]


def test_a_terminal_is_one(tmp_path: Path) -> None:
    with Host(str(tmp_path)) as host:
        reply = host.run("sh", "-c", "test -t 0 && stty size", tty={"rows": 33, "columns": 101})
    assert reply.stdout == b"33 101\r\n"


def test_a_background_process_is_asked_about_later(tmp_path: Path) -> None:
    with Host(str(tmp_path)) as host:
        name = host.run("sh", "-c", "echo said; read line; echo got $line", stdin=True, background=True).ok[
            "process"
        ]
        host.upload("process_input", b"this\n", process=name)
        waited = host.ask("process_wait", process=name, timeout=10.0).ok
        said = host.ask("process_output", process=name, offset=0)
    assert (waited["running"], waited["exit_code"]) == (False, 0)
    assert said.stdout == b"said\ngot this\n"
    assert said.ok == {"next": 14, "dropped": 0}


def test_cancel_kills_and_ends_the_stream(tmp_path: Path) -> None:
    with Host(str(tmp_path)) as host:
        stream = host.open("run", argv=["sleep", "60"])
        host.until(lambda: host.replies[stream].events)
        host.post(Frame(Kind.CANCEL, stream))
        assert host.finish(stream).ok["reason"] == "killed"
