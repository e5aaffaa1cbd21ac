"""A light stand-in for `ctypes`, for the start of the agent only.

`ctypes` costs a bare interpreter 3 to 4 ms, two thirds of all that the agent adds to its start; its C half,
`_ctypes`, costs half a millisecond. `walls` needs a dozen of its names. So `__main__` puts this in its place
before it imports `walls`, and `runner` takes it out again before a program of the user runs in this process.
Whatever imports `walls` in any other way (the keeper, the tests) gets the real module, and so does whoever
asks the stand-in for a name it has not got.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict

_NAME = "ctypes"
_MARK = "__stand_in__"
_CODES = {
    "c_char": "c",
    "c_int": "i",
    "c_uint": "I",
    "c_long": "l",
    "c_ulong": "L",
    "c_char_p": "z",
    "c_void_p": "P",
    "py_object": "O",
}


def install() -> None:
    """Stand in for ctypes, unless it is there already or this interpreter's `_ctypes` has another shape."""
    if _NAME in sys.modules:
        return
    try:
        contents = _contents()
    except (ImportError, AttributeError, TypeError):
        return
    module = type(sys)(_NAME)
    module.__dict__.update(contents, __getattr__=_real)
    setattr(module, _MARK, True)
    sys.modules[_NAME] = module


def uninstall() -> None:
    """Take the stand-in out, so that the next import gets the real module."""
    if _is_stand_in(sys.modules.get(_NAME)):
        del sys.modules[_NAME]


def _contents() -> Dict[str, Any]:
    import _ctypes

    simple = _ctypes._SimpleCData  # noqa: SLF001 - what ctypes itself builds on
    types = {name: type(name, (simple,), {"_type_": code}) for name, code in _CODES.items()}
    function: Any = _ctypes.CFuncPtr

    class Cast(function):  # type: ignore[misc] # what ctypes.cast calls
        _flags_ = _ctypes.FUNCFLAG_CDECL | _ctypes.FUNCFLAG_PYTHONAPI
        _restype_ = types["py_object"]
        _argtypes_ = (types["c_void_p"], types["py_object"], types["py_object"])

    cast = Cast(_ctypes._cast_addr)  # type: ignore[attr-defined] # noqa: SLF001 - as above

    class Function(function):  # type: ignore[misc] # a C function of a library loaded with use_errno
        _flags_ = _ctypes.FUNCFLAG_CDECL | _ctypes.FUNCFLAG_USE_ERRNO
        _restype_ = types["c_int"]

    class Library:
        """A loaded library whose functions are attributes and keep errno, as CDLL(name, use_errno=True)."""

        def __init__(self, name: Any, *, use_errno: bool) -> None:
            if not use_errno:
                raise TypeError("the stand-in for ctypes.CDLL always keeps errno")
            self._handle = _ctypes.dlopen(name, 0)  # where CFuncPtr looks for it

        def __getattr__(self, name: str) -> Any:
            found = Function((name, self))
            setattr(self, name, found)
            return found

    return {
        **types,
        "CDLL": Library,
        "get_errno": _ctypes.get_errno,
        "cast": lambda value, kind: cast(value, value, kind),
        "addressof": _ctypes.addressof,
        "create_string_buffer": lambda size: (types["c_char"] * size)(),
    }


def _real(wanted: str) -> Any:
    """What the stand-in lacks, from the module itself: slower, never wrong."""
    if wanted.startswith("__"):  # the import system asks for `__path__`
        raise AttributeError(wanted)
    stand_in = sys.modules.pop(_NAME)
    try:
        return getattr(__import__(_NAME), wanted)
    finally:
        sys.modules[_NAME] = stand_in


def _is_stand_in(module: object) -> bool:
    return _MARK in getattr(module, "__dict__", ())
