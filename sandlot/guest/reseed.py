"""Randomness after a fork: no two boxes draw the same numbers, whatever their zygote had loaded (I05).

os.urandom and what reads it each time (secrets, uuid.uuid4) need nothing. Hooks that modules register with
os.register_at_fork are run here, for clone3(2) runs none; `random` reseeds itself that way. String hashes
cannot be reseeded: siblings share their secret, so a zygote retires after a number of boxes.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, List, Optional, Tuple

    Hook = Callable[[], object]

_ENOUGH = 32  # bytes
_STATE = 4 * 624  # bytes of a Mersenne twister
_HOOKS: List[Tuple[Optional[Hook], Hook]] = []
"""What runs before a fork, for it may take a lock, and what runs in the child, for it gives that back."""

# Two put locks right, and nobody holds one where there was one thread; `random` has its own line below.
_NEEDLESS = frozenset(("threading", "logging", "random"))


def record() -> None:
    """Remember from now on what is registered to run in a forked child."""
    register = os.register_at_fork

    def recording(**hooks: Any) -> None:
        child = hooks.get("after_in_child")
        if child is not None and getattr(child, "__module__", None) not in _NEEDLESS:
            _HOOKS.append((hooks.get("before"), child))
        register(**hooks)

    os.register_at_fork = recording


def reseed() -> None:
    """Run the hooks that were recorded, and `redraw`."""
    for before, _ in reversed(_HOOKS):
        if before is not None:
            before()
    for _, child in _HOOKS:
        child()
    redraw()


def redraw() -> None:
    """Draw fresh seeds for every generator that is loaded."""
    _reseed_openssl()
    _reseed_numpy()
    _reseed_multiprocessing()
    random = sys.modules.get("random")
    if random is not None:
        random.seed()


def _reseed_openssl() -> None:
    # It reseeds itself when the pid has changed, which in a pid namespace of its own proves nothing.
    ssl: Any = sys.modules.get("_ssl")
    if ssl is not None:
        ssl.RAND_add(os.urandom(_ENOUGH), float(_ENOUGH))


def _reseed_multiprocessing() -> None:
    # Drawn once when it is imported: by it the processes of one program know each other.
    process: Any = sys.modules.get("multiprocessing.process")
    if process is not None:
        process.current_process().authkey = os.urandom(_ENOUGH)


def _reseed_numpy() -> None:
    numpy: Any = sys.modules.get("numpy")
    random: Any = sys.modules.get("numpy.random")
    if random is None:
        return
    try:
        # The whole of its state: `seed` would work that out of less, and copy 140 pages of memory for it.
        random.set_state(("MT19937", numpy.frombuffer(os.urandom(_STATE), "uint32"), _STATE // 4))
    except (TypeError, ValueError):  # somebody gave it another generator
        random.seed()
