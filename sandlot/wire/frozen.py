"""A frozen value in forty lines, for modules the agent imports at its start.

`dataclasses` costs 6 to 14 ms in a bare interpreter because it imports `inspect`, `typing.NamedTuple` half
of that; starting a box may not cost more than a quarter of a bare interpreter's start. Type checkers see a
frozen dataclass.
"""

from __future__ import annotations

TYPE_CHECKING = False  # the name is what checkers look for; `typing` itself costs 3 ms or more
if TYPE_CHECKING:
    from typing import Any, Callable, ClassVar, NoReturn, Tuple, Type, TypeVar, dataclass_transform

    Class = TypeVar("Class", bound=Type[Any])
else:

    def dataclass_transform(**_options: Any) -> Callable[[Class], Class]:
        """Stand in for PEP 681's marker, which only type checkers need."""
        return lambda decorated: decorated


@dataclass_transform(frozen_default=True)
class Frozen:
    """A value made of the fields its class annotates: compared, hashed and shown by them, never changed.

    A field with a class attribute of the same name has that as its default. Raises TypeError for a field
    missing, unknown or given twice. Subclasses are not subclassed again.
    """

    # Never a real annotation: Python 3.8 hands those down to subclasses that have none.
    if TYPE_CHECKING:
        _fields: ClassVar[Tuple[str, ...]]

    def __init_subclass__(cls) -> None:
        cls._fields = tuple(getattr(cls, "__annotations__", {}))

    def __init__(self, *values: Any, **named: Any) -> None:
        fields = self._fields
        if len(values) == len(fields) and not named:
            self.__dict__.update(zip(fields, values))
            return
        given = dict(zip(fields, values))
        wrong = len(values) > len(fields) or any(name in given or name not in fields for name in named)
        given.update(named)
        if wrong or not all(name in given or hasattr(type(self), name) for name in fields):
            raise TypeError(f"{type(self).__name__} takes the fields {', '.join(fields) or 'none'}")
        vars(self).update(given)

    def _values(self) -> Any:
        return tuple(getattr(self, name) for name in self._fields)

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and self._values() == other._values()

    def __hash__(self) -> int:
        return hash((type(self).__name__, self._values()))

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={getattr(self, name)!r}" for name in self._fields)
        return f"{type(self).__name__}({shown})"

    def __setattr__(self, name: str, _value: object) -> NoReturn:
        raise AttributeError(f"{type(self).__name__}.{name} cannot be set: the value is frozen")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"{type(self).__name__}.{name} cannot be deleted: the value is frozen")
