"""Memory used up in every form: R02, R12, R14."""

from __future__ import annotations

import ctypes
import fcntl
import gzip
import io
import mmap
import os
import resource
import select
import socket
from functools import partial
from typing import Callable, Dict, Iterator

from .calls import call
from .report import TEMPORARY, WORKSPACE, Found, broke, facts, held, refused

_MIB = 2**20
_PAGE = 4096


def memory() -> Iterator[Found]:
    """Use memory in one of its many forms until there is more of it than allowed."""
    kind = facts()["kind"]
    wanted = facts()["wanted"]
    yield held(f"about to use {wanted // _MIB} MiB by {kind}")
    try:
        _KINDS[kind](wanted)
    except (MemoryError, OSError) as error:
        yield held(f"{kind} refused", error)
    else:
        yield broke(f"{kind}: {wanted // _MIB} MiB were used")


def _heap(wanted: int) -> object:
    return bytearray(os.urandom(_PAGE)) * (wanted // _PAGE)


def _shared_mapping(wanted: int) -> object:
    mapping = mmap.mmap(-1, wanted)
    for offset in range(0, wanted, _PAGE):
        mapping[offset] = 1
    return mapping


def _memory_file(wanted: int) -> object:
    return _fill(call("memfd_create", ctypes.c_char_p(b"attack"), 0), wanted)


def _file_in(directory: str, wanted: int) -> object:
    return _fill(os.open(f"{directory}/filling", os.O_RDWR | os.O_CREAT, 0o600), wanted)


def _fill(descriptor: int, wanted: int) -> int:
    block = os.urandom(_MIB)
    for _ in range(wanted // _MIB):
        os.write(descriptor, block)
    return descriptor


def _pipes(wanted: int) -> object:
    """Pipe buffers are the kernel's memory: a megabyte each where that may be asked for."""
    kept = []
    used = 0
    while used < wanted:
        reader, writer = os.pipe()
        kept.append(reader)
        os.set_blocking(writer, False)
        try:
            fcntl.fcntl(writer, 1031, _MIB)  # F_SETPIPE_SZ, fcntl(2)
        except OSError:
            used += 0
        try:
            while True:
                used += os.write(writer, bytes(65536))
        except BlockingIOError:
            continue
    return kept


def _sockets(wanted: int) -> object:
    kept = []
    used = 0
    while used < wanted:
        left, right = socket.socketpair()
        kept.append((left, right))
        left.setblocking(False)
        try:
            left.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8 * _MIB)
            while True:
                used += left.send(bytes(65536))
        except BlockingIOError:
            continue
    return kept


def _many_processes(wanted: int) -> object:
    """Each process stays small; together they are not."""
    each = 16 * _MIB
    reader, _ = os.pipe()
    done_reader, done_writer = os.pipe()
    for _ in range(wanted // each):
        if os.fork() == 0:
            kept = _heap(each)
            os.write(done_writer, b"1")
            os.read(reader, 1)
            os._exit(len(str(kept)) and 0)
    filled = 0
    while filled < wanted // each:
        ready, _, _ = select.select([done_reader], [], [], 0.05)
        filled += len(os.read(done_reader, 64)) if ready else 0
        if os.waitpid(-1, os.WNOHANG)[0]:
            raise MemoryError(f"a child was killed after {filled} of them had filled their memory")
    return filled


_KINDS: Dict[str, Callable[[int], object]] = {
    "heap": _heap,
    "shared mapping": _shared_mapping,
    "memory file": _memory_file,
    "shared files": partial(_file_in, "/dev/shm"),
    "temporary files": partial(_file_in, TEMPORARY),
    "workspace files": partial(_file_in, WORKSPACE),
    "pipe buffers": _pipes,
    "socket buffers": _sockets,
    "many processes": _many_processes,
}


def inflate() -> Iterator[Found]:
    """A bomb of zeros opened by the box itself, into memory."""
    packed = io.BytesIO()
    with gzip.GzipFile(fileobj=packed, mode="wb", compresslevel=1) as file:
        for _ in range(facts()["wanted"] // _MIB):
            file.write(bytes(_MIB))
    yield held("bomb made", f"{len(packed.getvalue())} bytes")
    try:
        data = gzip.decompress(packed.getvalue())
    except MemoryError as error:
        yield held("no memory for it", error)
    else:
        yield broke("it was inflated", len(data))


def locked_memory() -> Iterator[Found]:
    """Memory that cannot be taken back: locked, or in huge pages."""
    size = facts()["wanted"]
    mapping = mmap.mmap(-1, size)
    address = ctypes.addressof(ctypes.c_char.from_buffer(mapping))
    yield refused(f"lock {size // _MIB} MiB", partial(call, "mlock", address, size))
    yield refused("raise the limit", partial(resource.setrlimit, resource.RLIMIT_MEMLOCK, (2**40, 2**40)))
    yield refused(
        "huge pages", partial(mmap.mmap, -1, 64 * _MIB, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | 0x40000)
    )
    yield refused("swap", partial(call, "swapon", ctypes.c_char_p(f"{WORKSPACE}/swap".encode()), 0))
