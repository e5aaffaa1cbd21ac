"""What one run leaves for the next: memory and files (I06), its standing (I08), late writers (I09)."""

from __future__ import annotations

import ctypes
import gc
import hashlib
import locale
import os
import re
import resource
import signal
import sys
import threading
import time
from functools import partial
from typing import Any, Iterator, List, Tuple

from .report import TEMPORARY, WORKSPACE, Found, facts, held, judge, refused

_MARK = re.compile(rb"leftover-[0-9a-f]{32}")
_PIECE = 1 << 20
_LARGEST_MAPPING = 1 << 28


def leave_in_memory() -> Iterator[Found]:
    """Leave the marker where the next process might get it from: pages, files of memory, variables."""
    mark = facts()["mark"].encode()
    held_on = [bytearray(mark * (_PIECE // len(mark))) for _ in range(32)]
    os.environ["LEFTOVER"] = facts()["mark"]
    for place in (TEMPORARY, "/dev/shm", "/var/tmp", WORKSPACE):
        try:
            with open(os.path.join(place, facts()["mark"]), "wb") as file:
                file.write(held_on[0])
        except OSError as error:
            yield held(f"leave a file in {place}", error.strerror)
    yield held("left", f"{sum(map(len, held_on))} bytes")


def find_in_memory() -> Iterator[Found]:
    """Look for a marker of which only the hash is known, in all that this process can read."""
    wanted = facts()["digest"]
    yield judge("the environment", _matches(repr(os.environ).encode(), wanted), sorted(os.environ))
    strings = [each for each in gc.get_objects() if isinstance(each, (dict, list, tuple))]
    yield judge(
        "objects", any(_matches(_text_of(each), wanted) for each in strings), f"{len(strings)} objects"
    )
    yield refused("open /proc/self/mem", partial(open, "/proc/self/mem", "rb"), but=lambda _: True)
    read, found = _search(wanted)
    yield judge("memory", found, f"{read >> 20} MiB read, {found} found")
    for place in (TEMPORARY, "/dev/shm", "/var/tmp", WORKSPACE):
        names = [name for name in _listed(place) if _matches(name.encode(), wanted)]
        yield judge(f"files in {place}", names, names)


def _listed(place: str) -> List[str]:
    try:
        return os.listdir(place)
    except OSError:
        return []


def find_in_its_own() -> Iterator[Found]:
    """The same search where the marker was put on purpose."""
    kept = facts()["mark"] * 2
    yield from find_in_memory()
    del kept


def _matches(data: bytes, wanted: str) -> int:
    return sum(hashlib.sha256(match).hexdigest() == wanted for match in _MARK.findall(data))


def _text_of(value: Any) -> bytes:
    try:
        return repr(value)[:10_000].encode("utf-8", "replace")
    except Exception as error:  # noqa: BLE001 - whatever the repr of some library's object raises
        return str(type(error)).encode()


def _search(wanted: str) -> Tuple[int, int]:
    """Bytes read of this process's mappings, and how often the marker was there."""
    read = found = 0
    with open("/proc/self/maps") as file:
        lines = [line.split() for line in file]
    for line in lines:
        start, end = (int(number, 16) for number in line[0].split("-"))
        if line[1][0] != "r" or line[-1] in ("[vvar]", "[vvar_vclock]", "[vsyscall]"):
            continue
        for at in range(start, min(end, start + _LARGEST_MAPPING), _PIECE):
            data = ctypes.string_at(at, min(_PIECE + 64, end - at))
            read += len(data)
            found += _matches(data, wanted)
            del data
    return read, found


def condition() -> Iterator[Found]:
    """What a program finds itself with when it starts; the host compares."""
    mask = os.umask(0o77)
    os.umask(mask)
    yield held("umask", oct(mask))
    yield held("cwd", os.path.relpath(os.getcwd(), WORKSPACE))
    places = ((WORKSPACE, "its workspace"), (TEMPORARY, "its scratch"))
    yield held("variables", sorted(_without(places, name) for name in os.environ if name != "HOSTILE_FACTS"))
    limits = {name: getattr(resource, name) for name in dir(resource) if name.startswith("RLIMIT_")}
    yield held("limits", [resource.getrlimit(limits[name]) for name in sorted(limits)])
    yield held("locale", [locale.setlocale(kind) for kind in (locale.LC_ALL, locale.LC_CTYPE)])
    yield held("time zone", time.tzname)
    handlers = [str(signal.getsignal(number)).split(" at ")[0] for number in range(1, 65)]
    yield held("signals", hashlib.sha256(repr(handlers).encode()).hexdigest())
    yield held("blocked signals", sorted(signal.pthread_sigmask(signal.SIG_BLOCK, ())))
    yield held("nice value", os.nice(0))
    yield held("descriptors", sorted(number for number in range(64) if _is_open(number)))
    yield held("alarm", signal.getitimer(signal.ITIMER_REAL))
    with open("/proc/self/status") as file:
        kept = ("SigIgn", "SigBlk", "SigCgt", "CapEff", "Threads", "Cpus_allowed:", "NoNewPrivs", "Groups")
        yield held("status", [line.split() for line in file if line.startswith(kept)])
    yield held("interpreter", [len(sys.path), sys.getrecursionlimit(), sys.getswitchinterval(), sys.argv])


def _without(places: Tuple[Tuple[str, str], ...], name: str) -> str:
    """The variable *name*, with words for the paths that differ from box to box where there is no mount."""
    value = os.environ[name]
    for path, word in places:
        value = value.replace(path, word)
    return f"{name}={value}"


def _is_open(number: int) -> bool:
    try:
        os.fstat(number)
    except OSError:
        return False
    return True


def spoil() -> Iterator[Found]:
    """Change all of it, for this process and, if that could be, for those after it."""
    os.umask(0o000)
    os.chdir("/tmp")
    os.environ.update(LANG="C", SPOILT="yes", TZ="Asia/Kathmandu", PATH="/tmp")
    time.tzset()
    for name in ("RLIMIT_NOFILE", "RLIMIT_STACK", "RLIMIT_CPU", "RLIMIT_FSIZE"):
        _, most = resource.getrlimit(getattr(resource, name))
        resource.setrlimit(getattr(resource, name), (1000, most))
    locale.setlocale(locale.LC_ALL, "C")
    for number in (signal.SIGINT, signal.SIGPIPE, signal.SIGUSR1, signal.SIGCHLD):
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    os.nice(5)
    for _ in range(8):
        os.set_inheritable(os.open("/dev/null", os.O_RDONLY), True)
    sys.path.append("/tmp")
    sys.setrecursionlimit(4000)
    yield held("spoilt")


def spoil_and_look() -> Iterator[Found]:
    """The same in one process."""
    yield from spoil()
    yield from condition()


def write_late() -> Iterator[Found]:
    """Leave everything that could still write when the next run has begun."""
    mark = facts()["mark"].encode() + b"\n"
    for target in (1, 2):
        threading.Thread(target=_write_on, args=(target, mark), daemon=True).start()
    for _ in range(3):
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                signal.signal(signal.SIGTERM, signal.SIG_IGN)
                _write_on(1, mark)
            os._exit(0)
    yield held("writers left behind")


def _write_on(target: int, mark: bytes) -> None:
    while True:
        try:
            os.write(target, mark)
        except OSError:
            for number in range(32):
                _write_anywhere(number, mark)
        time.sleep(0.001)


def _write_anywhere(number: int, mark: bytes) -> None:
    try:
        os.write(number, mark)
    except OSError:
        time.sleep(0)


def listen_for_writers() -> Iterator[Found]:
    """Give late writers time; the host reads what came."""
    time.sleep(0.3)
    yield held("listened")


def say_it_oneself() -> Iterator[Found]:
    """The marker in one's own output."""
    os.write(1, facts()["mark"].encode() + b"\n")
    yield held("said")
