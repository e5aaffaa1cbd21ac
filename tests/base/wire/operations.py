"""Every operation of the API: what is asked, what a server answers, and what that means."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any, Callable, Dict, Tuple

from sandlot.contracts.command import Command
from sandlot.contracts.lease import Lease
from sandlot.contracts.quantity import Seconds
from sandlot.contracts.service import SandboxStatus
from sandlot.contracts.spec import Isolation, SandboxSpec
from sandlot.wire import json_object
from sandlot.wire.flows import commands, files, processes, sandboxes
from sandlot.wire.flows.exchange import Flow
from sandlot.wire.values import entry_to_json, row_to_json, status_to_json

STATUS = SandboxStatus("box", "memory", Isolation.VM, ("x",), Lease(Seconds(5.0), 10.0))
TOLD_STATUS = status_to_json(STATUS, "sbx-0123456789")
ENTRY = {"name": "a", "path": "/workspace/a", "kind": "file", "size": 1, "mode": 0o644, "mtime": 2.0}
ROW = {"id": "1", "argv": ["ls"], "background": True, "running": False, "exit_code": 0, "signal": None}
PATH = PurePosixPath("/workspace/a b")
QUERY = "path=%2Fworkspace%2Fa%20b"
SPEC = SandboxSpec(environment="data", env={"A": "1"})


@dataclass(frozen=True)
class Operation:
    """`said` is the JSON of the request, None where there is none; `told` is the answer's JSON or bytes."""

    name: str
    flow: Callable[[], Flow[Any]]
    asked: Tuple[str, str]
    status: int = 204
    said: Any = None
    told: Any = b""
    value: Any = None
    headers: Dict[str, str] = field(default_factory=dict)

    @property
    def body(self) -> bytes:
        """The answer's body."""
        return self.told if isinstance(self.told, bytes) else json_object.render(self.told)


def _there(rest: str = "") -> str:
    return f"/v1/sandboxes/box{rest}"


OPERATIONS = (
    Operation(
        "attach",
        lambda: sandboxes.ensure("box", SandboxSpec()),
        ("PUT", _there()),
        200,
        {},
        TOLD_STATUS,
        STATUS,
    ),
    Operation(
        "ensure",
        lambda: sandboxes.ensure("box", SPEC),
        ("PUT", _there()),
        200,
        {"environment": "data", "env": {"A": "1"}},
        TOLD_STATUS,
        STATUS,
    ),
    Operation("status", lambda: sandboxes.status("box"), ("GET", _there()), 200, None, TOLD_STATUS, STATUS),
    Operation(
        "touch", lambda: sandboxes.touch("box"), ("POST", _there("/touch")), 200, None, TOLD_STATUS, STATUS
    ),
    Operation("delete", lambda: sandboxes.delete("box"), ("DELETE", _there())),
    Operation(
        "list",
        sandboxes.listing,
        ("GET", "/v1/sandboxes?limit=1000&state=running%2Cstopped"),
        200,
        None,
        {"sandboxes": [TOLD_STATUS], "next": None},
        (STATUS,),
    ),
    Operation(
        "list_ended",
        lambda: sandboxes.listing(ended=True),
        ("GET", "/v1/sandboxes?limit=1000&state=running%2Cstopped%2Cended"),
        200,
        None,
        {"sandboxes": [TOLD_STATUS], "next": None},
        (STATUS,),
    ),
    Operation("feed", lambda: commands.feed("box", "e1", b"x"), ("POST", _there("/exec/e1/input"))),
    Operation(
        "end_input",
        lambda: commands.feed("box", "e1", b"", end=True),
        ("POST", _there("/exec/e1/input?end=true")),
    ),
    Operation("kill", lambda: commands.kill("box", "e1"), ("DELETE", _there("/exec/e1"))),
    Operation(
        "stat",
        lambda: files.stat("box", PATH),
        ("GET", _there(f"/files/stat?{QUERY}")),
        200,
        None,
        entry_to_json(ENTRY),
        ENTRY,
    ),
    Operation(
        "entries",
        lambda: files.entries("box", PATH),
        ("GET", _there(f"/files/list?{QUERY}")),
        200,
        None,
        {"entries": [entry_to_json(ENTRY)]},
        (ENTRY,),
    ),
    Operation(
        "write",
        lambda: files.write("box", PATH, 0o755),
        ("PUT", _there(f"/files/content?{QUERY}&mode=0755")),
        200,
        None,
        {"bytes": 3},
        3,
    ),
    Operation(
        "mkdir",
        lambda: files.mkdir("box", PATH, parents=True),
        ("POST", _there("/files/mkdir")),
        said={"path": str(PATH), "parents": True},
    ),
    Operation(
        "move",
        lambda: files.move("box", PATH, PurePosixPath("/tmp")),
        ("POST", _there("/files/move")),
        said={"path": str(PATH), "to": "/tmp"},
    ),
    Operation(
        "remove",
        lambda: files.remove("box", PATH, recursive=True),
        ("DELETE", _there(f"/files?{QUERY}&recursive=true")),
    ),
    Operation(
        "upload",
        lambda: files.upload("box", PATH),
        ("POST", _there("/files/upload?dest=%2Fworkspace%2Fa%20b")),
        200,
        None,
        {"dest": "/workspace"},
    ),
    Operation(
        "start",
        lambda: processes.start("box", Command(argv=("ls",), timeout=None)),
        ("POST", _there("/processes")),
        201,
        {"cmd": ["ls"], "timeoutSeconds": None},
        {"process": "7"},
        "7",
    ),
    Operation(
        "processes",
        lambda: processes.processes("box"),
        ("GET", _there("/processes")),
        200,
        None,
        {"processes": [row_to_json(ROW)]},
        (ROW,),
    ),
    Operation(
        "signal",
        lambda: processes.signal("box", "7", 15),
        ("POST", _there("/processes/7/signal")),
        said={"signal": 15},
    ),
    Operation(
        "process_input",
        lambda: processes.feed("box", "7", b"x", end=True),
        ("POST", _there("/processes/7/input?end=true")),
    ),
    Operation(
        "wait",
        lambda: processes.wait("box", "7", 2),
        ("GET", _there("/processes/7?waitSeconds=2.000")),
        200,
        None,
        row_to_json(ROW),
        ROW,
    ),
    Operation(
        "output",
        lambda: processes.output("box", "7", 5),
        ("GET", _there("/processes/7/output?offset=5")),
        200,
        None,
        b"abc",
        (b"abc", 9, 1),
        {"sandlot-next-offset": "9", "sandlot-dropped": "1"},
    ),
)
