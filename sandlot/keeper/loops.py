"""Loop devices: a file as a block device that frees itself with its last user (loop(4)).

The device refers to the open file description it was given, so a flock(2) on that one lasts as long as the
device does: until its file system is unmounted everywhere, however its keeper died.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import struct

_SET_FD, _CLR_FD, _SET_STATUS64 = 0x4C00, 0x4C01, 0x4C04
_CONFIGURE, _GET_FREE = 0x4C0A, 0x4C82
_AUTOCLEAR = 4
_CONTROL = os.makedev(10, 237)
_MAJOR = 7
_ATTEMPTS = 64
# struct loop_info64 with nothing set but its flags, and struct loop_config around it (linux/loop.h).
_INFO = struct.pack("=5Q4I64s64s32s2Q", 0, 0, 0, 0, 0, 0, 0, 0, _AUTOCLEAR, b"", b"", b"", 0, 0)
_OLD_KERNEL = (errno.EINVAL, errno.ENOTTY, errno.ENOSYS)  # LOOP_CONFIGURE came with Linux 5.8


def attach(image: int, nodes: str) -> int:
    """A descriptor of a loop device over the open file *image*; it frees itself once nobody has it open.

    *nodes* is a directory where device nodes work and nobody else looks: those of /dev may be missing, and
    none made here outlasts the call. OSError.
    """
    control = _open_node(nodes, _CONTROL, stat.S_IFCHR)
    try:
        for _ in range(_ATTEMPTS):
            device = _open_node(nodes, _device_number(fcntl.ioctl(control, _GET_FREE)), stat.S_IFBLK)
            if _is_bound(device, image):
                return device
            os.close(device)  # somebody else was quicker
    finally:
        os.close(control)
    raise OSError(errno.EBUSY, f"no loop device could be had in {_ATTEMPTS} attempts: too many start at once")


def _is_bound(device: int, image: int) -> bool:
    try:
        _bind(device, image)
    except OSError as error:
        if error.errno == errno.EBUSY:
            return False
        os.close(device)
        raise
    return True


def _bind(device: int, image: int) -> None:
    try:
        fcntl.ioctl(device, _CONFIGURE, struct.pack("=2I", image, 0) + _INFO + bytes(64))
    except OSError as error:
        if error.errno not in _OLD_KERNEL:
            raise
    else:
        return
    fcntl.ioctl(device, _SET_FD, image)
    try:
        fcntl.ioctl(device, _SET_STATUS64, _INFO)
    except OSError:
        fcntl.ioctl(device, _CLR_FD)
        raise


def _device_number(loop: int) -> int:
    # Where loop devices may have partitions (max_part), a minor number is not the device's own.
    try:
        with open(f"/sys/block/loop{loop}/dev", encoding="ascii") as file:
            major, _, minor = file.read().partition(":")
    except OSError:
        return os.makedev(_MAJOR, loop)
    return os.makedev(int(major), int(minor))


def _open_node(nodes: str, device: int, kind: int) -> int:
    path = f"{nodes}/{os.getpid()}"
    os.mknod(path, kind | 0o600, device)
    try:
        return os.open(path, os.O_RDWR | os.O_CLOEXEC)
    finally:
        os.unlink(path)
