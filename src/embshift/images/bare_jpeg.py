"""JPEG files, segment by segment: without application data and comments, and how often pixels are scanned."""

import re
from collections.abc import Iterator

from embshift.images.bare_types import Bare

__all__ = ["count_scans", "strip_jpeg"]

_SCAN, _END, _COMMENT = 0xDA, 0xD9, 0xFE
_ALONE = frozenset({0x01, *range(0xD0, 0xD9)})  # markers without a length
# Inside of a scan 0xFF is followed by 0, and marks of a restart are part of the scan.
_AFTER_SCAN = re.compile(rb"\xff+[^\x00\xff\xd0-\xd7]")
_KEPT = {0xE0: (b"JFIF", 14), 0xEE: (b"Adobe", 12)}
"""Application data that the decoder derives the colour space from: its start, and its least length."""


def strip_jpeg(data: bytes) -> Bare | None:
    """Return a JPEG without application data and comments; None where it has none, or its header is broken.

    Args:
        data: The file.
    """
    kept, info, at = [data[:2]], dict[str, bytes](), 2
    for marker, start, end in _list_segments(data):
        if marker == _SCAN:
            stripped = b"".join((*kept, data[at:]))
            return None if stripped == data else Bare(data=stripped, info=info)
        content = data[start + 4 : end]
        if _is_metadata(marker, content):
            _note(marker, content, info)
        else:
            kept.append(data[at:end])
        at = end
    return None


def _list_segments(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Yield marker, start and end of every segment up to the first scan, whose end is that of its header."""
    at = 2
    while (at := data.find(b"\xff", at)) >= 0 and at + 4 <= len(data):
        marker = data[at + 1]
        if marker in (0x00, 0xFF, *_ALONE):
            at += 1 if marker == 0xFF else 2
            continue
        end = at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        if end > len(data) or marker == _END:
            return
        yield marker, at, end
        if marker == _SCAN:
            return
        at = end


def _is_metadata(marker: int, content: bytes) -> bool:
    start, least = _KEPT.get(marker, (b"", 0))
    decides = bool(start) and content.startswith(start) and len(content) >= least
    return (0xE0 <= marker <= 0xEF or marker == _COMMENT) and not decides


def _note(marker: int, content: bytes, info: dict[str, bytes]) -> None:
    """Keep what tells the orientation, in the way of Pillow's own reader, and that there is a profile."""
    if marker == 0xE1 and content.startswith(b"Exif\0\0"):
        info["exif"] = info["exif"] + content[6:] if "exif" in info else content
    elif marker == 0xE1 and content.startswith(b"http://ns.adobe.com/xap/1.0/\0"):
        info["xmp"] = content.partition(b"\0")[2]
    elif marker == 0xE2 and content.startswith(b"ICC_PROFILE\0"):
        info["icc_profile"] = b""


def count_scans(data: bytes, *, most: int) -> int:
    """Return how often a JPEG scans its pixels, up to one more than ``most``.

    Args:
        data: The file.
        most: Where counting may end.
    """
    if data.count(b"\xff\xda") <= most:  # also those in metadata, so there are no more scans than that
        return most
    first = next((segment for segment in _list_segments(data) if segment[0] == _SCAN), None)
    scans, at = 0, len(data) if first is None else first[1]
    while scans <= most and (found := _AFTER_SCAN.search(data, at)):
        marker, at = data[found.end() - 1], found.end()
        if marker == _END:
            break
        scans += marker == _SCAN
        at += int.from_bytes(data[at : at + 2], "big")
    return scans
