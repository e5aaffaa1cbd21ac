"""The fields of one JSON object, read one by one, strictly: what comes over a network is hostile."""

from __future__ import annotations

import base64
import binascii
from collections import abc
from typing import (
    Any,
    Callable,
    Dict,
    FrozenSet,
    Iterable,
    List,
    Mapping,
    Optional,
    Set,
    Tuple,
    TypeVar,
    Union,
)

from sandlot.contracts.errors import InvalidSpec, PathEscape
from sandlot.contracts.handler import DEEPEST_VALUE

from .json_object import JsonError, parse, render

Value = TypeVar("Value")
_SHOWN = 60
_DEEPEST = DEEPEST_VALUE + 8  # an event or a value, and what it is wrapped in


def object_from(body: bytes) -> Dict[str, Any]:
    """The JSON object that *body* is; raises InvalidSpec for anything else."""
    try:
        return parse(body, max_depth=_DEEPEST)
    except JsonError as error:
        raise InvalidSpec(f"the body cannot be read: {error}") from None


def body_of(value: Dict[str, Any]) -> bytes:
    """*value* as a JSON body; raises InvalidSpec for what JSON has no form for."""
    try:
        return render(value)
    except JsonError as error:
        raise InvalidSpec(f"the request cannot be written: {error}") from None


def text_or_base64(data: bytes) -> Tuple[bool, str]:
    """*data* as text and True where it is UTF-8, else as base64 and False."""
    try:
        return True, data.decode("utf-8")
    except UnicodeDecodeError:
        return False, base64.b64encode(data).decode("ascii")


class Fields:
    """Takes fields out of *value*, which is called *what* in errors; `end` refuses those nobody took.

    Every method raises InvalidSpec that names the field. A field that is null counts as not given.
    """

    def __init__(self, value: object, what: str = "") -> None:
        """Read from *value*, which must be an object."""
        if not isinstance(value, abc.Mapping):
            raise InvalidSpec(f"{what or 'the body'} must be an object, not {_kind(value)}")
        self._value: Mapping[Any, Any] = value
        self._what = what
        self._taken: Set[str] = set()

    def has(self, name: str) -> bool:
        """Whether the field is given and not null."""
        self._taken.add(name)
        return self._value.get(name) is not None

    def lacks(self, names: FrozenSet[str]) -> bool:
        """Whether none of the fields *names* is there, not even as null."""
        self._taken |= names
        return names.isdisjoint(self._value)

    def is_null(self, name: str) -> bool:
        """Whether the field is given as null."""
        self._taken.add(name)
        return name in self._value and self._value[name] is None

    def raw(self, name: str) -> Any:
        """The field as it is; None when it is not given."""
        self._taken.add(name)
        return self._value.get(name)

    def text(self, name: str, default: Optional[str] = None) -> str:
        """A text that is valid Unicode."""
        found = self._typed(name, default, (str,), "text")
        try:
            found.encode("utf-8")
        except UnicodeEncodeError:
            raise self.wrong(name, "is not valid Unicode") from None
        return str(found)

    def file_name(self, name: str, default: Optional[str] = None) -> str:
        """A text that may hold the bytes of a file name that is not UTF-8, as PEP 383 writes them."""
        found = self._typed(name, default, (str,), "text")
        if not is_file_name(found):
            raise self.wrong(name, "is not valid Unicode")
        return str(found)

    def flag(self, name: str, default: Optional[bool] = None) -> bool:
        """True or false."""
        return bool(self._typed(name, default, (bool,), "true or false"))

    def count(
        self, name: str, default: Optional[int] = None, *, most: int = 2**63 - 1, least: int = 0
    ) -> int:
        """A whole number of *least* to *most*."""
        found = self._typed(name, default, (int, float), "a whole number")
        # JSON has one kind of number: 36.0 is whole (JSON Schema 2020-12, 6.1.1).
        if isinstance(found, float) and not found.is_integer():
            raise self.wrong(name, "is not a whole number")
        if not least <= found <= most:
            raise self.wrong(name, f"is out of range: use {least} to {most}")
        return int(found)

    def number(self, name: str, default: Optional[float] = None) -> float:
        """A finite number of at most 2**63."""
        found = self._typed(name, default, (int, float), "a number")
        # The comparison is false for NaN, and for an integer too large for a float.
        if not abs(found) <= 2.0**63:
            raise self.wrong(name, "is out of range")
        return float(found)

    def amount(self, name: str, read: Callable[[Union[str, float]], Value], *, text: bool = True) -> Value:
        """A quantity that *read* understands: a number, or with *text* a text such as "512Mi"."""
        kinds = (str, int, float) if text else (int, float)
        given = self._typed(name, None, kinds, "a number or text" if text else "a number")
        return self.read(name, lambda: read(given))

    def texts(self, name: str) -> Tuple[str, ...]:
        """A list of texts, of bytes that need not be UTF-8 (PEP 383)."""
        found = self.items(name)
        if not all(isinstance(item, str) and is_file_name(item) for item in found):
            raise self.wrong(name, "must be a list of texts")
        return tuple(found)

    def items(self, name: str) -> List[Any]:
        """A list."""
        found = self._typed(name, None, (list, tuple), "a list")
        return list(found)

    def mapping(self, name: str) -> Dict[str, str]:
        """An object of texts; empty when it is not given."""
        found = self._typed(name, {}, (abc.Mapping,), "an object")
        for key, value in found.items():
            if not isinstance(key, str) or not isinstance(value, str):
                raise self.wrong(name, "must be an object of texts", shown=False)  # it may hold secrets
        return dict(found)

    def inner(self, name: str) -> Fields:
        """An object's own fields; those of an empty one when it is not given."""
        found = self.raw(name)
        return Fields({} if found is None else found, self._name(name))

    def base64(self, name: str) -> bytes:
        """Bytes as base64 (RFC 4648, 4)."""
        return self.read(name, lambda: decoded_base64(self.text(name)))

    def read(self, name: str, work: Callable[[], Value]) -> Value:
        """What *work* gives; the InvalidSpec it raises names the field."""
        try:
            return work()
        except (InvalidSpec, PathEscape) as error:
            raise self.wrong(name, f"is wrong: {error.message}", shown=False) from None

    def end(self) -> None:
        """Refuse what was given and nobody took."""
        unknown = [name for name in self._value if name not in self._taken]
        if unknown:
            names = ", ".join(_short(name) for name in unknown[:5])
            known = ", ".join(sorted(self._taken)) or "none"
            where = f" in {self._what}" if self._what else ""
            raise InvalidSpec(f"unknown field {names}{where}: use {known}")

    def wrong(self, name: str, why: str, *, shown: bool = True) -> InvalidSpec:
        """The error that says why the field is refused, with its value when *shown*."""
        value = f" {_short(self._value[name])}" if shown and name in self._value else ""
        return InvalidSpec(f"field {self._name(name)}{value} {why}")

    def _name(self, name: str) -> str:
        return f"{self._what}.{name}" if self._what else name

    def _typed(self, name: str, default: Any, kinds: Tuple[type, ...], wanted: str) -> Any:
        found = self.raw(name)
        if found is None:
            if default is None:
                raise InvalidSpec(f"field {self._name(name)} is missing")
            return default
        if not isinstance(found, kinds) or (isinstance(found, bool) and bool not in kinds):
            raise InvalidSpec(f"field {self._name(name)} must be {wanted}, not {_kind(found)}")
        return found


def one_of(fields: Fields, names: Iterable[str]) -> Optional[str]:
    """The one field of *names* that is given, None for none; raises InvalidSpec for more."""
    given = [name for name in names if fields.has(name)]
    if len(given) > 1:
        raise InvalidSpec(f"fields {' and '.join(given)} exclude each other: give one of them")
    return given[0] if given else None


def decoded_base64(text: str) -> bytes:
    """The bytes of *text*; raises InvalidSpec when it is no base64."""
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidSpec(f"not base64: {error}") from None


def is_file_name(text: str) -> bool:
    """Whether *text* is Unicode but for bytes that PEP 383 carries."""
    try:
        text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return False
    return True


def _kind(value: object) -> str:
    names = {dict: "an object", list: "a list", str: "text", bool: "true or false", type(None): "null"}
    return names.get(type(value), "a number" if isinstance(value, (int, float)) else type(value).__name__)


def _short(value: object) -> str:
    shown = repr(value)
    return shown if len(shown) <= _SHOWN else f"{shown[:_SHOWN]}..."
