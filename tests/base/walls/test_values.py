from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from sandlot import walls
from sandlot.walls import mounts, namespaces, rlimits, syscalls, users


def test_id_maps_are_written_as_the_kernel_reads_them() -> None:
    maps = [users.IdMap(0, 1_900_000_000), users.IdMap(1, 100_000, 65_536)]
    assert users.map_text(maps) == "0 1900000000 1\n1 100000 65536\n"


def test_a_tmpfs_is_bounded_in_bytes_and_files() -> None:
    options = mounts.tmpfs_options(1 << 20, 1000, 0o700, 1900000001, 1900000001)
    assert options == "size=1048576,nr_inodes=1000,mode=0700,uid=1900000001,gid=1900000001"


def test_namespace_names_combine_to_clone_flags() -> None:
    assert namespaces.flags_of([]) == 0
    assert namespaces.flags_of(["user", "mnt"]) == 0x10020000
    assert namespaces.flags_of(namespaces.FLAGS) == 0x7E020000
    with pytest.raises(KeyError, match="time"):
        namespaces.flags_of(["time"])


def test_calls_the_architecture_lacks_are_refused_by_name() -> None:
    assert syscalls.number("mount", "x86_64") == 165
    assert syscalls.number("mount", "aarch64") == 40
    with pytest.raises(OSError, match="aarch64 has no system call mknod"):
        syscalls.number("mknod", "aarch64")
    with pytest.raises(OSError, match="riscv64"):
        syscalls.number("mount", "riscv64")


def test_limits_are_named_as_the_manual_names_them() -> None:
    resource = pytest.importorskip("resource", reason="only Unix has resource limits")
    assert [name for name in rlimits.NAMES if not hasattr(resource, f"RLIMIT_{name.upper()}")] == []


def test_a_limit_nobody_knows_is_refused() -> None:
    pytest.importorskip("resource", reason="only Unix has resource limits")
    with pytest.raises(ValueError, match="nofiles"):
        rlimits.lower({"nofiles": 1})


# As in the agent's archive, where the package itself is empty.
SHIPPED = """
import sys
package = sys.modules["sandlot"] = type(sys)("sandlot")
package.__path__ = [sys.argv[1]]
import sandlot.walls.lockdown
print(*sys.modules)
"""


def test_the_walls_of_an_agent_load_nothing_that_delays_its_start() -> None:
    command = [sys.executable, "-I", "-S", "-c", SHIPPED, str(Path(walls.__file__).parents[1])]
    loaded = subprocess.run(command, check=True, stdout=subprocess.PIPE, timeout=30).stdout.decode().split()
    assert not {"typing", "dataclasses", "functools", "signal", "re", "enum", "collections"} & set(loaded)
    assert "sandlot.walls.seccomp" in loaded
