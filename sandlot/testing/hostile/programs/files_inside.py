"""Traps laid in the box's own files: F04, F05, F08, F10, F11, F16, F17, F18 and the careless readers."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import socket
import subprocess
import tarfile
import time
from typing import Iterator, List

from .calls import prctl
from .report import TEMPORARY, WORKSPACE, Found, broke, facts, held, judge, refused, say

_ST_NOSUID = 2
_CHAIN = 100


def plant_links() -> Iterator[Found]:
    """Links out of the workspace: to a file, to a directory, through another link, to nowhere, to itself."""
    for name, target in (
        ("file", "/etc/passwd"),
        ("directory", "/etc"),
        ("canary", facts()["canary"]),
        ("up", "../" * 16 + "etc/passwd"),
        ("chain", "directory/passwd"),
        ("loop", "loop"),
        ("proc", "/proc/self/root/etc/passwd"),
    ):
        os.symlink(target, f"{WORKSPACE}/{name}")
        yield held(f"plant {name}")


def careless_reader() -> Iterator[Found]:
    """Read through the links as a program does that does not think of them."""
    yield from plant_links()
    with open(f"{WORKSPACE}/up", "rb") as file:
        yield judge("plain open follows the link", file.read(64))
    with tarfile.open(f"{TEMPORARY}/careless.tar", "w", dereference=True) as archive:
        archive.add(f"{WORKSPACE}/file")
        yield judge("a dereferencing archive holds the target", archive.getmembers()[0].isreg())


def swap() -> Iterator[Found]:
    """Flip a directory and a link to another place until the file `stop` appears."""
    os.makedirs(f"{TEMPORARY}/outside", exist_ok=True)
    os.makedirs(f"{WORKSPACE}/real", exist_ok=True)
    os.symlink(f"{TEMPORARY}/outside", f"{WORKSPACE}/link")
    flips = _flip(lambda: os.path.exists(f"{WORKSPACE}/stop"))
    yield judge("swapped often enough to mean something", flips < 100, f"{flips} flips")
    outside = os.listdir(f"{TEMPORARY}/outside")
    yield judge("files written outside", outside, f"{len(outside)} of them")


def _flip(is_over: "object") -> int:
    flips = 0
    say("SWAPPING")
    while flips < 50_000_000:
        for source in ("real", "link"):
            os.rename(f"{WORKSPACE}/{source}", f"{WORKSPACE}/flip")
            os.rename(f"{WORKSPACE}/flip", f"{WORKSPACE}/{source}")
        flips += 2
        if flips % 64 == 0 and is_over():  # type: ignore[operator]
            break
    return flips


def careless_writer() -> Iterator[Found]:
    """Check, then open by path, while a child flips: the race that fd-relative opening does not have."""
    os.makedirs(f"{TEMPORARY}/outside", exist_ok=True)
    os.makedirs(f"{WORKSPACE}/real", exist_ok=True)
    os.symlink(f"{TEMPORARY}/outside", f"{WORKSPACE}/link")
    child = os.fork()
    if child == 0:
        deadline = time.monotonic() + 5
        _flip(lambda: time.monotonic() > deadline)
        os._exit(0)
    deadline = time.monotonic() + 4
    written = 0
    while not os.listdir(f"{TEMPORARY}/outside") and time.monotonic() < deadline:
        target = f"{WORKSPACE}/flip"
        try:
            if not os.path.islink(target):
                with open(f"{target}/file-{written}", "w"):
                    written += 1
        except OSError:
            continue
    os.kill(child, 9)
    outside = os.listdir(f"{TEMPORARY}/outside")
    yield judge("check, then open: files written outside", outside, f"{len(outside)} after {written} writes")


def plant_odd_files() -> Iterator[Found]:
    """A FIFO, a socket, a sparse tebibyte, a set-uid file, and one without any permission."""
    os.mkfifo(f"{WORKSPACE}/fifo")
    yield held("fifo")
    try:
        made = socket.socket(socket.AF_UNIX)
        made.bind(f"{WORKSPACE}/socket")
        yield held("socket")
    except OSError as error:
        yield held("socket", f"no such file can be made: {error}")
    with open(f"{WORKSPACE}/sparse", "wb") as file:
        try:
            file.truncate(2**40)
            yield held("sparse")
        except OSError as error:
            yield held("sparse", f"no such file can be made: {error}")
    for name, mode in (("set-uid", 0o6755), ("closed", 0)):
        with open(f"{WORKSPACE}/{name}", "w") as text:
            text.write(name)
        os.chmod(f"{WORKSPACE}/{name}", mode)
        yield held(name)


def careless_fifo() -> Iterator[Found]:
    """Open a FIFO as if it were a file: this never returns."""
    os.mkfifo(f"{WORKSPACE}/fifo")
    yield held("about to open the FIFO")
    with open(f"{WORKSPACE}/fifo", "rb") as file:
        yield held("it returned", file.read())


def dig() -> Iterator[Found]:
    """A very deep directory: chains of a hundred, each put below the next.

    To walk down instead takes seconds, for Landlock walks up from each new directory.
    """
    top, chain = f"{WORKSPACE}/deep", "/".join("d" * _CHAIN)
    os.mkdir(top)
    with open(f"{top}/bottom", "w") as file:
        file.write("deep")
    for _ in range(facts()["depth"] // _CHAIN):
        os.rename(top, f"{WORKSPACE}/grown")
        os.makedirs(f"{top}/{os.path.dirname(chain)}")
        os.rename(f"{WORKSPACE}/grown", f"{top}/{chain}")
    yield held(f"{facts()['depth']} directories deep")


def careless_delete() -> Iterator[Found]:
    """Delete what is deep as a program does that does not think of it."""
    yield from dig()
    yield _plain_delete("deep")


def careless_delete_of_closed() -> Iterator[Found]:
    """Delete what is closed as a program does that does not think of it."""
    yield from close_everything()
    yield _plain_delete("closed")


def _plain_delete(name: str) -> Found:
    try:
        shutil.rmtree(f"{WORKSPACE}/{name}")
    except (OSError, RecursionError) as error:
        return broke(f"a plain rmtree of {name} gives up", type(error).__name__)
    return held(f"a plain rmtree of {name} works")


def close_everything() -> Iterator[Found]:
    """A tree whose directories cannot be read, entered or changed any more."""
    for path in ("closed", "closed/a", "closed/a/b"):
        os.mkdir(f"{WORKSPACE}/{path}")
        with open(f"{WORKSPACE}/{path}/file", "w") as file:
            file.write("x")
    yield _immutable(f"{WORKSPACE}/closed/file")
    for path in ("closed/a/b", "closed/a", "closed"):
        os.chmod(f"{WORKSPACE}/{path}/file", 0)
        os.chmod(f"{WORKSPACE}/{path}", 0)
    yield held("closed a tree")


def _immutable(path: str) -> Found:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        # FS_IOC_SETFLAGS with FS_IMMUTABLE_FL, ioctl_iflags(2)
        return refused(
            "make a file immutable", lambda: fcntl.ioctl(descriptor, 0x40086602, b"\x10" + bytes(7))
        )
    finally:
        os.close(descriptor)


def set_uid() -> Iterator[Found]:
    """Gain by a set-uid bit or by file capabilities."""
    shutil.copy("/bin/true", f"{WORKSPACE}/mine")
    os.chmod(f"{WORKSPACE}/mine", 0o6755)  # noqa: S103 - the attack
    yield refused(
        "file capabilities", lambda: os.setxattr(f"{WORKSPACE}/mine", "security.capability", bytes(20))
    )
    for place in (WORKSPACE, TEMPORARY, "/dev/shm"):
        if _can_make_files(place):
            yield judge(f"{place} honours set-uid", not os.statvfs(place).f_flag & _ST_NOSUID)
    yield judge("an exec may gain privileges", prctl(39, 0, 0, 0, 0) != 1)
    for program in ("/usr/bin/su", "/usr/bin/mount", "/usr/bin/passwd", "/usr/bin/newgrp"):
        if os.path.exists(program) and os.stat(program).st_mode & 0o4000:
            yield _secure(program)


def _can_make_files(place: str) -> bool:
    try:
        descriptor = os.open(f"{place}/probe", os.O_CREAT | os.O_WRONLY)
    except OSError:
        return False
    os.close(descriptor)
    return True


def _secure(program: str) -> Found:
    """Whether the kernel says that an exec of a set-uid program gained anything (AT_SECURE, getauxval(3))."""
    try:
        done = subprocess.run(
            [program, "--version"], env={"LD_SHOW_AUXV": "1"}, capture_output=True, timeout=5, check=False
        )
    except OSError as error:
        return held(f"run {program}", error)
    lines: List[str] = [line for line in done.stdout.decode().splitlines() if line.startswith("AT_SECURE")]
    # A process that did gain ignores LD_SHOW_AUXV: then there is no line at all.
    return judge(f"run {program}", not lines or lines[0].split()[-1] != "0", lines)


def poison() -> Iterator[Found]:
    """Modules and start-up files that a careless Python would take from the working directory."""
    text = f"import os\nopen('{WORKSPACE}/pwned-%s-%d' % (__name__, os.getpid()), 'w').close()\n"
    package = f"{WORKSPACE}/.local/lib/python3.11/site-packages"
    os.makedirs(package)
    for name in (
        "sitecustomize",
        "usercustomize",
        "json",
        "struct",
        "select",
        "types",
        "tarfile",
        "sandlot",
        "encodings",
    ):
        with open(f"{WORKSPACE}/{name}.py", "w") as file:
            file.write(text)
    for path in (".pythonrc.py", ".pythonrc", ".local/lib/python3.11/site-packages/usercustomize.py"):
        with open(f"{WORKSPACE}/{path}", "w") as file:
            file.write(text)
    with open(f"{package}/bad.pth", "w") as file:
        file.write(f"import os; open('{WORKSPACE}/pwned-pth', 'w').close()\n")
    with open(f"{WORKSPACE}/pyvenv.cfg", "w") as file:
        file.write(f"home = {WORKSPACE}\n")
    yield held("poison laid")


def poisoned() -> Iterator[Found]:
    """Whether any of it ran, anywhere."""
    victims = [name for name in os.listdir(WORKSPACE) if name.startswith("pwned")]
    yield judge("a planted module ran", victims, victims)


def careless_python() -> Iterator[Found]:
    """A Python started without -I beside the planted modules."""
    yield from poison()
    subprocess.run(
        ["/usr/bin/python3", "-c", "import json, tarfile"], cwd=WORKSPACE, check=False, capture_output=True
    )
    yield from poisoned()


def unlinked_fill() -> Iterator[Found]:
    """Fill the workspace through a file that has no name any more."""
    descriptor = os.open(f"{WORKSPACE}/nameless", os.O_RDWR | os.O_CREAT)
    os.unlink(f"{WORKSPACE}/nameless")
    written = 0
    try:
        while written < facts()["fill"]:
            written += os.write(descriptor, bytes(2**20))
    except OSError as error:
        yield judge("a full disk is said to be one", error.errno not in {errno.ENOSPC, errno.EDQUOT}, error)
    yield judge("write past the quota", written >= facts()["fill"], f"{written} bytes")


def nothing() -> Iterator[Found]:
    """Only say that programs run here; the attack is made from outside."""
    yield held("alive")


def climb() -> Iterator[Found]:
    """Join and open a path as careless code does."""
    with open(os.path.join(WORKSPACE, "../" * 16 + "etc/passwd"), "rb") as file:
        yield judge("a joined path climbs out", file.read(64))
