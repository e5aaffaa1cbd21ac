"""Strategies for what a stranger may send, and for the values of the API."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Any, Callable, Dict

from hypothesis import strategies as st

from sandlot.contracts.command import Command, TerminalSize
from sandlot.contracts.events import Exited, Failed, Reason, Returned, Started, Stderr, Stdout
from sandlot.contracts.handler import Handler
from sandlot.contracts.quantity import Bytes, Cores, Seconds
from sandlot.contracts.spec import Isolation, Limits, Network, SandboxSpec

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=True)
    | st.text(max_size=8)
    | st.sampled_from(
        ["none", "vm", "512Mi", "1e400", "../x", "\udce9", "\ud800", "9" * 40, "2026-01-02T12:34:56Z"]
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)


def objects(*names: str) -> st.SearchStrategy[Dict[str, Any]]:
    """JSON objects of some of the fields *names*, and now and then of others."""
    return st.dictionaries(st.sampled_from(names) | st.text(max_size=4), json_values, max_size=6)


def near(sound: Dict[str, Any]) -> st.SearchStrategy[Dict[str, Any]]:
    """*sound* with one field replaced or left out: closer to the last check than random objects come."""

    def damaged(name: str, value: Any, keep: bool) -> Dict[str, Any]:
        left = {key: sound[key] for key in sound if key != name}
        return {**left, name: value} if keep else left

    return st.builds(damaged, st.sampled_from(sorted(sound)), json_values, st.booleans())


texts = st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\0"), max_size=20)
names = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,20}", fullmatch=True)
variables = st.dictionaries(st.from_regex(r"[A-Z_][A-Z0-9_]{0,9}", fullmatch=True), texts, max_size=3)
amounts = st.integers(1, 2**59).map(Bytes)
seconds = st.floats(0.001, 366 * 86400).map(Seconds)
counts = st.none() | st.integers(1, 10_000_000)

specs = st.builds(
    SandboxSpec,
    environment=names,
    isolation=st.none() | st.sampled_from(Isolation),
    engine=st.none() | names,
    limits=st.builds(
        Limits,
        memory=st.none() | amounts,
        cpu=st.none() | st.floats(0.001, 4096).map(Cores),
        pids=counts,
        disk=st.none() | amounts,
        inodes=counts,
        output=st.none() | amounts,
        open_files=counts,
    ),
    network=st.sampled_from(Network),
    env=variables,
    ttl=st.none() | seconds,
)


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**31) + 1, 10**31 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(blacklist_categories=["Cs"]), max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=6,
)
"""What a handler may be given and may return."""

handlers = st.builds(Handler, st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,9}", fullmatch=True), values)


def commands(**more: Any) -> st.SearchStrategy[Command]:
    """Commands whose input is bytes or nothing; *more* are fields to set otherwise."""
    shared: Dict[str, Any] = {
        "stdin": st.none() | st.binary(max_size=20),
        "env": variables,
        "workdir": st.sampled_from(["/workspace", "/tmp", "/workspace/a b"]).map(PurePosixPath),
        "timeout": st.none() | seconds,
        "tty": st.none() | st.builds(TerminalSize, st.integers(1, 65535), st.integers(1, 65535)),
        "output_limit": st.none() | amounts,
        **more,
    }
    words = st.lists(texts, max_size=3).map(tuple)
    argv = st.builds(lambda first, rest: (first, *rest), names, words)
    build: Callable[..., st.SearchStrategy[Command]] = st.builds
    called = {**shared, "tty": st.none(), "handler": handlers}
    code = build(Command, code=texts, **shared) | build(Command, code=texts, **called)
    return build(Command, argv=argv, **shared) | code


exits = st.builds(
    Exited,
    reason=st.sampled_from(Reason),
    exit_code=st.integers(0, 255),
    signal=st.none() | st.integers(1, 64),
    stdout_truncated=st.booleans(),
    stderr_truncated=st.booleans(),
    duration=st.integers(0, 10**9).map(lambda ms: ms / 1000),
    cpu_seconds=st.integers(0, 10**9).map(lambda ms: ms / 1000),
    memory_peak=st.integers(0, 2**50),
    who=st.none() | st.sampled_from(["agent", "keeper"]),
)
events = (
    st.builds(Started, names)
    | st.builds(Stdout, st.binary(max_size=30))
    | st.builds(Stderr, st.binary(max_size=30))
    | st.builds(Returned, values)
    | st.builds(Failed, names, texts)
    | exits
)
