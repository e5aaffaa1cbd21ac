"""The processes of an engine zygote beneath this one, by what they are."""

from __future__ import annotations

import os
import select
import time
from collections.abc import Sequence
from pathlib import Path

from sandlot.testing.host_processes import HostProcess, descendants

_DEPTH = {"warden": 3, "box": 4}
"""In how many pid namespaces each has a number: the host's, the keeper's, the warden's, the box's own."""


def standing(kind: str, root: int | None = None) -> list[int]:
    """Pids of every stub, keeper, warden, zygote, box (its first process) or spare beneath *root*."""
    found = descendants(root)
    above = os.getpid() if root is None else root
    stubs = [each for each in found if each.parent == above and _is_stub(each)]
    keepers = _children(found, stubs)
    wardens = _children(found, keepers)
    beneath = _children(found, wardens)
    zygotes = [each for each in beneath if len(_numbers(each.pid)) == _DEPTH["warden"]]
    boxes = [each for each in beneath if len(_numbers(each.pid)) == _DEPTH["box"]]
    kinds = {
        "stub": stubs,
        "keeper": keepers,
        "warden": wardens,
        "zygote": zygotes,
        "box": boxes,
        "spare": _children(found, boxes),
    }
    return [each.pid for each in kinds[kind]]


def kill(pids: Sequence[int]) -> None:
    """SIGKILL for processes beneath this one; one that ended meanwhile is no matter."""
    for pid in pids:
        try:
            os.kill(pid, 9)
        except ProcessLookupError:
            continue


def outliving(pids: Sequence[int], seconds: float) -> list[int]:
    """Those of *pids* that still live when *seconds* have passed."""
    deadline = time.monotonic() + seconds
    left = []
    for pid in pids:
        try:
            handle = os.pidfd_open(pid)
        except ProcessLookupError:
            continue
        try:
            if not select.select([handle], [], [], max(0.0, deadline - time.monotonic()))[0]:
                left.append(pid)
        finally:
            os.close(handle)
    return left


def groups_of(stubs: Sequence[int]) -> list[str]:
    """Control groups named after one of *stubs*."""
    pids = set(map(str, stubs))
    found = []
    for top, directories, _ in os.walk("/sys/fs/cgroup"):  # where groups of others come and go meanwhile
        found += [
            f"{top}/{name}" for name in directories if "sandlot" in name and pids & set(name.split("-"))
        ]
    return sorted(found)


def _is_stub(process: HostProcess) -> bool:
    return any("sandlot.keeper.stub" in word for word in process.words)


def _children(found: Sequence[HostProcess], parents: Sequence[HostProcess]) -> list[HostProcess]:
    pids = {each.pid for each in parents}
    return [each for each in found if each.parent in pids]


def _numbers(pid: int) -> list[str]:
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return []
    return status.partition("NSpid:")[2].partition("\n")[0].split()
