"""The image a parked box has before anybody asks for it: it gets a name when its box is claimed."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from sandlot.contracts.errors import Conflict, StartFailed
from sandlot.contracts.spec import Bounds, SandboxSpec
from sandlot.keeper.client import Keeper, KeptBox
from sandlot.trees.descriptors import finished

from .stocks import blank_of

if TYPE_CHECKING:
    from sandlot.keeper.storage import WorkspaceStore


class LentImage:
    """An empty image without a name: of one that nobody has open or mounted any more nothing is left."""

    def __init__(self, store: WorkspaceStore, bounds: Bounds) -> None:
        """Of *store*, to hold *bounds*; there is none yet."""
        self._store, self.bounds = store, bounds
        self._descriptor = -1

    async def bring(self, keeper: Keeper, kept: KeptBox) -> None:
        """Make it and mount it in the parked box *kept*. Raises as WorkspaceStore.blank, Keeper.furnish."""
        await finished(self._make)
        await keeper.furnish(kept, self._descriptor)

    async def give(self, spec: SandboxSpec) -> None:
        """Let it be the workspace of *spec*, once.

        Raises StartFailed for a spec with which it will not do, Conflict the second time, DiskFull.
        """
        if spec.workspace is None or blank_of(spec) != self.bounds:
            raise StartFailed("a box that has a blank image was claimed for another workspace: ask again")
        if self._descriptor < 0:
            raise Conflict(f"the image meant for workspace {spec.workspace.name!r} is another's: ask again")
        await finished(self._give, spec.workspace.name)

    def close(self) -> None:
        """Give it up, when it was not given; idempotent."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    def _make(self) -> None:
        self._descriptor = self._store.blank(self.bounds.size, self.bounds.inodes)

    def _give(self, name: str) -> None:
        try:
            self._store.adopt(name, self._descriptor)
        finally:
            self.close()
