"""JSON as bytes, read strictly: what a box sends is hostile.

The standard `json` package imports `re`, which costs a bare interpreter 5 to 8 ms. Its C half, `_json`,
does all the work and imports nothing, so it is driven directly; an interpreter without it, or with another
shape of it, gets the package.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Dict, List, NoReturn, Tuple

    Scan = Callable[[str], Tuple[Any, int]]
    Render = Callable[[Any], str]
    Codec = Tuple[Scan, Render]

_LONGEST_NUMBER = 32  # digits; a 64-bit integer has 20, a float's shortest exact form 24
_SPACE = " \t\n\r"


class JsonError(ValueError):
    """Bytes that are not one acceptable JSON value, or a value that cannot be written as one."""


def parse(text: bytes, *, max_depth: int = 32) -> Dict[str, Any]:
    """Read one JSON object.

    Raises JsonError for anything else: other types, bad UTF-8, duplicate keys, NaN and infinities, numbers
    of more than 32 characters, nesting deeper than `max_depth`, lone surrogates. The one exception among
    surrogates is U+DC80 to U+DCFF, by which Python writes file names that are not UTF-8 (PEP 383): encode
    received strings with `errors="surrogateescape"`, or refuse them.
    """
    value = parse_value(text, max_depth=max_depth)
    if not isinstance(value, dict):
        raise JsonError(f"a JSON object is wanted, not {type(value).__name__}")
    return value


def parse_value(text: bytes, *, max_depth: int = 32) -> Any:
    """Read one JSON value of any type, otherwise as `parse`."""
    try:
        content = text.decode("utf-8").strip(_SPACE)
        value, end = _codec()[0](content)
    except RecursionError:
        raise JsonError(f"JSON is nested deeper than {max_depth} levels") from None
    except StopIteration:
        raise JsonError("not JSON: a value is missing") from None
    except ValueError as error:
        raise JsonError(f"not JSON: {error}") from None
    if end != len(content):
        raise JsonError(f"not one JSON value: {len(content) - end} characters follow it")
    # Nesting takes that many brackets, and a lone surrogate comes as an escape: UTF-8 holds none.
    if content.count("[") + content.count("{") > max_depth or "\\u" in content:
        _check(value, max_depth)
    return value


def render(value: Any) -> bytes:
    """Write `value` as compact ASCII JSON.

    Raises JsonError for what JSON has no form for: NaN, infinities, circles, bytes and other types.
    """
    try:
        return _codec()[1](value).encode("ascii")
    except (TypeError, ValueError, RecursionError) as error:
        raise JsonError(f"cannot be written as JSON: {error}") from None


def _check(value: object, max_depth: int) -> None:
    level: List[object] = [[value]]
    for _ in range(max_depth + 1):
        parts = [part for container in level for part in _parts(container)]
        for part in parts:
            if isinstance(part, str):
                _check_text(part)
        level = [part for part in parts if isinstance(part, (dict, list))]
        if not level:
            return
    raise JsonError(f"JSON is nested deeper than {max_depth} levels")


def _parts(container: Any) -> List[object]:
    return [*container, *container.values()] if isinstance(container, dict) else container


def _check_text(text: str) -> None:
    try:
        text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        raise JsonError("a JSON string holds a lone surrogate") from None


class _Strict:
    """The options both scanners read, as attributes or keyword arguments."""

    strict = True
    object_hook = None
    array_hook = None  # wanted by newer scanners

    @staticmethod
    def object_pairs_hook(pairs: List[Tuple[str, Any]]) -> Dict[str, Any]:
        value = dict(pairs)
        if len(value) != len(pairs):
            raise JsonError("a key appears twice in one object")
        return value

    @staticmethod
    def parse_int(digits: str) -> int:
        # int() takes quadratic time, and newer Pythons refuse beyond 4300 digits with a plain ValueError.
        if len(digits) > _LONGEST_NUMBER:
            raise JsonError(f"a number of {len(digits)} digits is too long: {_LONGEST_NUMBER} at most")
        return int(digits)

    @staticmethod
    def parse_float(digits: str) -> float:
        number = float(digits)
        if len(digits) > _LONGEST_NUMBER or number in (float("inf"), float("-inf")):
            raise JsonError(f"the number {digits[:_LONGEST_NUMBER]} is too long or too large")
        return number

    @staticmethod
    def parse_constant(name: str) -> NoReturn:
        raise JsonError(f"{name} is not JSON")


def _refuse(value: object) -> NoReturn:
    raise TypeError(f"{type(value).__name__} has no JSON form")


def _bare_codec() -> Codec:
    import _json

    scan = _json.make_scanner(_Strict())  # type: ignore[arg-type]
    # In order: the record of open containers (none: a circle ends in RecursionError), default, encoder,
    # indent, the two separators, sort_keys, skipkeys, allow_nan.
    encode = _json.make_encoder(
        None, _refuse, _json.encode_basestring_ascii, None, ":", ",", False, False, False
    )
    return (lambda text: scan(text, 0)), (lambda value: "".join(encode(value, 0)))


def _packaged_codec() -> Codec:
    import json

    decoder = json.JSONDecoder(
        object_pairs_hook=_Strict.object_pairs_hook,
        parse_int=_Strict.parse_int,
        parse_float=_Strict.parse_float,
        parse_constant=_Strict.parse_constant,
    )
    encoder = json.JSONEncoder(allow_nan=False, separators=(",", ":"), default=_refuse)
    return decoder.raw_decode, encoder.encode


_CODECS: List[Codec] = []


def _codec() -> Codec:
    """The codec of this interpreter, found at first use and kept."""
    if not _CODECS:
        _CODECS.append(_first_codec((_bare_codec, _packaged_codec)))
    return _CODECS[0]


def _first_codec(makers: Tuple[Callable[[], Codec], Callable[[], Codec]]) -> Codec:
    preferred, other = makers
    try:
        return preferred()
    except (ImportError, AttributeError, TypeError):
        return other()
