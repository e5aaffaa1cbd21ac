"""What a plain shell knows of code: what could come, what a name means, whether it is complete.

Nothing of the user's runs for it but attribute look-ups, as in the interpreter's completion (rlcompleter).
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, List, Tuple

_MOST = 500
_INDENT = "    "


def completions(namespace: Dict[str, Any], code: str, cursor: int) -> Tuple[List[str], int]:
    """What could stand in place of the dotted name before *cursor*, and where that begins."""
    import rlcompleter

    word = _word_before(code, cursor)
    start = cursor - len(word)
    if not word:
        return [], start
    completer = rlcompleter.Completer(namespace)
    found: List[str] = []
    while len(found) < _MOST:
        try:
            match = completer.complete(word, len(found))
        except Exception:  # noqa: BLE001 - somebody's __getattr__ or __dir__
            break
        if match is None:
            break
        found.append(match.rstrip("( "))
    return sorted(set(found)), start


def inspection(namespace: Dict[str, Any], code: str, cursor: int, *, detail: int) -> str:
    """What is known of the name at *cursor*; empty when nothing is."""
    import inspect

    end = cursor
    while end < len(code) and _is_of_a_name(code[end]):
        end += 1
    word = _word_before(code, end).strip(".")
    if not word:
        return ""
    try:
        value = _found(namespace, word)
    except (AttributeError, KeyError):
        return ""
    lines = [f"Name: {word}", f"Type: {type(value).__name__}"]
    try:
        lines.append(f"Signature: {word}{inspect.signature(value)}")
    except (TypeError, ValueError):
        lines.append(f"Value: {repr(value)[:1000]}")
    if detail:
        try:
            lines.append(f"Source:\n{inspect.getsource(value)}")
        except (TypeError, OSError):
            pass
    return "\n".join([*lines, f"Docstring:\n{inspect.getdoc(value) or '<none>'}"])


def _found(namespace: Dict[str, Any], word: str) -> Any:
    import builtins

    first, *rest = word.split(".")
    value = namespace[first] if first in namespace else vars(builtins)[first]
    for name in rest:
        value = getattr(value, name)
    return value


def completeness(code: str) -> Tuple[str, str]:
    """complete, incomplete with the indent of the next line, or invalid."""
    import codeop
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            compiler = codeop.Compile()
            compiler.flags |= AWAIT
            compiled = codeop._maybe_compile(compiler, code, "<cell>", "exec")  # type: ignore[attr-defined] # noqa: SLF001 - with flags of one's own there is no other door
        except (SyntaxError, OverflowError, ValueError):
            return "invalid", ""
    lines = code.splitlines() or [""]
    is_in_block = lines[-1].startswith((" ", "\t")) or lines[-1].rstrip().endswith(":")
    if compiled is not None and not (is_in_block and len(lines) > 1 and lines[-1].strip()):
        return "complete", ""
    indent = lines[-1][: len(lines[-1]) - len(lines[-1].lstrip())]
    return "incomplete", indent + _INDENT if lines[-1].rstrip().endswith(":") else indent


def without_indent(code: str) -> str:
    """*code* without what its first line that is not empty is indented by, as IPython takes cells."""
    lines = code.splitlines(keepends=True)
    first = next((line for line in lines if line.strip()), "")
    indent = first[: len(first) - len(first.lstrip(" \t"))]
    return "".join(line[len(indent) :] if line.startswith(indent) else line for line in lines)


AWAIT = 0x2000
"""ast.PyCF_ALLOW_TOP_LEVEL_AWAIT."""


def _word_before(code: str, cursor: int) -> str:
    start = cursor
    while start > 0 and (_is_of_a_name(code[start - 1]) or code[start - 1] == "."):
        start -= 1
    return code[start:cursor]


def _is_of_a_name(character: str) -> bool:
    return character == "_" or character.isalnum()
