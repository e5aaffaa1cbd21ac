"""What callers name and say stays a name: no shell, no library, no log and no browser takes it for more."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from urllib.parse import quote

import pytest

from sandlot.testing.hostile.canary import Canaries
from sandlot.testing.servers import RunningServer
from tests.threats.raw import ask

pytestmark = [pytest.mark.engine, pytest.mark.timeout(60)]

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


def _injections(target: Path) -> list[str]:
    """Texts that would touch *target*, were a shell to read them."""
    touch = f"touch {shlex.quote(str(target))}"
    return [
        f"; {touch};", f"$({touch})", f"`{touch}`", f"| {touch}", f"&& {touch}", f"\n{touch}\n",
        f"'; {touch}; '", f'"; {touch}; "', "--help", "-rf", "*", "~", "$IFS", "%s%n", "a\tb", "CON", " a ",
    ]  # fmt: skip


def test_a05_metacharacters_in_files_variables_and_words_reach_no_shell(
    server: RunningServer, box: str, canaries: Canaries
) -> None:
    files, run = f"/v1/sandboxes/{box}/files/content", f"/v1/sandboxes/{box}/exec"
    for text in _injections(canaries.open_to_all / "touched"):
        name = text.replace("/", "\\").strip("\n")
        written = ask(server, "PUT", f"{files}?path={quote('names/' + name)}", text.encode())
        assert written.status == 200, (name, written)
        assert ask(server, "GET", f"{files}?path={quote('names/' + name)}").body == text.encode()
        said = ask(server, "POST", run, {"cmd": ["printf", "%s", text], "env": {"TEXT": text}}).json
        assert said["stdout"] == text
        said = ask(
            server, "POST", run, {"cmd": ["sh", "-c", 'printf %s "$TEXT"'], "env": {"TEXT": text}}
        ).json
        assert said["stdout"] == text
        assert ask(server, "POST", run, {"cmd": [text]}).json["exitCode"] in (126, 127)
        assert ask(server, "POST", run, {"cmd": ["pwd"], "workdir": f"names/{name}x"}).status != 200
    listed = ask(server, "GET", f"/v1/sandboxes/{box}/files/list?path=names").json["entries"]
    assert len(listed) == len({each["name"] for each in listed}) == len(_injections(Path()))


def test_a05_metacharacters_in_ids_environments_and_engines_are_refused(
    server: RunningServer, canaries: Canaries
) -> None:
    for text in _injections(canaries.open_to_all / "touched"):
        if text == "CON":  # a good name here
            continue
        assert ask(server, "PUT", f"/v1/sandboxes/{quote(text, safe='')}", {}).status in (400, 404)
        for field in ("environment", "image", "engine", "isolation", "network"):
            assert ask(server, "PUT", "/v1/sandboxes/other", {field: text}).status == 400


def test_a12_variables_that_steer_loaders_and_shells_affect_the_program_only(
    server: RunningServer, canaries: Canaries
) -> None:
    poison = {
        "LD_PRELOAD": "/workspace/evil.so", "LD_LIBRARY_PATH": "/workspace", "LD_AUDIT": "/workspace/evil.so",
        "PYTHONPATH": "/workspace", "PYTHONSTARTUP": "/workspace/evil.py", "PYTHONHOME": "/workspace",
        "BASH_ENV": "/workspace/evil.sh", "ENV": "/workspace/evil.sh", "PATH": "/workspace",
        "http_proxy": "http://127.0.0.1:1", "HTTPS_PROXY": "http://127.0.0.1:1", "SANDLOT_KEY": "none",
    }  # fmt: skip
    before = Path(f"/proc/{server.pid}/environ").read_bytes()
    evil = f"open({str(canaries.writable)!r}, 'w').write('changed')\n"
    made = ask(server, "PUT", "/v1/sandboxes/poisoned", {"env": poison, "ttlSeconds": 60})
    assert made.status == 200
    for name in (
        "sitecustomize.py",
        "usercustomize.py",
        "json.py",
        "evil.py",
        "evil.sh",
        "evil.so",
        "sh",
        "python3",
    ):
        target = f"/v1/sandboxes/poisoned/files/content?mode=0755&path={name}"
        assert ask(server, "PUT", target, evil.encode()).status == 200
    seen = ask(server, "POST", "/v1/sandboxes/poisoned/exec", {"cmd": ["/usr/bin/env"]}).json["stdout"]
    assert {f"{name}={value}" for name, value in poison.items()} <= set(seen.splitlines())
    # What the box does by itself goes on: its agent lists, archives and starts programs.
    assert ask(server, "GET", "/v1/sandboxes/poisoned/files/list").status == 200
    assert ask(server, "GET", "/v1/sandboxes/poisoned/files/download").body[:2] == b"\x1f\x8b"
    assert ask(server, "DELETE", "/v1/sandboxes/poisoned").status == 204
    other = ask(server, "POST", "/v1/run", {"cmd": ["env"]}).json["stdout"]
    assert not {f"{name}={value}" for name, value in poison.items()} & set(other.splitlines())
    assert Path(f"/proc/{server.pid}/environ").read_bytes() == before


def test_a12_a_program_sees_no_variable_of_the_server(server: RunningServer) -> None:
    seen = ask(server, "POST", "/v1/run", {"cmd": ["env"]}).json["stdout"]
    names = {line.partition("=")[0] for line in seen.splitlines()}
    ours = [name for name in names if name.startswith(("SANDLOT", "VIRTUAL", "PIP", "PYTEST"))]
    assert ours == ["SANDLOT_WORKSPACE"]
    assert str(server.directory) not in seen


def test_a16_what_a_program_pickled_or_named_is_bytes_to_the_server(
    server: RunningServer, box: str, canaries: Canaries
) -> None:
    run = f"/v1/sandboxes/{box}/exec"
    pickled = (
        "import os, pickle, sys\n"
        "class Bomb:\n"
        f"    def __reduce__(self): return os.system, ('echo > {canaries.open_to_all}/unpickled',)\n"
        "    def __repr__(self): return 'r' * 50_000_000\n"
        "open('bomb.pickle', 'wb').write(pickle.dumps(Bomb()))\n"
        "sys.stdout.buffer.write(pickle.dumps(Bomb()))\n"
    )
    result = ask(server, "POST", run, {"code": pickled}).json
    assert "__reduce__" not in result["stdout"]
    assert result["stdoutBase64"]
    assert ask(server, "GET", f"/v1/sandboxes/{box}/files/content?path=bomb.pickle").body[:1] == b"\x80"
    huge = {"code": pickled + "print(repr(Bomb()))", "outputLimit": "64Ki"}
    result = ask(server, "POST", run, huge).json
    assert result["truncated"] == {"stdout": True, "stderr": False}
    assert len(result["stdout"]) <= 65_536


def test_a17_what_a_program_wrote_is_no_page(server: RunningServer, box: str) -> None:
    page = b"<script>alert(document.domain)</script>"
    for name in ("page.html", "image.svg", "code.js", "page.xhtml", "notes.pdf"):
        target = f"/v1/sandboxes/{box}/files/content?path={name}"
        assert ask(server, "PUT", target, page).status == 200
        _is_no_page(ask(server, "GET", target).headers, "application/octet-stream")
        _is_no_page(ask(server, "GET", target, Range="bytes=0-5").headers, "application/octet-stream")
    _is_no_page(ask(server, "GET", f"/v1/sandboxes/{box}/files/download").headers, "application/x-tar")
    started = ask(server, "POST", f"/v1/sandboxes/{box}/processes", {"cmd": ["cat", "page.html"]}).json
    target = f"/v1/sandboxes/{box}/processes/{started['process']}"
    assert ask(server, "GET", target + "?waitSeconds=10").json["exitCode"] == 0
    said = ask(server, "GET", target + "/output")
    assert said.body == page
    _is_no_page(said.headers, "application/octet-stream")
    refused = ask(server, "GET", "/v1/sandboxes/%3Cscript%3Ealert(1)%3C%2Fscript%3E")
    assert refused.headers["content-type"] == "application/problem+json"
    documents = ask(server, "GET", "/docs")
    assert "default-src 'none'" in documents.headers["content-security-policy"]
    assert b"<script" not in documents.body


def _is_no_page(headers: object, kind: str) -> None:
    assert isinstance(headers, dict)
    assert headers["content-type"] == kind
    assert headers["content-disposition"].startswith("attachment")
    assert headers["x-content-type-options"] == "nosniff"


def test_a18_line_breaks_and_escapes_stay_inside_their_line_of_the_log(
    server: RunningServer, box: str
) -> None:
    said = len(server.said)
    forged = '\r\n{"level": "error", "message": "forged"}\x1b[2J\x1b]0;owned\x07\u202e\u2028'
    for target in (
        f"/v1/{quote(forged)}",
        f"/v1/sandboxes/{quote(forged)}",
        f"/v1/sandboxes/{box}/files/stat?path={quote(forged)}",
        f"/v1/sandboxes/{box}/exec/{quote(forged)}/events",
    ):
        answer = ask(server, "GET", target, X_Request_Id="a\x1bb", User_Agent="\x1b[2J", Traceparent="\x1b")
        assert answer.status in (400, 404)
        assert not _CONTROL.search(answer.body.decode())
    program = {"cmd": ["sh", "-c", "printf '\\033[2J\\nforged\\n' >&2; exit 3"], "env": {"NAME": forged}}
    last = ask(server, "POST", f"/v1/sandboxes/{box}/exec", program, X_Request_Id="a18-last")
    assert last.json["exitCode"] == 3
    server.heard("a18-last")
    for line in server.said[said:]:
        assert line.isascii()
        assert not _CONTROL.search(line)
        assert json.loads(line)["message"] != "forged"


def test_a19_a_repeated_request_is_done_again_and_never_answered_with_another_ones_result(
    server: RunningServer, box: str
) -> None:
    # There are no idempotency keys: what may be repeated is idempotent by itself, commands are not.
    target = f"/v1/sandboxes/{box}/exec"
    headers = {"Idempotency_Key": "once", "X_Request_Id": "once"}
    for count in (1, 2):
        answer = ask(server, "POST", target, {"cmd": ["sh", "-c", "echo >> n; wc -l < n"]}, **headers)
        assert answer.json["stdout"].strip() == str(count)
        assert answer.headers["x-request-id"] == "once"
    other = ask(server, "POST", target, {"cmd": ["echo", "other"]}, **headers)
    assert other.json["stdout"] == "other\n"
    again = [ask(server, "PUT", f"/v1/sandboxes/{box}", {}, **headers).json["podName"] for _ in range(2)]
    assert len(set(again)) == 1
