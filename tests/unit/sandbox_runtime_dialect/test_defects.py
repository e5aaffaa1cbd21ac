"""What was proven to be wrong with the original, each as a test that it fails and this server passes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from sandlot.testing.servers import RunningServer, running_server
from tests.unit.native.calls import Calls
from tests.unit.sandbox_runtime_dialect.wire import Runtime, error

SECRET = "canary-8c1f"


@pytest.fixture(scope="module")
def secretive() -> Iterator[Runtime]:
    """A server whose environment holds a secret."""
    with running_server("--workspaces", "memory", "--pool", "1", environ={"SECRET_TOKEN": SECRET}) as running:
        yield Runtime(Calls(running.url))


def execute(runtime: Runtime, session: str, line: str, *arguments: str) -> str:
    asked = {"command": line, "args": list(arguments)}
    return str(runtime.good("POST", f"/execute/{session}", asked)["stdout"])


def test_session_code_has_no_power_over_the_host(
    runtime: Runtime, session: str, server: RunningServer
) -> None:
    assert execute(runtime, session, "grep CapEff /proc/self/status").split()[1].strip("0") == ""
    assert "denied" in execute(runtime, session, "kill -0 1 2>&1; mount -t proc x /proc 2>&1; echo denied")
    tell = "import os; print(sorted(int(each) for each in os.listdir('/proc') if each.isdigit())[-1])"
    assert int(execute(runtime, session, "python3 -c", tell)) < 1000
    assert execute(runtime, session, f"test -d /proc/{server.pid} || echo unseen") in ("unseen\n", "")
    assert execute(runtime, session, "cat /proc/1/root/etc/hostname 2>/dev/null; echo $?") != "0\n"


def test_the_servers_environment_is_not_inherited(secretive: Runtime) -> None:
    look = "import os\ndef handler(event):\n    return str(os.environ)"
    assert SECRET not in secretive.handle(look).json["result"]
    seek = "env; cat /proc/*/environ 2>/dev/null | tr '\\0' '\\n'"
    assert SECRET not in execute(secretive, "environ", seek)


def test_a_sandbox_cannot_call_the_management_api(
    runtime: Runtime, session: str, server: RunningServer
) -> None:
    port = int(server.url.rpartition(":")[2])
    dial = f"import socket; socket.create_connection(('127.0.0.1', {port}), 5)"
    for told in (
        runtime.good("POST", f"/execute_code/{session}", {"code": dial}),
        runtime.handle(f"def handler(event):\n    {dial}").json,
    ):
        assert told["exit_code"] != 0
        assert "Error" in told["stderr"]


def test_nothing_leaks_from_one_handler_to_the_next(runtime: Runtime) -> None:
    leak = "import builtins\ndef handler(event):\n    found = getattr(builtins, 'leak', None)\n"
    leak += "    builtins.leak = 1\n    open('/tmp/leak', 'a').write('x')\n"
    leak += "    return [found, open('/tmp/leak').read()]"
    assert [runtime.handle(leak).json["result"] for _ in range(4)] == [[None, "x"]] * 4
    shadow = runtime.handle("def handler(event):\n    return open('/etc/shadow').read()").json
    assert shadow["exit_code"] == 2
    assert (
        runtime.handle("import os\ndef handler(event):\n    return os.system('/bin/true')").json["result"]
        == 0
    )


def test_an_exception_of_a_handler_is_no_success(runtime: Runtime) -> None:
    told = runtime.handle("def handler(event):\n    return 1 / 0").json
    assert (told["exit_code"], told["error_code"]) == (2, "Sandbox.ExecException")
    assert "ZeroDivisionError" in told["stderr"]
    gone = runtime.handle("import os\ndef handler(event):\n    os._exit(7)").json
    assert (gone["exit_code"], gone["reason"]) == (7, "exited")


def test_a_handler_that_never_ends_harms_no_later_one(runtime: Runtime) -> None:
    error(runtime.handle("def handler(event):\n    while True: pass", {"__timeout": 0.5}), 500)
    for number in range(6):
        assert (
            runtime.handle("def handler(event):\n    return event['n']", {"n": number}).json["result"]
            == number
        )


def test_programs_of_sessions_have_an_end(runtime: Runtime, session: str) -> None:
    asked = {"code": "while True: pass", "timeout": 0.5}
    told = runtime.good("POST", f"/execute_code/{session}", asked)
    assert (told["returncode"], told["reason"]) == (124, "timeout")


def test_everything_works_without_network(runtime: Runtime, session: str) -> None:
    assert runtime.handle("def handler(event):\n    return 1").json["result"] == 1
    dial = "import socket; socket.create_connection(('192.0.2.1', 80), 5)"
    told = runtime.good("POST", f"/execute_code/{session}", {"code": dial})
    assert "Error" in told["stderr"]
    assert execute(runtime, session, "cat /proc/net/route | wc -l") in ("0\n", "1\n")


@pytest.mark.parametrize("name", ["../zz_escape.py", "/tmp/zz_abs.py", "a/../../b.py", "/workspace/../b.py"])
def test_no_name_of_a_file_leads_out_of_the_session(runtime: Runtime, session: str, name: str) -> None:
    error(runtime("POST", f"/execute_code/{session}", {"code": "1", "filename": name}), 400)
    error(runtime("POST", f"/create/{session}", {"content": "1", "filename": name}), 400)
    assert execute(runtime, session, "ls /tmp") == ""


def test_a_link_does_not_lead_out_either(runtime: Runtime, session: str) -> None:
    execute(runtime, session, "ln -sfn / out; ln -sfn /etc/passwd pass.txt")
    assert runtime("GET", f"/readfile/{session}/pass.txt").status == 400
    assert 400 <= runtime("GET", f"/readfile/{session}/out/etc/passwd").status < 500
    told = runtime("POST", f"/create/{session}", {"content": "1", "filename": "out/tmp/zz.txt"})
    assert 400 <= told.status < 500


def test_arguments_are_not_parsed_again(runtime: Runtime, session: str) -> None:
    assert execute(runtime, session, "printf '[%s]'", "a b", "$HOME", "*") == "[a b][$HOME][*]"


def test_all_commands_of_a_line_are_heard(runtime: Runtime, session: str) -> None:
    assert execute(runtime, session, "echo 1; echo 2") == "1\n2\n"


def test_output_cannot_forge_an_end(runtime: Runtime, session: str) -> None:
    forged = "=== EXIT CODE ===\n0\n=== STDOUT ===\nnothing\n=== STDERR ===\nnothing\n"
    line = "printf '%s' \"$0\"; echo real; exit 5"
    told = runtime.good(
        "POST", f"/execute/{session}", {"command": f"sh -c '{line}'".replace("'%s'", "%s"), "args": [forged]}
    )
    assert (told["stdout"], told["returncode"]) == (f"{forged}real\n", 5)
    prints = 'def handler(event):\n    print(\'{"result": "forged", "exit_code": 9}\')\n    return 1'
    assert runtime.handle(prints).json["result"] == 1


def test_programs_at_once_do_not_take_each_others_output(runtime: Runtime, session: str) -> None:
    with ThreadPoolExecutor(6) as at_once:
        told = list(
            at_once.map(lambda n: execute(runtime, session, f"echo {n}; sleep 0.1; echo {n}"), range(6))
        )
        scripts = list(
            at_once.map(
                lambda n: runtime.good("POST", f"/execute_code/{session}", {"code": f"print({n})"})["stdout"],
                range(6),
            )
        )
    assert told == [f"{n}\n{n}\n" for n in range(6)]
    assert scripts == [f"{n}\n" for n in range(6)]


def test_shells_previews_and_errors_are_what_is_documented(runtime: Runtime, session: str) -> None:
    script = {"code": "echo shell", "script_type": "shell"}
    assert runtime.good("POST", f"/execute_code/{session}", script)["stdout"] == "shell\n"
    runtime.good("POST", f"/create/{session}", {"content": "<p>", "filename": "p.html"})
    assert runtime("GET", f"/files/preview/{session}/p.html?sid=1").body == b"<p>"
    assert "preview" not in runtime.good("GET", "/workspaces")["workspaces"]
    assert json.loads(runtime("POST", f"/session/{session}", {}).body)["error_code"]


def test_metrics_are_those_of_the_program(runtime: Runtime) -> None:
    busy = "def handler(event):\n    held = bytearray(50_000_000)\n"
    busy += "    return sum(range(5_000_000)) and len(held)"
    told = runtime.handle(busy).json["metrics"]
    assert told["memory_peak_mb"] > 40
    assert told["cpu_time_ms"] > 10
    assert told["duration_ms"] > 10


def test_cleaning_up_leaves_nothing() -> None:
    with running_server("--workspaces", "memory", "--pool", "0") as running:
        own = Runtime(Calls(running.url))
        for name in ("one", "two"):
            own.good("POST", f"/create/{name}", {"content": "1", "filename": "a"})
        connection = own.calls.connection()
        asked = json.dumps({"command": "touch begun; sleep 60"})
        connection.request("POST", "/workspace/se/execute/two", asked, {"Content-Type": "application/json"})
        while not own.good("GET", "/files/two")["files"][1:]:
            continue
        told = own.good("POST", "/cleanup-all", {})
        assert (told["total"], told["success"], told["failed"]) == (2, 1, [])
        assert told["skipped"] == ["two: a program runs in it"]
        told = own.good("POST", "/cleanup-all/", {"force": True})
        assert (told["total"], told["success"]) == (1, 1)
        connection.close()
        assert own.good("GET", "/workspaces") == {"workspaces": {}}
        assert own.good("GET", "/status/one")["exists"] is False
