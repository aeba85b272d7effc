"""Reader of Qt's binary resource files (``.rcc``), which contain the photographs of the educational programs.

The layout is that of Qt, versions 1 to 3: a 20-byte big-endian header, a tree of nodes of one size, names in
UTF-16, and the bodies, each stored as is or compressed.
"""

import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

DIRECTORY, ZLIB, ZSTD = 0x02, 0x01, 0x04
GREATEST = 100 << 20


def unpack(archive: Path, out: Path) -> int:
    """Write every file of an archive below a folder and return their number; zstd bodies need `zstandard`."""
    raw = archive.read_bytes()
    if raw[:4] != b"qres":
        raise SystemExit(
            f"{archive} begins with {raw[:4]!r}; expected a Qt resource file, which begins with b'qres'"
        )
    written = 0
    for path, body in _files(raw, index=0, folder=out):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)
        written += 1
    return written


def _files(raw: bytes, *, index: int, folder: Path) -> Iterator[tuple[Path, bytes]]:
    version, tree, data, names = struct.unpack(">4I", raw[4:20])
    at = tree + index * (14 if version == 1 else 22)
    name_at, flags = struct.unpack_from(">IH", raw, at)
    name = _name(raw, names + name_at)
    if not flags & DIRECTORY:
        # Only the name is used, so that nothing is written outside the folder.
        yield folder / Path(name).name, _body(raw, data + struct.unpack_from(">I", raw, at + 10)[0], flags)
        return
    count, first = struct.unpack_from(">II", raw, at + 6)
    inside = folder / name if index else folder
    for child in range(first, first + count):
        yield from _files(raw, index=child, folder=inside)


def _name(raw: bytes, at: int) -> str:
    (length,) = struct.unpack_from(">H", raw, at)
    return raw[at + 6 : at + 6 + 2 * length].decode("utf-16-be")


def _body(raw: bytes, at: int, flags: int) -> bytes:
    (length,) = struct.unpack_from(">I", raw, at)
    stored = raw[at + 4 : at + 4 + length]
    if flags & ZLIB:
        return zlib.decompress(stored[4:])
    if flags & ZSTD:
        import zstandard  # only some archives need it

        return zstandard.ZstdDecompressor().decompress(stored, max_output_size=GREATEST)
    return stored
