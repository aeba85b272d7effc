"""Headers of a tar archive: one pass finds where every member's bytes are; nothing is extracted.

The archive may come from anyone: headers are read one after another, extended ones only up to a size, and
memory holds one member at a time.
"""

import re
import tarfile
from collections.abc import Iterator
from typing import Any, BinaryIO, Literal, NamedTuple, TypeAlias

from embshift.images.contents import describe_header

__all__ = ["Kind", "TarDamage", "TarMember", "walk_tar"]

_BLOCK = 512
_MOST_EXTENDED = 2**20  # bytes of an extended header, which holds a name and a few numbers
_TAIL = 2**16  # bytes looked at behind the end mark; packers fill up to 10,240 bytes with zeros
_PAX_RECORD = re.compile(rb"([1-9][0-9]{0,7}) ([^=\n]+)=")

Kind: TypeAlias = Literal["file", "folder", "link", "device", "sparse", "unnamed", "other"]
"""Kind of a member; "unnamed" is a file whose extended header cannot be used."""


class TarDamage(Exception):
    """An archive cannot be read on from a place in it."""


class TarMember(NamedTuple):
    """One member.

    Attributes:
        name: Its path in the archive; bytes that are not UTF-8 are surrogates, as in other paths.
        kind: Its kind.
        offset: First byte of its content.
        length: Bytes of its content.
        etag: `describe_header` of its header.
    """

    name: str
    kind: Kind
    offset: int
    length: int
    etag: str


class _Extended(NamedTuple):
    """What extended headers say of the next member: name, size, if it is sparse, and if they are unusable."""

    name: str | None = None
    size: int | None = None
    sparse: bool = False
    unusable: bool = False


def walk_tar(file: BinaryIO, /) -> Iterator[TarMember]:
    """Yield the members of an archive that is not compressed, in their order.

    Args:
        file: The archive; its position is set before every read, so that a caller may read between members.

    Raises:
        TarDamage: At a header that is none, a member that is cut off, an archive without its end mark, and
            one that goes on behind it. Members that were yielded before stand.
    """
    size, at, extended = file.seek(0, 2), 0, _Extended()
    while True:
        header = _read(file, at, _BLOCK)
        if len(header) < _BLOCK:
            raise TarDamage(f"it ends at byte {at + len(header):,} without an end mark")
        if not any(header):
            break
        info, data = _parse(header, at), at + _BLOCK
        if info.type in _EXTENDED:
            _check_end(data + info.size, size, at)
            extended = _extend(extended, info, file, data)
            at = data + _fill(info.size)
            continue
        data = _skip_sparse_map(file, header, data) if info.type == tarfile.GNUTYPE_SPARSE else data
        member = _describe(info, extended, header, data)
        _check_end(data + member.length, size, at)
        yield member
        at, extended = data + _fill(member.length), _Extended()
    _check_tail(file, at)


_EXTENDED = frozenset(
    {
        tarfile.XHDTYPE,
        tarfile.XGLTYPE,
        tarfile.SOLARIS_XHDTYPE,
        tarfile.GNUTYPE_LONGNAME,
        tarfile.GNUTYPE_LONGLINK,
    }
)
_KINDS: dict[bytes, Kind] = {
    tarfile.DIRTYPE: "folder",
    tarfile.SYMTYPE: "link",
    tarfile.LNKTYPE: "link",
    tarfile.CHRTYPE: "device",
    tarfile.BLKTYPE: "device",
    tarfile.FIFOTYPE: "device",
    tarfile.GNUTYPE_SPARSE: "sparse",
    tarfile.REGTYPE: "file",
    tarfile.AREGTYPE: "file",
    tarfile.CONTTYPE: "file",
}
_WITHOUT_DATA = frozenset({"folder", "link", "device"})


def _read(file: BinaryIO, at: int, count: int) -> bytes:
    file.seek(at)
    return file.read(count)


def _fill(size: int) -> int:
    """Return a size in whole blocks."""
    return -(-size // _BLOCK) * _BLOCK


def _parse(header: bytes, at: int) -> tarfile.TarInfo:
    try:
        info = tarfile.TarInfo.frombuf(header, "utf-8", "surrogateescape")
    except (tarfile.TarError, ValueError, OverflowError) as error:
        raise TarDamage(f"byte {at:,} begins no header ({error})") from None
    if info.size < 0:
        raise TarDamage(f"the header at byte {at:,} states a size below zero")
    return info


def _check_end(end: int, size: int, at: int) -> None:
    if end > size:
        raise TarDamage(f"it has {size:,} bytes, and the member at byte {at:,} ends at {end:,}")


def _check_tail(file: BinaryIO, at: int) -> None:
    if any(_read(file, at, _TAIL)):
        raise TarDamage(f"it goes on behind its end mark at byte {at:,}, as archives joined into one do")


def _extend(known: _Extended, info: tarfile.TarInfo, file: BinaryIO, data: int) -> _Extended:
    """Return what is known of the next member after one more extended header."""
    if info.type in (tarfile.XGLTYPE, tarfile.GNUTYPE_LONGLINK):
        return known  # of the archive as a whole, or where a link leads
    if info.size > _MOST_EXTENDED:
        return known._replace(unusable=True)
    content = _read(file, data, info.size)
    if info.type == tarfile.GNUTYPE_LONGNAME:
        return known._replace(name=_decode(content.split(b"\0")[0]))
    try:
        return _apply_pax(known, dict(_parse_pax(content)))
    except ValueError:
        return known._replace(unusable=True)


def _parse_pax(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield the records "length key=value" of a PAX header.

    Raises:
        ValueError: If it does not consist of such records.
    """
    at = 0
    while at < len(content):
        found = _PAX_RECORD.match(content, at)
        end = at + (int(found[1]) if found else 0)
        if found is None or not found.end() < end <= len(content):
            raise ValueError("not a record")
        yield found[2], content[found.end() : end - 1]
        at = end


def _apply_pax(known: _Extended, records: dict[bytes, bytes]) -> _Extended:
    path, size = records.get(b"path"), records.get(b"size")
    return known._replace(
        name=known.name if path is None else _decode(path),
        size=known.size if size is None else int(size.decode("ascii")),
        sparse=known.sparse or any(key.startswith(b"GNU.sparse") for key in records),
    )


def _decode(name: bytes) -> str:
    return name.decode("utf-8", "surrogateescape")


def _describe(info: Any, extended: _Extended, header: bytes, data: int) -> TarMember:
    kind = _KINDS.get(info.type, "other")
    length = info.size if extended.size is None else extended.size
    if length < 0:
        raise TarDamage(f"the header before byte {data:,} states a size below zero")
    if kind == "file":
        kind = "sparse" if extended.sparse else "unnamed" if extended.unusable else kind
    return TarMember(
        name=info.name if extended.name is None else extended.name,
        kind=kind,
        offset=data,
        length=0 if kind in _WITHOUT_DATA else length,
        etag=describe_header(header),
    )


def _skip_sparse_map(file: BinaryIO, header: bytes, data: int) -> int:
    """Return where the content of a member in GNU's sparse form begins: after the blocks of its map."""
    more = header[482:483]
    while more not in (b"", b"\0"):
        more, data = _read(file, data, _BLOCK)[504:505], data + _BLOCK
    return data
