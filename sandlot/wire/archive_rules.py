"""What an archive may hold, and where its names may lead.

The standard library's extraction filters are not used: CVE-2025-4138, -4330 and -4517 walked out of them.
The rules here are narrower, so that they can be proven: names and link targets are decided on as text, and a
link's target may climb only in front and never past the root. A real directory's parent is what its name
says, hence no chain of accepted links leaves the tree, in whatever order they are made.
"""

from __future__ import annotations

from .frozen import Frozen

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Dict, List, Optional

LATEST_MTIME = 2**33 - 1  # the largest time eleven octal digits hold, in the year 2242
_LONGEST_COMPONENT = 255  # bytes, NAME_MAX of every Linux file system
_SHOWN = 120


class ArchiveError(ValueError):
    """An archive that is refused whole, or a member that may not be written.

    `reason` is one of: absolute, parent, nul, not_utf8, bad_name, name_too_long, too_deep, hard_link,
    symlink, link_escape, special, sparse, unsupported, duplicate, conflict, too_many, too_big,
    expands_too_much, bad_header, bad_checksum, bad_size, bad_extension, corrupt, truncated, trailing.
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class MemberKind:
    """The kinds of member that exist; the words are those of `stat` and `list` on the agent link."""

    FILE = "file"
    DIRECTORY = "directory"
    SYMLINK = "symlink"


class Member(Frozen):
    """One file, directory or link of an archive.

    `name` is relative, of plain components joined by single slashes; `size` counts bytes and is 0 but for
    files; `mode` holds the nine permission bits; `mtime` is in seconds since 1970, 0 to LATEST_MTIME;
    `link` is a symlink's target, else empty.
    """

    name: str
    kind: str
    size: int = 0
    mode: int = 0o644
    mtime: int = 0
    link: str = ""


class ArchiveRules(Frozen):
    """The limits of one archive.

    `max_members` counts what extraction would create: members, and directories their names imply.
    `max_bytes` counts file contents and header extensions, expanded. `max_name` is in bytes of UTF-8 and
    covers link targets. `max_ratio` is expanded over compressed bytes, from 32 MiB expanded on.
    """

    max_members: int = 10_000
    max_bytes: int = 2**31
    max_member_bytes: int = 2**31
    max_name: int = 4096
    max_depth: int = 64
    max_ratio: int = 250
    allow_symlinks: bool = False


def shown(name: object) -> str:
    """A hostile name for a message: escaped and short."""
    text = repr(name)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def decoded(raw: bytes) -> str:
    """A member's name or target as text; raises ArchiveError (not_utf8)."""
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        raise ArchiveError("not_utf8", f"the name {shown(raw)} is not UTF-8: rename it") from None


def plain_name(name: str, rules: ArchiveRules) -> str:
    """`name` without empty and `.` components; empty when it means the root itself.

    Raises ArchiveError: absolute, parent, nul, not_utf8, name_too_long, too_deep.
    """
    _check_text(name, rules)
    if name.startswith("/"):
        raise ArchiveError("absolute", f"the name {shown(name)} is absolute: make it relative")
    components = _components(name)
    if ".." in components:
        raise ArchiveError("parent", f"the name {shown(name)} climbs with '..': name the file directly")
    if len(components) > rules.max_depth:
        message = f"the name {shown(name)} has {len(components)} levels: {rules.max_depth} at most"
        raise ArchiveError("too_deep", message)
    return "/".join(components)


def check_link(name: str, target: str, rules: ArchiveRules) -> None:
    """Raise ArchiveError unless the symlink `name` stays beneath the root it is unpacked in.

    The target must be relative, and `..` may only stand in front, at most once per directory `name` is in:
    after another component, which may be a link itself, `..` would lead to that link's parent.
    """
    if not rules.allow_symlinks:
        raise ArchiveError("symlink", f"{shown(name)} is a symbolic link, and links are not accepted here")
    _check_text(target, rules)
    components = _components(target)
    climbs = components.count("..")
    within = climbs <= name.count("/") and ".." not in components[climbs:]
    if not target or target.startswith("/") or not within:
        message = f"the link {shown(name)} to {shown(target)} may lead outside: make it relative and direct"
        raise ArchiveError("link_escape", message)


def _check_text(text: str, rules: ArchiveRules) -> None:
    if "\0" in text:
        raise ArchiveError("nul", f"the name {shown(text)} holds a NUL")
    try:
        raw = text.encode("utf-8")
    except UnicodeEncodeError:
        raise ArchiveError("not_utf8", f"the name {shown(text)} is not UTF-8: rename it") from None
    longest = max(map(len, raw.split(b"/")))
    if len(raw) > rules.max_name or longest > _LONGEST_COMPONENT:
        limits = f"{rules.max_name} at most, {_LONGEST_COMPONENT} between slashes"
        raise ArchiveError("name_too_long", f"the name {shown(text)} is {len(raw)} bytes long: {limits}")


def _components(path: str) -> List[str]:
    return [component for component in path.split("/") if component not in ("", ".")]


class Tree:
    """The names seen so far, to refuse two members of one name and members beneath a file or link."""

    def __init__(self, rules: ArchiveRules) -> None:
        self._rules = rules
        self._count = 0
        self._root = _Node(MemberKind.DIRECTORY)

    def add(self, name: str, kind: str) -> None:
        """Take in one plain name; raises ArchiveError: duplicate, conflict, too_many."""
        node = self._root
        *parents, last = name.split("/")
        for parent in parents:
            node = self._descend(node, parent, name)
        earlier = node.get(last)
        if earlier is None:
            node.put(last, self._counted(kind))
        elif earlier.kind is None and kind == MemberKind.DIRECTORY:
            earlier.kind = kind
        else:
            clash = "duplicate" if earlier.kind == kind else "conflict"
            raise ArchiveError(clash, f"the name {shown(name)} is in the archive already")

    def _descend(self, node: _Node, component: str, name: str) -> _Node:
        inner = node.get(component)
        if inner is None:
            inner = node.put(component, self._counted(None))
        if inner.kind not in (None, MemberKind.DIRECTORY):
            raise ArchiveError("conflict", f"{shown(name)} lies beneath {shown(component)}, a {inner.kind}")
        return inner

    def _counted(self, kind: Optional[str]) -> _Node:
        self._count += 1
        if self._count > self._rules.max_members:
            message = f"the archive has more than {self._rules.max_members} members and directories"
            raise ArchiveError("too_many", message)
        return _Node(kind)


class _Node:
    """One name in the tree; `kind` is None for a directory only implied so far."""

    __slots__ = ("_inner", "kind")

    def __init__(self, kind: Optional[str]) -> None:
        self.kind = kind
        # Made when needed: most names are of files, and a hostile archive may have a million.
        self._inner: Optional[Dict[str, _Node]] = None

    def get(self, component: str) -> Optional[_Node]:
        return None if self._inner is None else self._inner.get(component)

    def put(self, component: str, node: _Node) -> _Node:
        if self._inner is None:
            self._inner = {}
        self._inner[component] = node
        return node
