"""The header blocks of a tar archive as values: ustar, GNU long names and sizes, PAX records.

A tar archive is a row of 512-byte blocks: a header, its contents padded to whole blocks, and so on; two
blocks of zeros end it. A name or size that does not fit travels before its header, as an extension with a
header of its own. Formats: POSIX.1-2017 `pax`, "ustar Interchange Format" and "pax Extended Header"; GNU tar
manual, "Basic Tar Format".
"""

from __future__ import annotations

from .archive_rules import ArchiveError, shown
from .frozen import Frozen

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Dict, Iterable, Tuple

BLOCK = 512
PAX, PAX_GLOBAL, LONG_NAME, LONG_LINK = b"x", b"g", b"L", b"K"
EXTENSIONS = (PAX, PAX_GLOBAL, LONG_NAME, LONG_LINK)
FITS_OCTAL = 8**11  # sizes below this fit the header's twelve bytes
_POSIX_MAGIC = b"ustar\x0000"
_GNU_MAGIC = b"ustar  \x00"
_NAME, _MODE, _SIZE, _MTIME = slice(0, 100), slice(100, 108), slice(124, 136), slice(136, 148)
_CHECKSUM, _TYPE, _LINK = slice(148, 156), slice(156, 157), slice(157, 257)
_MAGIC, _PREFIX = slice(257, 265), slice(345, 500)
_UTF8_CHARSET = b"ISO-IR 10646 2000 UTF-8"
_LONGEST_DECIMAL = 20


class Header(Frozen):
    """One header block; names still as bytes, numbers as sent (`mtime` may be negative)."""

    name: bytes
    type: bytes
    size: int
    mode: int
    mtime: int
    link: bytes


def padding(size: int) -> int:
    """How many zeros follow `size` bytes of contents."""
    return -size % BLOCK


def parse_header(block: bytes) -> Header:
    """Read one block of 512 bytes. Raises ArchiveError: bad_checksum, bad_header, bad_size."""
    counted = sum(block[: _CHECKSUM.start]) + sum(block[_CHECKSUM.stop :]) + 8 * ord(" ")
    if _number(block[_CHECKSUM]) != counted:
        raise ArchiveError("bad_checksum", "a header's checksum is wrong: the archive is damaged or not tar")
    magic = block[_MAGIC]
    if magic not in (_POSIX_MAGIC, _GNU_MAGIC):
        raise ArchiveError("bad_header", f"a header is neither ustar nor GNU tar: its magic is {magic!r}")
    name = _text(block[_NAME])
    if magic == _POSIX_MAGIC and block[_PREFIX.start]:
        name = _text(block[_PREFIX]) + b"/" + name
    size = _number(block[_SIZE])
    if size < 0:
        raise ArchiveError("bad_size", f"the size of {shown(name)} is negative: {size}")
    mode = _number(block[_MODE])
    return Header(name, block[_TYPE], size, mode, _number(block[_MTIME]), _text(block[_LINK]))


def _text(field: bytes) -> bytes:
    return field.split(b"\0", 1)[0]


def _number(field: bytes) -> int:
    if field[0] & 0x80:  # GNU: two's complement over the whole field, its first bit only a mark
        value = int.from_bytes(field, "big")
        bits = 8 * len(field)
        return value - (1 << bits) if field[0] & 0x40 else value - (1 << (bits - 1))
    digits = field.rstrip(b" \0").lstrip(b" ")
    if digits.strip(b"01234567"):
        raise ArchiveError("bad_header", f"a header's number is not octal: {field!r}")
    return int(digits or b"0", 8)


def parse_records(body: bytes) -> Dict[str, bytes]:
    """The records of a PAX extension, each `LENGTH KEY=VALUE` and a newline.

    Raises ArchiveError: bad_extension for any other form and a key given twice, not_utf8 for names in
    another character set.
    """
    records: Dict[str, bytes] = {}
    start = 0
    while start < len(body):
        digits = body[start : body.find(b" ", start, start + 8)]
        if not digits.isdigit() or digits.startswith(b"0"):
            raise ArchiveError("bad_extension", f"a PAX record has no length: {shown(body[start:][:40])}")
        end = start + int(digits)
        key, equals, value = body[start + len(digits) + 1 : end].partition(b"=")
        name = key.decode("ascii", "backslashreplace")
        if end > len(body) or not (key and equals and value.endswith(b"\n")) or name in records:
            raise ArchiveError("bad_extension", f"a PAX record is malformed or doubled: {shown(name)}")
        records[name] = value[:-1]
        start = end
    if records.get("hdrcharset", _UTF8_CHARSET) != _UTF8_CHARSET:
        raise ArchiveError("not_utf8", f"PAX names are not UTF-8 but {shown(records['hdrcharset'])}")
    return records


def parse_extension(kind: bytes, body: bytes) -> Dict[str, bytes]:
    """What the extension of type `kind`, one of EXTENSIONS, says, by PAX key; raises as `parse_records`."""
    if kind in (PAX, PAX_GLOBAL):
        return parse_records(body)
    return {"path" if kind == LONG_NAME else "linkpath": parse_long_name(body)}


def parse_long_name(body: bytes) -> bytes:
    """The name a GNU `L` or `K` extension carries; raises ArchiveError (bad_extension) for an empty one."""
    name = body.rstrip(b"\0")
    if not name:
        raise ArchiveError("bad_extension", "a GNU long name is empty")
    return name


def parse_decimal(value: bytes) -> int:
    """A PAX number in whole seconds or bytes, its fraction dropped; raises ArchiveError (bad_extension)."""
    whole, _, fraction = value.partition(b".")
    digits = whole[1:] if whole.startswith(b"-") else whole
    if not digits.isdigit() or len(digits) > _LONGEST_DECIMAL or fraction.strip(b"0123456789"):
        raise ArchiveError("bad_extension", f"a PAX number is not decimal: {shown(value)}")
    return int(whole)


def render_header(header: Header) -> bytes:
    """One ustar block owned by nobody: names are cut to 100 bytes, a size that does not fit becomes 0."""
    block = bytearray(BLOCK)
    block[: len(header.name[:100])] = header.name[:100]
    block[_MODE] = b"%07o\0" % header.mode
    block[108:124] = b"0000000\0" * 2  # owner and group: 0
    block[_SIZE] = b"%011o\0" % (header.size if header.size < FITS_OCTAL else 0)
    block[_MTIME] = b"%011o\0" % header.mtime
    block[_TYPE] = header.type
    block[_LINK.start : _LINK.start + len(header.link[:100])] = header.link[:100]
    block[_MAGIC] = _POSIX_MAGIC
    block[329:345] = b"0000000\0" * 2  # device numbers
    block[_CHECKSUM] = b"        "
    block[_CHECKSUM] = b"%06o\0 " % sum(block)
    return bytes(block)


def render_records(records: Iterable[Tuple[bytes, bytes]]) -> bytes:
    """A PAX extension, header and padded body, for the member that follows."""
    body = b"".join(_record(key, value) for key, value in records)
    header = Header(b"././@PaxHeader", PAX, len(body), 0o644, 0, b"")
    return render_header(header) + body + bytes(padding(len(body)))


def _record(key: bytes, value: bytes) -> bytes:
    rest = b" %s=%s\n" % (key, value)
    length = len(rest) + 1
    # The length counts its own digits, and a digit more may make it need one digit more.
    while len(b"%d" % length) + len(rest) != length:
        length = len(b"%d" % length) + len(rest)
    return b"%d%s" % (length, rest)
