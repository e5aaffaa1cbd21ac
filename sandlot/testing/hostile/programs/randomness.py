"""Numbers of every generator a program has: I05. The host compares what two runs drew."""

from __future__ import annotations

import importlib
import sys
from typing import Any, Callable, Dict, Iterator

from .report import Found, held

_DRAWS: Dict[str, Callable[[Any], object]] = {
    "random.random": lambda random: random.random(),
    "random.Random": lambda random: random.Random().getrandbits(64),
    "random.SystemRandom": lambda random: random.SystemRandom().getrandbits(64),
    "uuid.uuid1": lambda uuid: uuid.uuid1(),
    "uuid.uuid4": lambda uuid: uuid.uuid4(),
    "ssl.RAND_bytes": lambda ssl: ssl.RAND_bytes(16).hex(),
    "os.urandom": lambda os: os.urandom(16).hex(),
    "secrets.token_hex": lambda secrets: secrets.token_hex(),
    "tempfile.mktemp": lambda tempfile: next(tempfile._get_candidate_names()),  # noqa: SLF001 - makes no file
    "multiprocessing.authkey": lambda module: bytes(module.current_process().authkey).hex(),
    "numpy.random.random": lambda _: sys.modules["numpy.random"].random(),
    "numpy.random.default_rng": lambda _: sys.modules["numpy.random"].default_rng().random(),
}


def draw() -> Iterator[Found]:
    """One number of every generator, with the name of each; the host compares."""
    early = sorted({"random", "uuid", "ssl", "tempfile"} & set(sys.modules))
    yield held("preloaded", ", ".join(early))
    for name, drawn in _DRAWS.items():
        try:
            module = importlib.import_module(name.rpartition(".")[0])
        except ImportError:
            continue
        yield held(f"draw {name}", drawn(sys.modules[module.__name__.partition(".")[0]]))


def draw_from_one_seed() -> Iterator[Found]:
    """A generator that begins the same everywhere."""
    random = importlib.import_module("random")
    yield held("draw a number", random.Random(4).getrandbits(64))
