"""The verbs on lasting sandboxes, the same against a server and with `--local`."""

from __future__ import annotations

import functools
import json
import os
import subprocess
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.unit.cli.conftest import Sandlot

pytestmark = [pytest.mark.engine, pytest.mark.needs_engine("bubblewrap")]

Verb = Callable[..., "subprocess.CompletedProcess[bytes]"]


@pytest.fixture(params=["server", "local"])
def verb(request: pytest.FixtureRequest, boxed: Sandlot) -> Iterator[Verb]:
    """`sandlot VERB ...` in one of the two places; every sandbox there is deleted afterwards."""
    if request.param == "server":
        spoken: Sandlot = request.getfixturevalue("served")
        where: tuple[str, ...] = ()
    else:
        spoken, where = functools.partial(boxed, SANDLOT_IMAGES="python:3.11=system"), ("--local",)

    def run(name: str, *words: str | Path, **rest: str | bytes) -> subprocess.CompletedProcess[bytes]:
        return spoken(name, *where, *words, **rest)

    yield run
    assert run("delete", "--all").returncode == 0


@pytest.fixture
def box(verb: Verb) -> Verb:
    """`verb`, where there is a sandbox called box."""
    assert verb("create", "box").returncode == 0
    return verb


def test_create_tells_what_was_made_in_one_line(verb: Verb) -> None:
    told = verb("create", "box", "--ttl", "2h")
    assert (told.returncode, told.stderr) == (0, b"")
    assert told.stdout == b"box  zygote  namespace  expires in 2h\n"


def test_creating_again_renews_and_never_changes(box: Verb) -> None:
    again = json.loads(box("create", "box", "--ttl", "1h", "--json").stdout)
    assert (again["id"], again["ttlSeconds"]) == ("box", 3600.0)
    other = box("create", "box", "--pids", "77")
    assert (other.returncode, b"exists with another limits.pids" in other.stderr) == (125, True)


def test_what_cannot_be_asked_is_125_and_makes_nothing(verb: Verb) -> None:
    for words in (["--ttl", "soon"], ["--memory", "lots"], ["--env", "A"], ["--net", "some"]):
        told = verb("create", "box", *words)
        assert (told.returncode, told.stdout, told.stderr[:9]) == (125, b"", b"sandlot: "), words
    assert verb("ls", "--json").stdout == b'{"sandboxes": []}\n'


def test_an_image_is_the_environment_that_the_settings_map_it_to(verb: Verb) -> None:
    unknown = verb("create", "box", "--image", "node:20")
    assert (unknown.returncode, b"no environment for image 'node:20'" in unknown.stderr) == (125, True)
    assert verb("create", "box", "--image", "python:3.11").returncode == 0
    other = verb("create", "box", "--environment", "elsewhere")
    assert (other.returncode, b"another environment" in other.stderr) == (125, True)
    assert verb("create", "box", "--environment", "system").returncode == 0


def test_files_last_from_one_command_to_the_next(box: Verb) -> None:
    assert box("exec", "box", "--", "sh", "-c", "echo kept > note").returncode == 0
    assert box("exec", "box", "--", "cat", "note").stdout == b"kept\n"


def test_variables_of_the_sandbox_and_of_the_command(verb: Verb) -> None:
    verb("create", "box", "--env", "A=1", "--env", "B=1")
    told = verb("exec", "box", "--env", "B=2", "--", "sh", "-c", "echo $A$B")
    assert told.stdout == b"12\n"


def test_the_programs_end_is_our_exit_code(box: Verb) -> None:
    for code, words in {
        7: ["-c", "raise SystemExit(7)"],
        134: ["-c", "import os; os.abort()"],
        124: ["--timeout", "0.3", "-c", "while True: pass"],
        127: ["--", "no-such-program"],
        126: ["--", "/etc/passwd"],
    }.items():
        assert box("exec", "box", *words).returncode == code, words


def test_streams_and_input_are_the_programs(box: Verb) -> None:
    told = box("exec", "box", "--", "sh", "-c", "cat; echo two >&2", stdin=b"one\0\xff")
    assert (told.stdout, told.stderr, told.returncode) == (b"one\0\xff", b"two\n", 0)


def test_code_comes_from_a_file_or_standard_input(box: Verb, tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text("print(input())")
    assert box("exec", "box", "program.py", stdin=b"x\n").stdout == b"x\n"
    assert box("exec", "box", "-", stdin=b"print(6 * 7)").stdout == b"42\n"


def test_options_stand_behind_the_name_and_the_programs_are_its_own(box: Verb) -> None:
    told = box("exec", "box", "--workdir", "/tmp", "--", "sh", "-c", 'pwd; echo "$@"', "-", "--json", "--env")
    assert told.stdout == b"/tmp\n--json --env\n"


def test_the_result_is_one_document_where_it_is_asked_for(box: Verb) -> None:
    told = box("exec", "box", "--json", "-c", "print(1); raise SystemExit(3)")
    result = json.loads(told.stdout)
    assert (told.returncode, told.stderr) == (3, b"")
    assert (result["exitCode"], result["stdout"], result["engine"]) == (3, "1\n", "zygote")


def test_output_beyond_the_limit_is_cut_and_told(box: Verb) -> None:
    told = box("exec", "box", "--output", "10", "-c", "print('x' * 100)")
    assert (told.stdout, told.returncode) == (b"x" * 10, 0)
    assert told.stderr == b"sandlot: standard output was cut: --output keeps more\n"


def test_a_program_gets_a_terminal_without_ours(box: Verb) -> None:
    assert box("exec", "-t", "box", "--", "sh", "-c", "test -t 1 && stty size").stdout == b"24 80\r\n"


def test_what_goes_in_comes_out(box: Verb, tmp_path: Path) -> None:
    (tmp_path / "data/inner").mkdir(parents=True)
    (tmp_path / "data/inner/a").write_bytes(b"1")
    (tmp_path / "b").write_bytes(os.urandom(3_000_000))
    (tmp_path / "data/link").symlink_to("/etc/passwd")
    told = box("upload", "box", "data", "--to", "sub", "b")
    assert (told.returncode, told.stdout) == (0, b"")
    assert told.stderr.startswith(b"sandlot: data/link is a symbolic link: left out\nsandlot: 2 uploaded to ")
    assert box("download", "box", "sub", "--to", "back").returncode == 0
    assert (tmp_path / "back/b").read_bytes() == (tmp_path / "b").read_bytes()
    assert sorted(os.listdir(tmp_path / "back/data")) == ["inner"]


def test_one_file_comes_out_by_its_name(box: Verb, tmp_path: Path) -> None:
    box("exec", "box", "--", "sh", "-c", "mkdir d; echo x > d/a; ln -s /etc/passwd d/link")
    assert box("download", "box", "d/a").returncode == 0
    assert (tmp_path / "a").read_bytes() == b"x\n"


def test_an_archive_goes_to_a_file_or_a_pipe(box: Verb, tmp_path: Path) -> None:
    box("exec", "box", "--", "sh", "-c", "echo x > a")
    assert box("download", "box", "-o", "all.tar.gz").returncode == 0
    piped = box("download", "box", "/workspace", "-o", "-")
    (tmp_path / "piped.tar.gz").write_bytes(piped.stdout)
    for name in ("all.tar.gz", "piped.tar.gz"):
        with tarfile.open(tmp_path / name, "r:gz") as archive:
            assert [member.name for member in archive if member.isfile()] == ["a"]


def test_what_cannot_be_copied_is_told_and_leaves_nothing(box: Verb, tmp_path: Path) -> None:
    for words in (
        ["upload", "box", "missing"],
        ["upload", "box", "/"],
        ["upload", "box", ".", "--to", "../up"],
        ["download", "box", "missing"],
        ["download", "box", "-o", "no/such/folder/a.tar.gz"],
    ):
        told = box(*words)
        assert (told.returncode, told.stderr[:9]) == (125, b"sandlot: "), words
    assert os.listdir(tmp_path) == []


def test_ls_tells_what_there_is(box: Verb) -> None:
    shown = json.loads(box("ls", "--json").stdout)["sandboxes"]
    assert [(each["id"], each["engine"], each["ttlSeconds"]) for each in shown] == [("box", "zygote", 900.0)]
    head, row = box("ls").stdout.decode().splitlines()
    assert head.split() == ["ID", "STATE", "ENGINE", "ISOLATION", "AGE", "EXPIRES", "ENDED"]
    assert row.split()[0] == "box"


def test_ls_by_name_tells_why_one_has_ended(verb: Verb) -> None:
    verb("create", "brief")
    assert verb("delete", "brief").stderr == b"sandlot: sandbox brief is deleted\n"
    assert verb("ls", "--json").stdout == b'{"sandboxes": []}\n'
    (told,) = json.loads(verb("ls", "brief", "--json").stdout)["sandboxes"]
    assert (told["state"], told["ending"]["reason"]) == ("ended", "deleted")
    assert told in json.loads(verb("ls", "--all", "--json").stdout)["sandboxes"]


def test_touch_renews_the_lease(box: Verb) -> None:
    before = json.loads(box("ls", "box", "--json").stdout)["sandboxes"][0]["expiresAt"]
    assert json.loads(box("touch", "box", "--json").stdout)["expiresAt"] > before
    assert box("touch", "box").stdout.startswith(b"box  zygote  ")


def test_an_unknown_sandbox_is_told_by_name(verb: Verb) -> None:
    for words in (
        ["exec", "nope", "--", "true"],
        ["upload", "nope", "."],
        ["download", "nope"],
        ["touch", "nope"],
        ["ls", "nope"],
    ):
        told = verb(*words)
        assert (told.returncode, told.stdout, b"'nope'" in told.stderr) == (125, b"", True), words


def test_delete_goes_on_past_one_that_is_not_there(box: Verb) -> None:
    told = box("delete", "nope", "box")
    assert told.returncode == 125
    assert told.stderr.endswith(b"sandlot: sandbox box is deleted\n")


@pytest.mark.parametrize("words", [["delete"], ["delete", "--all", "box"], ["create", "box", "--time", "3"]])
def test_what_cannot_be_read_is_a_usage_error(sandlot: Sandlot, words: list[str]) -> None:
    assert sandlot(*words).returncode == 2
