"""Bare files: the bytes that decide about pixels, without the metadata around them.

What still fails or warns without its metadata has damaged pixels; what does not, had damaged metadata.
"""

import re

from embshift.images.bare_jpeg import strip_jpeg
from embshift.images.bare_png import strip_png
from embshift.images.bare_tiff import strip_tiff
from embshift.images.bare_types import Bare

__all__ = ["Bare", "strip_metadata"]

# An item's entry names its type after version, flags, number and protection; versions differ in length.
_AVIF_EXIF = re.compile(rb"(infe\x02.{3}.{4}|infe\x03.{3}.{6})Exif", re.DOTALL)


def strip_metadata(data: bytes) -> Bare | None:
    """Return a file without its metadata; None where it has none, or cannot be taken apart.

    Args:
        data: The bytes of a file of any format.
    """
    if data.startswith(b"\xff\xd8"):
        return strip_jpeg(data)
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return strip_png(data)
    if data[:2] in (b"II", b"MM"):
        return strip_tiff(data)
    return _strip_avif(data) if data[4:8] == b"ftyp" else None


def _strip_avif(data: bytes) -> Bare | None:
    """Give the item that holds EXIF an unknown type; AVIF states the orientation outside of it."""
    head, mark, rest = data.partition(b"mdat")
    hidden = _AVIF_EXIF.sub(rb"\1free", head)
    return None if hidden == head else Bare(data=hidden + mark + rest, info={})
