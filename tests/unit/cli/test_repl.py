"""`sandlot repl`: on a real terminal, and with cells from a pipe; on a server and without one."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandlot.testing.servers import RunningServer
from tests.unit.cli.conftest import Sandlot
from tests.unit.cli.terminal import Screen, screen

pytestmark = [pytest.mark.engine, pytest.mark.needs_engine("bubblewrap")]

CELLS = b"x = 40\nprint('hi')\n# %%\nx + 2\n# %% fails\n1 / 0\n# %%\nprint('never')\n"
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR4nGNgYGBgAAAABQABpfZFQAAAAABJRU5ErkJggg=="
SHOWN = f"""
class Shown:
    def _repr_png_(self):
        return __import__('base64').b64decode('{PIXEL}')
Shown()
"""


def _own(served: Sandlot) -> list[str]:
    """The sandboxes that were made for an interpreter."""
    told = json.loads(served("ls", "--json").stdout)["sandboxes"]
    return [each["id"] for each in told if each["id"].startswith("repl-")]


@pytest.fixture(params=["server", "local"])
def repl(request: pytest.FixtureRequest, boxed: Sandlot) -> Iterator[Sandlot]:
    """`sandlot repl` in a sandbox of its own."""
    if request.param == "local":
        yield lambda *words, **more: boxed("repl", "--local", *words, **more)
    else:
        served: Sandlot = request.getfixturevalue("served")
        yield lambda *words, **more: served("repl", *words, **more)
        assert not _own(served)


def test_cells_from_a_pipe_run_up_to_the_first_that_fails(repl: Sandlot) -> None:
    told = repl(stdin=CELLS)
    assert (told.returncode, told.stdout) == (1, b"hi\n42\n")
    assert b"ZeroDivisionError" in told.stderr
    assert b"\x1b" not in told.stderr


def test_results_are_told_as_lines_of_json(repl: Sandlot) -> None:
    told = repl("--json", "--timeout", "0.3", stdin=b"6 * 7\n# %%\nwhile True: pass\n")
    first, second = map(json.loads, told.stdout.splitlines())
    assert (first["status"], first["result"]["text/plain"]) == ("ok", "42")
    assert (second["status"], told.returncode) == ("timeout", 124)


def test_where_all_of_a_long_output_is_is_told(boxed: Sandlot) -> None:
    cells = b"print('x' * 2_000_000)\n# %%\nlen(open('/tmp/.sandlot-output/1.txt').read())\n"
    told = boxed("repl", "--local", stdin=cells)
    assert told.stdout.endswith(b"\n2000001\n")
    assert b"; /tmp/.sandlot-output/1.txt in the sandbox has all of it" in told.stderr
    first = json.loads(boxed("repl", "--local", "--json", stdin=cells).stdout.splitlines()[0])
    assert first["spilled"] == {"path": "/tmp/.sandlot-output/1.txt", "size": 2_000_001, "isWhole": True}


def test_pictures_are_saved_and_named(boxed: Sandlot, tmp_path: Path) -> None:
    told = boxed("repl", "--local", "--images", tmp_path, stdin=SHOWN.encode())
    assert (told.returncode, (tmp_path / "picture-1.png").read_bytes()[:4]) == (0, b"\x89PNG")
    assert f"[image/png, 70 bytes: {tmp_path / 'picture-1.png'}]" in told.stdout.decode()


def test_a_named_sandbox_and_its_contexts_stay(served: Sandlot) -> None:
    assert served("create", "kept").returncode == 0
    there = ("repl", "--sandbox", "kept")
    assert served(*there, "--context", "default", stdin=b"x = 1").returncode == 0
    assert served(*there, "--context", "default", stdin=b"x").stdout == b"1\n"
    apart = served(
        *there, "--env", "A=b", "--workdir", "/tmp", stdin=b"import os\nos.getcwd(), os.environ['A']"
    )
    assert apart.stdout == b"('/tmp', 'b')\n"
    assert b"NameError" in served(*there, stdin=b"x").stderr
    unknown = served(*there, "--context", "nobody", stdin=b"x")
    assert (unknown.returncode, b"no context 'nobody'" in unknown.stderr) == (125, True)
    assert served("delete", "kept").returncode == 0
    gone = served(*there, stdin=b"x")
    assert (gone.returncode, b"kept" in gone.stderr) == (125, True)


def test_a_sandbox_of_this_machine_is_worked_in_by_name(boxed: Sandlot) -> None:
    assert boxed("create", "here", "--local").returncode == 0
    written = boxed("repl", "--local", "--sandbox", "here", stdin=b"print(1, file=open('note', 'w'))")
    assert written.returncode == 0
    assert boxed("repl", "--local", "--sandbox", "here", stdin=b"open('note').read()").stdout == b"'1\\n'\n"
    assert boxed("delete", "here", "--local").returncode == 0


def test_a_program_runs_as_a_cell(boxed: Sandlot) -> None:
    told = boxed("run", "--context", "--env", "A=b", "-c", "import os\nprint('x')\nos.environ['A']")
    assert (told.returncode, told.stdout) == (0, b"x\n'b'\n")
    as_json = boxed("run", "--context", "--json", "-c", "1 / 0")
    assert (as_json.returncode, json.loads(as_json.stdout)["error"]["name"]) == (1, "ZeroDivisionError")
    assert boxed("run", "--context", "--", "true").returncode == 2


def test_what_cannot_be_read_is_a_usage_error(sandlot: Sandlot) -> None:
    assert sandlot("repl", "--context", "x").returncode == 2
    assert sandlot("repl", "--local", "--url", "http://127.0.0.1:1").returncode == 2
    lost = sandlot("repl", "--url", "http://127.0.0.1:1", stdin=b"1")
    assert (lost.returncode, b"127.0.0.1:1" in lost.stderr) == (125, True)


@pytest.fixture(params=["server", "local"])
def shown(request: pytest.FixtureRequest, clean: dict[str, str]) -> Iterator[Screen]:
    """A person at the prompt of `sandlot repl`."""
    running: RunningServer = request.getfixturevalue("server")  # which skips where no box can be started
    words, env = (
        (["--local"], clean) if request.param == "local" else ([], {**clean, "SANDLOT_URL": running.url})
    )
    with screen("repl", *words, env={**env, "NO_COLOR": "1"}) as seen:
        seen.until(r"In \[1\]: ")
        yield seen


def test_a_person_works_at_the_prompt(shown: Screen) -> None:
    shown.type("x = 41\n")
    shown.until(r"In \[2\]: ")
    shown.type("x + 1\n")
    shown.until(r"Out\[2\]: 42")
    shown.until(r"In \[3\]: ")
    shown.type("def twice(n):\n")
    shown.until(r"\.\.\.: ")
    shown.type("return n * 2\n")  # behind the indent that is there already
    shown.until(r"\.\.\.: ")
    shown.type("\n")
    shown.until(r"In \[4\]: ")
    shown.type("twice(x)\n")
    shown.until(r"Out\[4\]: 82")
    shown.type("1 / 0\n")
    shown.until("ZeroDivisionError")
    shown.until(r"In \[6\]: ")
    shown.type("\x04")
    assert shown.ended() == 0


def test_ctrl_c_interrupts_and_what_was_asked_is_answered(shown: Screen) -> None:
    shown.type("kept = 1\n")
    shown.until(r"In \[2\]: ")
    shown.type("print('beg' + 'un', flush=True); __import__('time').sleep(600)\n")
    shown.until("begun")
    shown.type("\x03")
    shown.until("KeyboardInterrupt")
    shown.until(r"In \[3\]: ")
    shown.type("half a li")
    shown.type("\x03")
    # A terminal drops what is on its way when it makes a signal of a key (termios(3), NOFLSH): prompts, too.
    shown.until(r"In \[3\]: ", again="\n")
    shown.type("name = input('who' + '? '); kept, name\n")
    shown.until(r"who\? ")
    shown.type("Ada\n")
    shown.until(r"Out\[3\]: \(1, 'Ada'\)")
    shown.until(r"In \[4\]: ")
    shown.type("len(__import__('getpass').getpass('sec' + 'ret: '))\n")
    shown.until("secret: ")
    shown.type("hidden\n")
    assert "hidden" not in shown.until(r"Out\[4\]: 6")
    shown.until(r"In \[5\]: ")
    shown.type("__import__('os')._exit(3)\n")
    shown.until("interpreter died")
    shown.until(r"In \[1\]: ")
    shown.type("exit\n")
    assert shown.ended() == 0


def test_told_to_end_it_ends_its_sandbox(
    served: Sandlot, server: RunningServer, clean: dict[str, str]
) -> None:
    with screen("repl", env={**clean, "SANDLOT_URL": server.url}) as shown:
        shown.until(r"In \[1\]: ")
        assert _own(served)
        shown.running.send_signal(signal.SIGTERM)
        assert shown.ended() == 128 + signal.SIGTERM
    assert not _own(served)
