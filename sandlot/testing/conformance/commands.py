"""Commands: a real probe, the three ways to say what to run, and what the program is given."""

from __future__ import annotations

import asyncio
from pathlib import PurePosixPath

import pytest

from sandlot.contracts.command import Command
from sandlot.contracts.events import Exited, Failed, Reason, Started, Stderr, Stdout
from sandlot.contracts.spec import SandboxSpec
from sandlot.testing.suite import Suite, collect, end_of, python, shell

AWKWARD = "a b\n'\"$(id)`id`;|&<>*?[]{}\\~#!\t\x7f é 漢 \U0001f600 -rf --"


class CommandTests(Suite):
    """What a command is given and what it may say."""

    async def test_probe_runs_a_real_payload(self) -> None:
        viability = await self.engine.probe()
        assert viability.works, viability.cause
        assert viability.engine == self.engine_name
        assert viability.isolation >= self.engine.isolation
        assert viability.seconds > 0
        assert viability.enforced, "a probe says what it has proven"

    async def test_a_box_says_what_holds(self) -> None:
        async with self.box() as box:
            assert box.engine == self.engine_name
            assert box.isolation is self.viability.isolation
            assert box.enforced
            assert all(isinstance(wall, str) and wall for wall in box.enforced)

    async def test_argv_is_run_without_a_shell(self) -> None:
        result = await self.run(Command(argv=("/bin/echo", "$HOME", AWKWARD)))
        assert (result.exit_code, result.stdout) == (0, f"$HOME {AWKWARD}\n".encode())

    async def test_argv_is_found_on_the_path_of_the_box(self) -> None:
        assert (await self.run(Command(argv=("true",)))).ok

    async def test_an_empty_argument_stays_an_argument(self) -> None:
        line = 'printf "%s." "$#"; for a; do printf "<%s>" "$a"; done'
        result = await self.run(Command(argv=("/bin/sh", "-c", line, "sh", "", "x", "")))
        assert result.stdout == b"3.<><x><>"

    async def test_code_is_run_in_the_boxs_python(self) -> None:
        result = await self.run(python("import sys; print(sys.version_info[0], __name__)"))
        assert (result.stdout, result.stderr, result.exit_code) == (b"3 __main__\n", b"", 0)

    async def test_code_may_import_the_standard_library_and_start_programs(self) -> None:
        code = "import json, subprocess; print(json.dumps(subprocess.check_output(['echo', 'hi']).decode()))"
        assert (await self.run(python(code))).stdout == b'"hi\\n"\n'

    async def test_code_may_use_threads_and_multiprocessing(self) -> None:
        code = """
import multiprocessing, threading
def work(answers): answers.send(42)
if __name__ == "__main__":
    forked = multiprocessing.get_context("fork")
    mine, theirs = forked.Pipe()
    child = forked.Process(target=work, args=(theirs,)); child.start(); child.join()
    thread = threading.Thread(target=print, args=(mine.recv(), child.exitcode)); thread.start(); thread.join()
"""
        result = await self.run(python(code))
        assert (result.stdout, result.stderr) == (b"42 0\n", b"")

    async def test_code_with_a_syntax_error_is_a_result(self) -> None:
        result = await self.run(python("print('never')\n)"))
        assert (result.exit_code, result.reason) == (1, Reason.EXITED)
        assert b"SyntaxError" in result.stderr
        assert b"never" not in result.stdout

    async def test_a_traceback_names_the_users_line_and_nothing_of_ours(self) -> None:
        result = await self.run(python("def f():\n    1 / 0\n\nf()\n"))
        assert result.exit_code == 1
        assert b"ZeroDivisionError" in result.stderr
        assert b"line 2, in f" in result.stderr
        assert b"agent.pyz" not in result.stderr
        assert b"sandlot" not in result.stderr

    async def test_empty_code_is_a_program_that_does_nothing(self) -> None:
        result = await self.run(python(""))
        assert (result.exit_code, result.stdout, result.stderr) == (0, b"", b"")

    @pytest.mark.parametrize(
        "code", ["print(1)\r\nprint(2)\r\n", "\ufeffprint(1)\nprint(2)", "print(1)\n\n\nprint(2)"]
    )
    async def test_line_ends_and_a_byte_order_mark_do_not_matter(self, code: str) -> None:
        assert (await self.run(python(code))).stdout == b"1\n2\n"

    async def test_code_with_a_nul_is_a_defined_result(self) -> None:
        result = await self.run(python("print(1)\0"))
        assert (result.exit_code, result.reason) == (1, Reason.EXITED)

    async def test_a_long_program_arrives_whole(self) -> None:
        text = "x = 0\n" + "x += 1\n" * 60_000 + "print(x)"
        assert (await self.run(python(text))).stdout == b"60000\n"

    async def test_shell_gives_the_line_to_sh(self) -> None:
        result = await self.run(shell("echo one | tr a-z A-Z; echo two >&2; exit 3"))
        assert (result.stdout, result.stderr, result.exit_code) == (b"ONE\n", b"two\n", 3)

    async def test_events_are_started_output_and_one_end(self) -> None:
        box = await self.bench.shared_box()
        events = [event async for event in box.run(shell("echo out; echo err >&2"))]
        assert isinstance(events[0], Started)
        assert isinstance(events[-1], Exited)
        assert all(isinstance(event, (Stdout, Stderr)) for event in events[1:-1])

    async def test_environment_is_the_boxs_own_with_the_callers_over_it(self) -> None:
        async with self.box(SandboxSpec(env={"OF_BOX": "1", "BOTH": "box"})) as box:
            result = await collect(
                box, shell("env", env={"OF_COMMAND": AWKWARD.replace("\n", ""), "BOTH": "command"})
            )
        seen = dict(line.split("=", 1) for line in result.text.splitlines() if "=" in line)
        assert (seen["OF_BOX"], seen["BOTH"]) == ("1", "command")
        assert seen["OF_COMMAND"] == AWKWARD.replace("\n", "")
        assert {"PATH", "HOME", "LANG"} <= set(seen)

    async def test_nothing_of_the_hosts_environment_is_inherited(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("CANARY_SECRET", "host-secret")
        async with self.box() as box:
            result = await collect(box, shell("env"))
        assert "CANARY" not in result.text
        assert "host-secret" not in result.text

    async def test_code_sees_the_same_environment_as_argv(self) -> None:
        of_code = await self.run(python("import os; print(sorted(os.environ.items()))", env={"X": "1"}))
        of_argv = await self.run(
            shell("exec python3 -c 'import os; print(sorted(os.environ.items()))'", env={"X": "1"})
        )
        plain = [part for part in of_argv.text.split("), (") if "'PWD'" not in part and "'_'" not in part]
        assert [
            part for part in plain if part.strip("[]()\n") and part.strip("[]()\n") not in of_code.text
        ] == []

    async def test_workdir_is_the_workspace_unless_said(self) -> None:
        """By the box's own names: without a mount namespace the workspace has another path inside."""
        assert (await self.run(shell('test "$(pwd)" = "$HOME" && echo yes'))).stdout == b"yes\n"
        code = "import os; print(os.getcwd() == os.environ['HOME'])"
        assert (await self.run(python(code))).stdout == b"True\n"
        line = 'test "$(pwd)" = "$TMPDIR" && echo yes'
        assert (await self.run(shell(line, workdir=PurePosixPath("/tmp")))).stdout == b"yes\n"

    async def test_a_missing_workdir_is_a_defined_end(self) -> None:
        box = await self.bench.shared_box()
        missing = PurePosixPath("/workspace/nowhere")
        end = await end_of(box.run(shell("echo never", workdir=missing)))
        assert isinstance(end, Failed)
        assert end.code == "not_found"
        assert "nowhere" in end.message

    async def test_stdin_arrives_and_ends(self) -> None:
        data = bytes(range(256)) * 4096
        result = await self.run(Command(argv=("/bin/cat",), stdin=data))
        assert result.stdout == data[: len(result.stdout)]
        assert len(result.stdout) == len(data) or result.stdout_truncated

    async def test_no_stdin_is_an_empty_one(self) -> None:
        result = await self.run(python("import sys; print(repr(sys.stdin.read()))"))
        assert result.stdout == b"''\n"

    async def test_stdin_nobody_reads_does_not_block(self) -> None:
        result = await self.run(Command(argv=("/bin/true",), stdin=b"x" * 4_000_000))
        assert result.ok

    async def test_binary_output_is_not_touched(self) -> None:
        code = "import os; os.write(1, bytes(range(256)) * 16); os.write(2, b'\\xff\\xfe\\0')"
        result = await self.run(python(code))
        assert result.stdout == bytes(range(256)) * 16
        assert result.stderr == b"\xff\xfe\0"
        assert "\ufffd" in result.errors

    async def test_commands_of_one_box_run_at_the_same_time(self) -> None:
        meet = "mkfifo pipe 2>/dev/null; "
        async with self.box() as box:
            assert (await collect(box, shell(meet))).ok
            reader = asyncio.create_task(collect(box, shell("cat pipe")))
            writer = await collect(box, shell("echo met > pipe"))
            assert writer.ok
            assert (await reader).stdout == b"met\n"

    async def test_commands_share_the_workspace_and_nothing_of_memory(self) -> None:
        async with self.box() as box:
            await collect(box, python("import builtins; builtins.leak = 1; open('kept', 'w').write('yes')"))
            result = await collect(box, python("print(open('kept').read(), hasattr(__builtins__, 'leak'))"))
        assert result.stdout == b"yes False\n"

    async def test_many_commands_one_after_the_other(self) -> None:
        box = await self.bench.shared_box()
        for number in range(20):
            result = await collect(box, python(f"print({number})"))
            assert result.stdout == f"{number}\n".encode()

    async def test_usage_is_measured_by_us(self) -> None:
        result = await self.run(python("x = bytearray(60_000_000)\nfor i in range(3_000_000): pass"))
        assert result.duration > 0
        assert result.cpu_seconds > 0
        assert result.memory_peak > 50_000_000
