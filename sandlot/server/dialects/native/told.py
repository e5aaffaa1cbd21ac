"""What answers hold, for the document of the API; `wire.values` is what writes them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from .asked import Identifier

Count = Annotated[int, Field(ge=0)]
_Amount = Annotated[float, Field(ge=0)]
_Time = Annotated[
    str, Field(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{3})?Z$")
]
_Level = Literal["process", "namespace", "userkernel", "vm"]


class Told(BaseModel):
    """What every model of an answer has in common."""

    # Built when the document is asked for: a server starts an eighth of a second earlier.
    model_config = ConfigDict(alias_generator=to_camel, extra="forbid", defer_build=True)


class Ending(Told):
    """Why a box or a sandbox ended."""

    reason: Literal["expired", "deleted", "killed", "out_of_memory", "box_died", "host_restart", "shutdown"]
    at: _Time
    detail: str


class Sandbox(Told):
    """A sandbox as its owner sees it; `podName` is stable as long as it lasts."""

    pod_name: Annotated[str, Field(pattern="^sbx-[0-9a-f]{10}$")]
    expires_at: _Time | None
    id: Identifier
    state: Literal["running", "stopped", "ended"]
    engine: str
    isolation: _Level
    enforced: list[str]
    features: list[str]
    created_at: _Time
    last_active_at: _Time
    ttl_seconds: Annotated[float, Field(gt=0)] | None
    durable: bool
    ending: Ending | None


class Sandboxes(Told):
    """One page of sandboxes, by id; `next` is the cursor of the next page."""

    sandboxes: list[Sandbox]
    next: str | None


class Truncated(Told):
    """Which streams of output were cut at their limit."""

    stdout: bool
    stderr: bool


class Metrics(Told):
    """What a command used, in milliseconds and units of 2**20 bytes."""

    duration_ms: _Amount
    cpu_time_ms: _Amount
    memory_peak_mb: _Amount


class Result(Told):
    """How a command went. A program that fails is a result too; 124 is a timeout, 128 + N signal N."""

    exit_code: int
    signal: int | None
    reason: Literal["exited", "signalled", "timeout", "out_of_memory", "output_limit", "killed", "box_died"]
    stdout: str
    stderr: str
    stdout_base64: str = Field("", alias="stdoutBase64", description="Only where it is not UTF-8")
    stderr_base64: str = Field("", alias="stderrBase64", description="Only where it is not UTF-8")
    truncated: Truncated
    duration_ms: Count
    cpu_ms: _Amount
    memory_peak_bytes: Count
    metrics: Metrics
    engine: str
    isolation: _Level
    enforced: list[str]
    who: str | None
    failover: list[str]
    result: Any = Field(None, description="What the handler returned; only there when it returned something")


class Entry(Told):
    """One file; `mtime` is in seconds since 1970, `target` is where a symbolic link points."""

    name: str
    path: str
    kind: Literal["file", "directory", "symlink", "fifo", "socket", "device", "other"]
    size: Count
    mode: Annotated[int, Field(ge=0, le=0o7777)]
    mtime: float
    target: str = ""


class Entries(Told):
    """The entries of a directory, in no order."""

    entries: list[Entry]


class Process(Told):
    """One background process or running command."""

    id: str
    argv: list[str]
    background: bool
    running: bool
    exit_code: int | None
    signal: int | None
    started_at: float


class Processes(Told):
    """What runs, and what has ended lately."""

    processes: list[Process]


class StartedProcess(Told):
    """The name of a process that was started."""

    process: str


class Stock(Told):
    """One stock of warm boxes; what has happened is counted since it was first asked for."""

    engine: str
    stock: str
    ready: Count
    starting: Count
    waiting: Count
    hits: Count
    misses: Count
    wait_seconds: _Amount
    refused: Count
    refills: Count
    refill_seconds: _Amount
    failed: Count
    retired: Count
    dead: Count


class Pool(Told):
    """Every stock there is; none where the engines that serve make no boxes ahead."""

    stocks: list[Stock]


class Uploaded(Told):
    """Where an archive was unpacked."""

    dest: str


class Written(Told):
    """How much was written."""

    bytes: Count
