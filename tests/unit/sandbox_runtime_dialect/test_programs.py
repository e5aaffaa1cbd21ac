"""Programs of a session: shells, scripts, variables, and their end with the time or the client."""

from __future__ import annotations

import json

from tests.unit.native.calls import until
from tests.unit.sandbox_runtime_dialect.wire import Runtime


def test_a_command_is_a_line_of_a_shell(runtime: Runtime, session: str) -> None:
    told = runtime.good("POST", f"/execute/{session}", {"command": "echo a; echo b | cat; echo e >&2; pwd"})
    assert (told["stdout"], told["stderr"]) == ("a\nb\n/workspace\n", "e\n")
    assert (told["returncode"], told["exit_code"], told["reason"]) == (0, 0, "exited")


def test_arguments_reach_the_program_as_they_are(runtime: Runtime, session: str) -> None:
    arguments = ["a b", "$HOME", "`id`", "; exit 9", "", "é\n"]
    program = {"command": "printf '<%s>'", "args": arguments}
    told = runtime.good("POST", f"/execute/{session}", program)
    assert told["stdout"] == "".join(f"<{argument}>" for argument in arguments)


def test_a_script_stays_and_is_run_as_one(runtime: Runtime, session: str) -> None:
    code = "import sys\nprint(__name__, sys.argv, __file__.rpartition('/')[2])"
    told = runtime.good(
        "POST", f"/execute_code/{session}", {"code": code, "filename": "deep/mine", "args": ["a b"]}
    )
    assert told["stdout"] == "__main__ ['deep/mine.py', 'a b'] mine.py\n"
    assert runtime.good("GET", f"/readfile/{session}/deep/mine.py")["content"] == code


def test_scripts_import_each_other(runtime: Runtime, session: str) -> None:
    runtime.good("POST", f"/create/{session}", {"content": "value = 6", "filename": "helpful.py"})
    script = {"code": "import helpful\nprint(helpful.value)", "filename": "deeper/uses.py"}
    assert runtime.good("POST", f"/execute_code/{session}", script)["stdout"] == "6\n"


def test_shell_scripts_are_run(runtime: Runtime, session: str) -> None:
    code = 'echo "$1"; exit 4'
    script = {"code": code, "script_type": "shell", "filename": "q", "args": ["x y"]}
    told = runtime.good("POST", f"/execute_code/{session}", script)
    assert (told["stdout"], told["returncode"]) == ("x y\n", 4)
    assert runtime.good("POST", f"/execute/{session}", {"command": "./q.sh z || true"})["stdout"] == "z\n"


def test_variables_are_told_whatever_is_printed(runtime: Runtime, session: str) -> None:
    code = "print('{\"a\": 2}')\na, b, c, e = 1, float('nan'), {'k': {1}}, None\ndef d(): ...\n"
    names = ["a", "b", "c", "d", "e", "missing", "sys"]
    told = runtime.good("POST", f"/execute_code/{session}", {"code": code, "output_params": names})
    found = told["output_variables"]
    assert told["stdout"] == '{"a": 2}\n'
    assert found.pop("d").startswith("<function d at ")
    assert found == {"a": 1, "b": "nan", "c": {"k": "{1}"}, "e": None}


def test_variables_are_told_of_a_script_with_arguments(runtime: Runtime, session: str) -> None:
    code = "import sys\na = sys.argv\nif __name__ == '__main__':\n    sys.exit()"
    script = {"code": code, "filename": "v.py", "args": ["1 2"], "output_params": ["a"]}
    told = runtime.good("POST", f"/execute_code/{session}", script)
    assert (told["output_variables"], told["returncode"]) == ({"a": ["v.py", "1 2"]}, 0)


def test_a_script_that_fails_has_no_variables(runtime: Runtime, session: str) -> None:
    script = {"code": "a = 1\n1 / 0", "filename": "w.py", "output_params": ["a"]}
    told = runtime.good("POST", f"/execute_code/{session}", script)
    assert (told["output_variables"], told["returncode"]) == ({}, 1)
    assert told["stderr"].splitlines()[1] == '  File "/workspace/w.py", line 2, in <module>'
    script = {"code": "a = 1\nraise SystemExit(5)", "output_params": ["a"]}
    assert runtime.good("POST", f"/execute_code/{session}", script)["returncode"] == 5


def test_a_program_that_takes_too_long_is_ended(runtime: Runtime, session: str) -> None:
    told = runtime.good("POST", f"/execute/{session}", {"command": "echo a; sleep 61", "timeout": 0.5})
    assert (told["stdout"], told["returncode"], told["timed_out"]) == ("a\n", 124, True)
    assert not _runs(runtime, session, "61")


def test_a_program_ends_with_its_client(runtime: Runtime, session: str) -> None:
    connection = runtime.calls.connection()
    program = json.dumps({"command": "sleep 62"})
    path = f"/workspace/se/execute/{session}"
    connection.request("POST", path, program, {"Content-Type": "application/json"})
    until(lambda: _runs(runtime, session, "62"))
    connection.close()
    until(lambda: not _runs(runtime, session, "62"))


def _runs(runtime: Runtime, session: str, seconds: str) -> bool:
    """Whether `sleep` of so many *seconds* runs in the session."""
    seek = 'for each in /proc/[0-9]*; do tr "\\\\0" " " < $each/cmdline 2>/dev/null; echo; done'
    lines = runtime.good("POST", f"/execute/{session}", {"command": seek})["stdout"].splitlines()
    return f"sleep {seconds}" in [line.strip() for line in lines]
