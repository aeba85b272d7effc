"""PNG files without what Pillow might stumble on beside the pixels: text, profiles and other side data."""

import zlib
from collections.abc import Iterator

from embshift.images.bare_types import Bare

__all__ = ["strip_png"]

_MARK = b"\x89PNG\r\n\x1a\n"
_KEPT = frozenset({b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"})
"""Chunks that decide about pixels; those of an animation do not, since its first image is the image."""

_RAW = b"Raw profile type exif"  # EXIF as text, from before PNG had a chunk for it
_MOST = 2**20  # bytes of a text that may tell the orientation


def strip_png(data: bytes) -> Bare | None:
    """Return a PNG without side data, none of which is decoded beyond a limit; None where it has none.

    Args:
        data: The file.
    """
    kept, info = [_MARK], dict[str, bytes | str]()
    for name, whole in _list_chunks(data):
        if name in _KEPT or name[:1].isupper():
            kept.append(whole)
        elif _is_intact(whole):
            _note(name, whole[8:-4], info)
    stripped = b"".join(kept)
    return None if stripped == data else Bare(data=stripped, info=info)


def _list_chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield the name and the bytes of every chunk, with length and checksum; the last one may be cut."""
    at = len(_MARK)
    while at < len(data):
        end = at + 12 + int.from_bytes(data[at : at + 4], "big")
        yield data[at + 4 : at + 8], data[at:end]
        at = end


def _is_intact(chunk: bytes) -> bool:
    return len(chunk) >= 12 and zlib.crc32(chunk[4:-4]) == int.from_bytes(chunk[-4:], "big")


def _note(name: bytes, content: bytes, info: dict[str, bytes | str]) -> None:
    """Keep what tells the orientation, and that there is a profile."""
    if name == b"eXIf":
        info["exif"] = b"Exif\0\0" + content
    elif name == b"iCCP":
        info["icc_profile"] = b""
    elif name == b"iTXt" and content.startswith(b"XML:com.adobe.xmp\0"):
        _, _, rest = content.partition(b"\0")
        text = rest[2:].split(b"\0", 2)[-1]
        info["xmp"] = _inflate(text) if rest[:1] != b"\0" else text[:_MOST]
    elif content.startswith(_RAW + b"\0"):
        text = content[len(_RAW) + 1 :]
        raw = _inflate(text[1:]) if name == b"zTXt" else text[:_MOST]
        info[_RAW.decode()] = raw.decode("latin-1")


def _inflate(data: bytes) -> bytes:
    try:
        return zlib.decompressobj().decompress(data, _MOST)
    except zlib.error:
        return b""
