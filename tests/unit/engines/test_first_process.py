"""The first process of a box: one command after the other, in C as in Python."""

from __future__ import annotations

import asyncio
import time
from contextlib import aclosing
from pathlib import PurePosixPath
from typing import Any

import pytest

from sandlot.contracts.command import Command
from sandlot.contracts.events import Exited, Reason, Returned, Started, Stdout
from sandlot.contracts.handler import Handler
from sandlot.contracts.quantity import Bytes, Seconds
from sandlot.contracts.spec import Limits, SandboxSpec

from .first import Play, on_a_box, result_of

__all__ = ["on_a_box"]  # a fixture

pytestmark = [pytest.mark.engine, pytest.mark.linux, pytest.mark.needs_engine("zygote")]

_MEBIBYTE = 2**20


def test_one_command_after_the_other(on_a_box: Play) -> None:
    async def scene(box: Any) -> None:
        for number in range(3):
            result = await result_of(box, Command(code=f"import os; print({number}, os.getpid() > 1)"))
            assert (result.text, result.exit_code) == (f"{number} True\n", 0)
        result = await result_of(box, Command(argv=("sh", "-c", "echo out; echo err >&2; exit 3")))
        assert (result.stdout, result.stderr, result.exit_code) == (b"out\n", b"err\n", 3)
        result = await result_of(box, Command(code="import os, signal; os.kill(os.getpid(), signal.SIGTERM)"))
        assert (result.reason, result.signal) == (Reason.SIGNALLED, 15)
        result = await result_of(box, Command(argv=("/nowhere",)))
        assert (result.exit_code, result.stderr) == (127, b"/nowhere: not found\n")

    on_a_box(scene)


def test_each_command_has_a_name_of_its_own(on_a_box: Play) -> None:
    async def scene(box: Any) -> None:
        names = []
        for _ in range(3):
            events = [event async for event in box.run(Command(code="pass"))]
            names += [event.process for event in events if isinstance(event, Started)]
        names.append(await box.start(Command(argv=("sleep", "60"), background=True)))
        assert names == ["1", "2", "3", "4"]

    on_a_box(scene)


def test_a_directory_that_is_not_there_is_an_error_of_the_request(on_a_box: Play) -> None:
    async def scene(box: Any) -> None:
        events = [event async for event in box.run(Command(code="pass", workdir=PurePosixPath("/tmp/no")))]
        assert [event.code for event in events] == ["not_found"]
        assert (await result_of(box, Command(code="print(1)"))).text == "1\n"

    on_a_box(scene)


def test_long_names_are_told_in_short(on_a_box: Play) -> None:
    deep, name = "/tmp" + ("/" + "\u00e9" * 120) * 16, "x" * 50_000

    async def scene(box: Any) -> None:
        for command in (
            Command(code="pass", workdir=PurePosixPath(deep)),
            Command(argv=("true",), workdir=PurePosixPath(deep)),
        ):
            events = [event async for event in box.run(command)]
            assert [event.code for event in events] == ["not_found"]
        result = await result_of(box, Command(argv=(name,)))
        assert (result.exit_code, result.stderr[:9]) == (126, b"xxxxxxxxx")
        assert result.stderr.endswith(b"x: File name too long\n")
        assert (await result_of(box, Command(code="print(1)"))).text == "1\n"

    on_a_box(scene)


def test_a_program_is_found_as_a_shell_finds_it(on_a_box: Play) -> None:
    prepare = """
import os
os.makedirs("first/found")  # a directory of that name is passed by
os.mkdir("second")
scripts = ("second/found", "echo \\"script $1\\"", 0o755), ("local", "#!/bin/sh\\necho here", 0o755)
for path, text, mode in (*scripts, ("plain", "", 0o644)):
    with open(path, "w") as file:
        file.write(text)
    os.chmod(path, mode)
"""
    path = {"PATH": "/nowhere:/workspace/first:/workspace/second"}
    found = [
        (("found", "one"), path, b"script one\n", b"", 0),
        (("local",), {"PATH": ":/nowhere"}, b"here\n", b"", 0),
        (("./local",), {}, b"here\n", b"", 0),
        (("./plain",), {}, b"", b"./plain: Permission denied\n", 126),
        (("first/found",), {}, b"", b"first/found: Permission denied\n", 126),
        (("plain/below",), {}, b"", b"plain/below: not found\n", 127),
        (("sh",), {"PATH": ""}, b"", b"sh: not found\n", 127),
    ]

    async def scene(box: Any) -> None:
        assert (await result_of(box, Command(code=prepare))).stderr == b""
        for argv, env, out, error, code in found:
            result = await result_of(box, Command(argv=argv, env=env))
            assert (result.stdout, result.stderr, result.exit_code) == (out, error, code), argv

    on_a_box(scene)


@pytest.mark.parametrize(("workdir", "code"), [("/tmp/no", "not_found"), ("/etc/hosts", "not_directory")])
def test_an_argv_needs_its_directory(workdir: str, code: str, on_a_box: Play) -> None:
    async def scene(box: Any) -> None:
        command = Command(argv=("true",), workdir=PurePosixPath(workdir))
        failed = [event async for event in box.run(command)]
        assert len(failed) == 1
        codes = {"not_found": "not_found", "not_directory": "conflict"}
        assert failed[0].code == codes[code]
        assert (await result_of(box, Command(argv=("echo", "1")))).stdout == b"1\n"

    on_a_box(scene)


def test_a_spare_waits_while_an_argv_runs(on_a_box: Play) -> None:
    """What ends with the command is what the command left."""

    async def scene(box: Any) -> None:
        begun = time.monotonic()
        for _ in range(5):
            assert (await result_of(box, Command(argv=("true",)))).exit_code == 0
        assert time.monotonic() - begun < 5
        left = await result_of(box, Command(argv=("sh", "-c", "sleep 60 & exit 4")))
        assert (left.exit_code, left.reason) == (4, Reason.EXITED)
        assert (await result_of(box, Command(code="print(2)"))).text == "2\n"

    on_a_box(scene)


def test_a_handler_returns_its_value(on_a_box: Play) -> None:
    async def scene(box: Any) -> None:
        code = "def handler(event):\n    print('seen')\n    return {'twice': event['n'] * 2}\n"
        handler = Handler("handler", {"n": 21})
        events = [event async for event in box.run(Command(code=code, handler=handler, last=True))]
        assert [event.value for event in events if isinstance(event, Returned)] == [{"twice": 42}]
        assert [event.data for event in events if isinstance(event, Stdout)] == [b"seen\n"]
        assert isinstance(events[-1], Exited)
        assert events[-1].exit_code == 0

    on_a_box(scene)


def test_a_timeout_ends_everything_in_time(on_a_box: Play) -> None:
    async def scene(box: Any) -> None:
        code = (
            "import subprocess, time\nsubprocess.Popen(['sleep', '60'])\nprint(1, flush=True)\ntime.sleep(60)"
        )
        begun = time.monotonic()
        result = await result_of(box, Command(code=code, timeout=Seconds(0.3)))
        assert (result.reason, result.text) == (Reason.TIMEOUT, "1\n")
        assert time.monotonic() - begun < 5
        left = await result_of(box, Command(argv=("sh", "-c", "cat /proc/[0-9]*/comm | grep -c sleep")))
        assert left.text == "0\n"

    on_a_box(scene)


def test_what_outlives_the_command_is_ended_after_its_grace(on_a_box: Play) -> None:
    async def scene(box: Any) -> None:
        result = await result_of(
            box, Command(argv=("sh", "-c", "sleep 0.02 && echo late & sleep 60 & echo soon"))
        )
        assert (result.reason, result.stdout) == (Reason.EXITED, b"soon\nlate\n")
        rows = await result_of(box, Command(argv=("sh", "-c", "cat /proc/[0-9]*/comm | grep -c sleep")))
        assert rows.text == "0\n"

    on_a_box(scene)


def test_output_beyond_the_limit_is_cut_and_a_flood_ends_the_command(on_a_box: Play) -> None:
    async def scene(box: Any) -> None:
        code = "import sys\nsys.stdout.write('x' * 50_000)\nsys.stderr.write('y')"
        result = await result_of(box, Command(code=code, output_limit=Bytes(1000)))
        assert (len(result.stdout), result.stderr, result.exit_code) == (1000, b"y", 0)
        assert (result.stdout_truncated, result.stderr_truncated) == (True, False)
        flood = await result_of(box, Command(argv=("cat", "/dev/zero"), output_limit=Bytes(1000)))
        assert (flood.reason, len(flood.stdout)) == (Reason.OUTPUT_LIMIT, 1000)

    on_a_box(scene)


def test_much_output_comes_whole_to_a_slow_reader(on_a_box: Play) -> None:
    async def scene(box: Any) -> None:
        code = "import sys\nfor n in range(40):\n    sys.stdout.write(chr(65 + n % 26) * 50_000)\n"
        received = bytearray()
        async with aclosing(box.run(Command(code=code))) as events:
            async for event in events:
                if isinstance(event, Stdout):
                    received += event.data
                    await asyncio.sleep(0)
        assert bytes(received) == b"".join(bytes([65 + n % 26]) * 50_000 for n in range(40))

    on_a_box(scene, SandboxSpec(limits=Limits(output=Bytes(4 * _MEBIBYTE))))


def test_a_spare_that_was_killed_is_replaced(on_a_box: Play) -> None:
    """A program may kill what is of its uid; Landlock's scope forbids it where the kernel has that."""
    kill = "import os\nfor pid in range(2, 9):\n    try: os.kill(pid, 9)\n    except OSError: pass"

    async def scene(box: Any) -> None:
        result = await result_of(box, Command(code=kill))
        assert result.reason in (Reason.SIGNALLED, Reason.EXITED)
        for number in range(3):
            assert (await result_of(box, Command(code=f"print({number})"))).text == f"{number}\n"

    on_a_box(scene)


def test_what_a_command_used_is_told(on_a_box: Play) -> None:
    async def scene(box: Any) -> None:
        code = "import time\nheld = bytearray(64 * 2**20)\nwhile time.process_time() < 0.2:\n    pass"
        result = await result_of(box, Command(code=code))
        assert 0.15 < result.cpu_seconds < 2
        assert result.memory_peak > 64 * _MEBIBYTE
        assert 0.15 < result.duration < 20

    on_a_box(scene)


def test_output_that_waits_for_its_reader_outlives_a_request_beside_it(on_a_box: Play) -> None:
    """The command has ended, its output has not been taken, and then somebody asks for something else."""

    async def scene(box: Any) -> None:
        code = "import sys\nsys.stdout.write('x' * 300_000)\nsys.stdout.flush()\nopen('done', 'w').close()"
        async with aclosing(box.run(Command(code=code))) as events:
            received = bytearray()
            async for event in events:
                received += event.data if isinstance(event, Stdout) else b""
                if isinstance(event, Stdout) and len(received) < 100_000:
                    assert await box.stat(PurePosixPath("/workspace"))
        assert bytes(received) == b"x" * 300_000
        assert isinstance(event, Exited)
        assert event.exit_code == 0
        assert (await box.stat(PurePosixPath("/workspace/done")))["size"] == 0

    on_a_box(scene, SandboxSpec(limits=Limits(output=Bytes(_MEBIBYTE))))
