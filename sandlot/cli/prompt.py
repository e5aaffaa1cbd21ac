"""Cells as they are typed at a prompt, or parted in a stream of lines."""

from __future__ import annotations

import re
from typing import Any, Iterable, Iterator, List, Optional, Tuple

from sandlot.contracts.contexts import Completeness, Completions
from sandlot.contracts.errors import SandlotError

from .interpreter import AnyContext

_MARK = re.compile(r"\s*#\s*%%")
_MOST_MATCHES = 200


def parted(lines: Iterable[str]) -> Iterator[str]:
    """The cells in *lines*, as soon as each is whole: `# %%` begins another; blank ones are none."""
    cell: List[str] = []
    for line in lines:
        if _MARK.match(line):
            yield from _if_any(cell)
            cell = []
        else:
            cell.append(line)
    yield from _if_any(cell)


class Prompt:
    """Reads cells from the terminal, with line editing and completion where Python has readline."""

    def __init__(self, context: AnyContext) -> None:
        """Ask *context* what is complete, and what could complete a word."""
        self._context = context
        self._earlier: List[str] = []
        self._candidates: List[str] = []
        try:
            import readline
        except ImportError:  # pragma: no cover - a Python without it: lines are typed plainly
            self._editor: Any = None
            return
        self._editor = readline
        readline.set_completer(self._complete)
        readline.parse_and_bind("tab: complete")

    def cell(self, number: int) -> Optional[str]:
        """The next cell; None at Ctrl-D. Raises KeyboardInterrupt at Ctrl-C."""
        mark = f"In [{number}]: "
        lines: List[str] = []
        indent = ""
        while True:
            self._earlier = lines
            try:
                line = self._line(mark if not lines else "...: ".rjust(len(mark)), indent)
            except EOFError:
                print()
                return None
            lines.append("" if line == indent else line)
            # Behind a blank line a block is over; without one it might go on.
            code = "\n".join(lines) + ("" if lines[-1].strip() else "\n")
            is_whole, indent = self._judged(code) if code.strip() else (True, "")
            if is_whole:
                return code

    def _line(self, mark: str, indent: str) -> str:
        """One line, which begins with *indent* to be edited."""
        if self._editor is None or not indent:
            return input(mark)
        self._editor.set_startup_hook(lambda: self._editor.insert_text(indent))
        try:
            return input(mark)
        finally:
            self._editor.set_startup_hook()

    def _judged(self, code: str) -> Tuple[bool, str]:
        """Whether *code* can run as it stands, and by what the next line is indented when it cannot."""
        try:
            judgement = self._context.is_complete(code)
        except SandlotError:  # running it will tell why nobody can judge it
            return True, ""
        return judgement.status is not Completeness.INCOMPLETE, judgement.indent

    def _complete(self, _word: str, state: int) -> Optional[str]:
        """What readline asks for: the candidate number *state* for a word, None after the last."""
        if state == 0:
            self._candidates = self._found()
        return self._candidates[state] if state < len(self._candidates) else None

    def _found(self) -> List[str]:
        line, begin = self._editor.get_line_buffer(), self._editor.get_begidx()
        before = "".join(each + "\n" for each in self._earlier)
        cursor = len(before) + self._editor.get_endidx()
        try:
            found = self._context.complete(before + line, cursor)
        except SandlotError:  # no completion is worth an error in the middle of a line
            return []
        return candidates(before + line, len(before) + begin, found)


def candidates(code: str, begin: int, found: Completions) -> List[str]:
    """What could stand in *code* from *begin* on, where the word to complete begins (pure).

    A context may replace more than that word, or less; what is before the word stays as it is.
    """
    words = []
    for match in found.matches[:_MOST_MATCHES]:
        if found.start >= begin:
            words.append(code[begin : found.start] + match)
        elif match.startswith(code[found.start : begin]):
            words.append(match[begin - found.start :])
    return words


def _if_any(cell: List[str]) -> Iterator[str]:
    code = "".join(cell)
    if code.strip():
        yield code
