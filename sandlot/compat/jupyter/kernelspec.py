"""Kernelspecs: what Jupyter's clients read to know that there are kernels of ours, and what they ask for.

Source: https://jupyter-client.readthedocs.io/en/stable/kernels.html#kernel-specs.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from jupyter_client.kernelspec import KernelSpecManager

from sandlot.contracts.errors import InvalidSpec, NotFound

from .wishes import Wishes

PROVISIONER: Final = "sandlot-provisioner"
"""The name under which our provisioner is announced, and by which kernelspecs of ours are known."""


@dataclass(frozen=True, slots=True)
class Installed:
    """A kernelspec of ours on this machine."""

    name: str
    directory: str
    display_name: str
    config: Mapping[str, Any]

    def to_json(self) -> dict[str, Any]:
        """As `--json` prints it."""
        names = {"name": self.name, "directory": self.directory, "displayName": self.display_name}
        return {**names, "config": dict(self.config)}


def document(wishes: Wishes, display_name: str, python: str) -> dict[str, Any]:
    """The kernel.json of a kernel with *wishes*; clients without provisioners start it with *python*."""
    # -P: what lies in the directory of a notebook is not to be imported by us.
    start = [python, "-P", "-m", "sandlot.cli.main", "jupyter", "kernel", "-f", "{connection_file}"]
    return {
        "argv": [*start, *wishes.to_flags()],
        "display_name": display_name,
        "language": "python",
        "interrupt_mode": "signal",
        "kernel_protocol_version": "5.4",
        "metadata": {"kernel_provisioner": {"provisioner_name": PROVISIONER, "config": wishes.to_config()}},
    }


def install(wishes: Wishes, name: str, display_name: str, prefix: str | None = None) -> Installed:
    """Write the kernelspec *name* below *prefix*, or for this user; one that is there is replaced.

    Raises InvalidSpec for a name that cannot be, or a place that cannot be written.
    """
    with tempfile.TemporaryDirectory(prefix="sandlot-kernelspec-") as made:
        folder = Path(made) / "kernel"
        folder.mkdir(mode=0o755)
        text = json.dumps(document(wishes, display_name, sys.executable), indent=1)
        (folder / "kernel.json").write_text(text + "\n", encoding="utf-8")
        try:
            there = KernelSpecManager().install_kernel_spec(
                str(folder), kernel_name=name, user=prefix is None, prefix=prefix
            )
        except ValueError as error:
            raise InvalidSpec(str(error)) from error
        except OSError as error:
            raise InvalidSpec(
                f"the kernelspec cannot be written: {error}; use --user or --prefix DIR"
            ) from error
    return Installed(os.path.basename(there), there, display_name, wishes.to_config())


def installed() -> tuple[Installed, ...]:
    """The kernelspecs of ours that Jupyter finds, by name."""
    found = KernelSpecManager(ensure_native_kernel=False).get_all_specs()
    return tuple(
        Installed(name, each["resource_dir"], each["spec"]["display_name"], provisioned.get("config", {}))
        for name, each in sorted(found.items())
        if (provisioned := each["spec"]["metadata"].get("kernel_provisioner", {})).get("provisioner_name")
        == PROVISIONER
    )


def uninstall(name: str) -> Installed:
    """Remove the kernelspec *name*. Raises NotFound when there is none of ours of that name."""
    for each in installed():
        if each.name == name.lower():
            KernelSpecManager(ensure_native_kernel=False).remove_kernel_spec(each.name)
            return each
    raise NotFound(f"there is no kernel {name!r:.60} of sandlot: see sandlot jupyter list")
