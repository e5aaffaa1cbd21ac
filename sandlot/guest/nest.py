"""What a zygote is told of the boxes it makes: the same for all of them, as one JSON object."""

from __future__ import annotations

from ..walls.plan import Plan
from ..wire import json_object
from .greeting import PROTOCOL

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, Tuple


class Nest:
    """The shape of a zygote's boxes.

    preload: modules to import ahead; plan: the inner walls; user, group, hostname: what a program in a box
    finds itself to be; env: the agent's environment; scratch: bytes of /tmp and of /dev/shm; disk, inodes:
    the size of /workspace; masked: entries of /proc that boxes do not see, with whether each is a directory;
    walls: names of the outer walls and parts of them to put up (all, but in tests); most:
    boxes after which the zygote retires; hello: what a host says to one of them.
    """

    WORKSPACE = "/workspace"
    ROOTS = (WORKSPACE, "/tmp")

    def __init__(self, value: Dict[str, Any]) -> None:
        """Take the fields. Raises KeyError, ValueError, TypeError for what is not one."""
        self.preload: Tuple[str, ...] = tuple(value["preload"])
        self.plan = Plan.from_json(value["plan"])
        self.user = int(value["user"])
        self.group = int(value["group"])
        self.hostname = str(value["hostname"])
        self.env: Dict[str, str] = dict(value["env"])
        self.scratch = int(value["scratch"])
        self.disk = int(value["disk"])
        self.inodes = int(value["inodes"])
        self.masked: Tuple[Tuple[str, bool], ...] = tuple(
            (name, bool(is_tree)) for name, is_tree in value["masked"]
        )
        self.walls = frozenset(value["walls"])
        self.most = int(value["most"])
        self.hello: Dict[str, Any] = {
            "protocol": PROTOCOL,
            "workspace": self.WORKSPACE,
            "roots": list(self.ROOTS),
            "plan": self.plan.to_json(),
        }

    def without_walls(self) -> Nest:
        """The same with none of the inner walls."""
        bare = Nest.__new__(Nest)
        vars(bare).update(vars(self), plan=self.plan.without(*self.plan.walls))
        return bare

    @classmethod
    def parse(cls, text: str) -> Nest:
        """As written by the engine. Raises ValueError, KeyError, TypeError."""
        return cls(json_object.parse(text.encode()))
