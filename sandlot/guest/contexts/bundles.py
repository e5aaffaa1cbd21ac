"""Bundles: a value as its representations by MIME type, made so that JSON can carry them.

Which methods are asked for is IPython's convention, which libraries follow whether it is installed or not:
https://ipython.readthedocs.io/en/stable/config/integrating.html
"""

from __future__ import annotations

from ...wire import json_object
from . import additions

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Container, Dict, List, Mapping, Optional, Tuple

METHODS = (
    ("_repr_html_", "text/html"),
    ("_repr_markdown_", "text/markdown"),
    ("_repr_svg_", "image/svg+xml"),
    ("_repr_png_", "image/png"),
    ("_repr_pdf_", "application/pdf"),
    ("_repr_jpeg_", "image/jpeg"),
    ("_repr_latex_", "text/latex"),
    ("_repr_json_", "application/json"),
    ("_repr_javascript_", "application/javascript"),
)

LARGEST = 6 * 2**20
"""Bytes of JSON the representations of one thing may have together."""

_MOST_TYPES = 32
_LONGEST_TYPE = 128
_DEEPEST = 48
_LONGEST_PLAIN = 2**20


def described(
    value: object, include: Optional[Container[str]] = None, exclude: Container[str] = ()
) -> Tuple[Dict[str, Any], Dict[str, Any]]:
    """The representations of *value* and their metadata, by its own methods; text/plain is always there.

    Unless it is not among the types to *include*, or is one to *exclude*.
    """
    data: Dict[str, Any] = {}
    metadata: Dict[str, Any] = {}
    _ask_for_all(value, data, metadata)
    for method, mime in METHODS:
        if mime not in data and (include is None or mime in include) and mime not in exclude:
            found = _asked(value, method)
            if isinstance(found, tuple) and len(found) == 2:
                found, metadata[mime] = found
            if found is not None:
                data[mime] = found
    if "text/plain" not in data:
        data["text/plain"] = _shown(value)
    data = {each: data[each] for each in data if (include is None or each in include) and each not in exclude}
    additions.add(value, data, include=include, exclude=exclude)
    return data, metadata


def _shown(value: object) -> str:
    try:
        return plain(value)
    except Exception as error:  # noqa: BLE001 - somebody's class: the other forms are still of use
        _complain(value, "__repr__", error)
        return UNSHOWN.format(type(value).__name__)


UNSHOWN = "<{}: its __repr__ failed>"
"""What stands for the text of a value that has none, by the name of its type."""


def plain(value: object) -> str:
    """As the interpreter shows it, containers broken into lines."""
    if isinstance(value, (dict, list, tuple, set, frozenset)) and type(value).__repr__ in _PRINTED:
        import pprint

        return pprint.pformat(value, width=79)[:_LONGEST_PLAIN]
    return repr(value)[:_LONGEST_PLAIN]


_PRINTED = {kind.__repr__ for kind in (dict, list, tuple, set, frozenset)}


def _ask_for_all(value: object, data: Dict[str, Any], metadata: Dict[str, Any]) -> None:
    found = _asked(value, "_repr_mimebundle_", include=None, exclude=None)
    if isinstance(found, tuple) and len(found) == 2:
        found, more = found
        if isinstance(more, dict):
            metadata.update(more)
    if isinstance(found, dict):
        data.update(found)


def _asked(value: object, method: str, **how: Any) -> Any:
    """What its class's *method* says; None when it has none or is not in the mood."""
    function = getattr(type(value), method, None)
    if function is None or isinstance(value, type):
        return None
    try:
        return function(value, **how)
    except NotImplementedError:  # as IPython has it: there is no such form
        return None
    except Exception as error:  # noqa: BLE001 - somebody's class: the other forms are still of use
        _complain(value, method, error)
        return None


def _complain(value: object, method: str, error: Exception) -> None:
    import sys

    sys.stderr.write(f"{type(value).__name__}.{method}: {additions.told_error(error)}\n")


def bundle_of(values: Mapping[str, Any], *, is_metadata: bool = False) -> Dict[str, Any]:
    """*values* so that they can travel: bytes as base64, what is too large or has no JSON form left out.

    What was left out is told in text/plain.
    """
    found: Dict[str, Any] = {}
    missing: List[str] = []
    room = LARGEST
    # The short ones first, so that a huge one does not cost the others their place.
    sized = sorted(_travelling(values, is_metadata=is_metadata).items(), key=lambda item: item[1][1])
    for mime, (value, size) in sized:
        if size > room or len(found) >= _MOST_TYPES:
            missing.append(f"{mime} ({'no JSON form' if value is None else f'{size} bytes'})")
        else:
            room -= size
            found[mime] = value
    if missing and not is_metadata:
        note = f"[left out, too large or not to be told: {', '.join(missing)}]"
        found["text/plain"] = f"{found.get('text/plain', '')}\n{note}".lstrip("\n")
    return found


def _travelling(values: Mapping[str, Any], *, is_metadata: bool) -> Dict[str, Tuple[Any, int]]:
    found: Dict[str, Tuple[Any, int]] = {}
    for mime, value in values.items():
        if isinstance(mime, str) and 0 < len(mime) <= _LONGEST_TYPE and mime.isascii() and mime.isprintable():
            told = _told(value) if is_metadata or _is_json(mime) else _told(_text_of(mime, value))
            try:
                found[mime] = told, _size(told)
            except (json_object.JsonError, UnicodeError):
                found[mime] = None, LARGEST + 1
    return found


def _size(value: Any) -> int:
    """Bytes it takes. Raises JsonError and UnicodeError for what nobody would take."""
    rendered = json_object.render(value)
    if not isinstance(value, str):
        json_object.parse_value(rendered, max_depth=_DEEPEST)
        if b"\\ud" in rendered:
            import json

            json.dumps(value, ensure_ascii=False).encode()
    return len(rendered)


def _is_json(mime: str) -> bool:
    return mime == "application/json" or mime.endswith("+json")


def _text_of(mime: str, value: Any) -> Any:
    """Text, or bytes of a type that is binary."""
    if isinstance(value, (bytes, bytearray)):
        is_text = mime.startswith("text/") or mime.endswith(("+xml", "/javascript"))
        return value.decode("utf-8", "backslashreplace") if is_text else value
    return value if isinstance(value, str) else str(value)


def _told(value: Any) -> Any:
    if isinstance(value, (bytes, bytearray)):
        import binascii

        return binascii.b2a_base64(value, newline=False).decode("ascii")
    if isinstance(value, str):
        return value if value.isascii() else value.encode("utf-8", "backslashreplace").decode("utf-8")
    return value
