"""Commands: exec as a shell does it, limits, signals, what is left behind."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pytest

from sandlot.wire.frames import Frame, Kind, json_frame
from tests.base.guest.driver import Host


def _gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


@pytest.mark.parametrize(
    ("argv", "code", "said"),
    [
        (["no-such-command"], 127, b"no-such-command: not found\n"),
        (["/no/such"], 127, b"/no/such: not found\n"),
        (["/etc/passwd"], 126, b"/etc/passwd: Permission denied\n"),
        (["/tmp"], 126, b"/tmp: Permission denied\n"),
        ([""], 127, b": not found\n"),
    ],
)
def test_what_cannot_be_executed_ends_as_in_a_shell(
    host: Host, argv: list[str], code: int, said: bytes
) -> None:
    reply = host.run(*argv)
    assert (reply.ok["reason"], reply.ok["exit_code"], reply.stderr) == ("exited", code, said)


def test_a_script_without_an_interpreter_line_is_one_of_the_shell(host: Host, tmp_path: Path) -> None:
    (tmp_path / "script").write_text("echo script $1")
    (tmp_path / "script").chmod(0o755)
    assert host.run("script", "it", env={"PATH": str(tmp_path)}).stdout == b"script it\n"


def test_the_environment_is_the_boxes_and_the_commands(host: Host) -> None:
    said = host.run("/usr/bin/env", env={"COLOUR": "blue", "HOME": "/elsewhere"}).stdout.decode().split()
    assert sorted(said) == ["COLOUR=blue", "HOME=/elsewhere", "LANG=C.UTF-8", "PATH=/usr/bin:/bin"]


def test_a_missing_workdir_is_an_error_and_nothing_runs(host: Host, tmp_path: Path) -> None:
    assert host.run("touch", f"{tmp_path}/ran", workdir=f"{tmp_path}/missing").error == "not_found"
    assert not (tmp_path / "ran").exists()


def test_a_payload_has_three_descriptors(host: Host) -> None:
    text = "import os; print(sorted(int(n) for n in os.listdir('/proc/self/fd')))"
    assert host.code(text).stdout == b"[0, 1, 2, 3]\n"  # 3 is the listing's own
    assert host.run("sh", "-c", "ls /proc/self/fd | wc -l").stdout.strip() == b"4"


def test_a_payload_has_the_signals_of_a_fresh_process(host: Host) -> None:
    said = dict(
        line.split(":\t", 1) for line in host.run("cat", "/proc/self/status").stdout.decode().splitlines()
    )
    assert [said[name] for name in ("SigBlk", "SigCgt")] == ["0" * 16] * 2
    # 32 and 33 are glibc's own: its posix_spawn (make uses it) leaves them ignored; nobody can undo that.
    assert int(said["SigIgn"], 16) & ~(0b11 << 31) == 0


@pytest.mark.parametrize("number", [1, 2, 10, 15, 40])
def test_a_signal_reaches_the_whole_group(host: Host, number: int) -> None:
    # The parent dies of it once its child has said that it got it too.
    text = (
        "import os, signal, time\n"
        f"number, parent = {number}, os.getpid()\n"
        "def got(*_):\n"
        "    if os.getpid() != parent: os.write(1, b'child'); os._exit(0)\n"
        "    os.wait(); signal.signal(number, signal.SIG_DFL); os.kill(parent, number)\n"
        "signal.signal(number, got)\n"
        # A signal that comes just before a long sleep would be heard after it.
        "os.fork(); os.write(1, b'r')\n"
        "for _ in range(6000): time.sleep(0.01)\n"
    )
    stream = host.start_code(text)
    host.until(lambda: host.replies[stream].stdout == b"rr")
    host.post(json_frame(Kind.SIGNAL, stream, {"signal": number}))
    reply = host.finish(stream)
    assert reply.stdout == b"rrchild"
    assert (reply.ok["reason"], reply.ok["signal"], reply.ok["exit_code"]) == ("signalled", number, None)


def test_output_is_cut_at_its_limit_and_says_so(host: Host) -> None:
    reply = host.run("sh", "-c", "head -c 300000 /dev/zero; echo err >&2", output_limit=1000)
    assert (reply.stdout, reply.stderr) == (bytes(1000), b"err\n")
    assert reply.ok["truncated"] == {"stdout": True, "stderr": False}
    assert (reply.ok["reason"], reply.ok["exit_code"]) == ("exited", 0)


def test_a_flood_is_killed(host: Host) -> None:
    reply = host.run("sh", "-c", "exec cat /dev/zero", output_limit=1000, flood_limit=2**20)
    assert (reply.ok["reason"], reply.stdout) == ("output_limit", bytes(1000))


def test_every_byte_arrives_however_large_the_output(host: Host) -> None:
    reply = host.run("head", "-c", "5000000", "/dev/zero")
    assert len(reply.stdout) == 5_000_000


def test_what_a_command_leaves_behind_is_killed(host: Host) -> None:
    text = (
        "import os, sys, time\n"
        "for _ in range(3):\n"
        "    if os.fork(): continue\n"
        "    os.setsid()\n"
        "    if os.fork(): os._exit(0)\n"
        "    print(os.getpid(), flush=True); time.sleep(60)\n"
        "time.sleep(0.2)\n"
    )
    reply = host.code(text)
    pids = [int(word) for word in reply.stdout.split()]
    assert len(pids) == 3
    assert all(_gone(pid) for pid in pids)
    assert reply.ok["exit_code"] == 0


def test_what_outlives_the_command_briefly_is_still_heard(host: Host) -> None:
    assert host.run("sh", "-c", "(sleep 0.02; echo late) & exit 0").stdout == b"late\n"


def test_output_held_open_by_a_leftover_delays_nobody(host: Host) -> None:
    started = time.monotonic()
    reply = host.run("sh", "-c", "echo said; sleep 60 & exit 5")
    assert (reply.stdout, reply.ok["exit_code"]) == (b"said\n", 5)
    assert time.monotonic() - started < 5


def test_orphans_are_reaped_while_the_command_runs(host: Host) -> None:
    text = (
        "import os, time\n"
        "for _ in range(200):\n"
        "    pid = os.fork()\n"
        "    if pid == 0:\n"
        "        os.fork() or os._exit(0)\n"
        "        os._exit(0)\n"
        "    os.waitpid(pid, 0)\n"
        "children = f'/proc/{os.getppid()}/task/{os.getppid()}/children'\n"
        "limit = time.monotonic() + 5\n"
        "while len(open(children).read().split()) > 1 and time.monotonic() < limit: time.sleep(0.01)\n"
        "print(len(open(children).read().split()))\n"
    )
    assert host.code(text).stdout == b"1\n"


def test_what_it_used_is_told_with_its_children(host: Host) -> None:
    busy = "import time; x = bytearray(60_000_000); end = time.process_time() + 0.2\n"
    busy += "while time.process_time() < end: pass"
    ended = host.run("sh", "-c", f"{sys.executable} -c '{busy}'; true").ok
    assert 0.15 < ended["cpu_seconds"] < 10
    assert ended["memory_peak"] > 60_000_000


def test_two_commands_run_side_by_side(host: Host) -> None:
    slow = host.open("run", argv=["sh", "-c", "read x; echo $x"], stdin=True)
    assert host.run("echo", "quick").stdout == b"quick\n"
    host.send(slow, Kind.INPUT, b"slow\n")
    assert host.finish(slow).stdout == b"slow\n"


def test_input_that_nobody_reads_is_dropped(host: Host) -> None:
    stream = host.open("run", argv=["true"], stdin=True)
    for _ in range(4):
        host.send(stream, Kind.INPUT, bytes(65536))
    assert host.finish(stream).ok["exit_code"] == 0


def test_credit_comes_back_as_input_is_read(host: Host) -> None:
    stream = host.open("run", argv=["wc", "-c"], stdin=True)
    sent = 0
    while sent < 2_000_000:
        host.until(lambda: host.credit(stream) >= 65536)
        host.send(stream, Kind.INPUT, bytes(65536))
        sent += 65536
    host.send(stream, Kind.INPUT_END)
    assert int(host.finish(stream).stdout) == sent


def test_cancel_before_the_text_is_complete(host: Host) -> None:
    stream = host.open("run", code=True)
    host.post(Frame(Kind.CANCEL, stream))
    assert host.finish(stream).error == "failed"
