"""TIFF files with only those tags in their first directory that lay out its pixels."""

import struct
from typing import NamedTuple

from embshift.images.bare_types import Bare

__all__ = ["strip_tiff"]

_LAYOUT = frozenset(
    {
        *range(256, 260),  # width, height, bits, compression
        262,  # photometric interpretation
        266,  # order of bits
        273,  # strips
        *range(277, 280),  # samples, rows and bytes of a strip
        284,  # planes
        *range(292, 294),  # options of fax compression
        317,  # predictor
        320,  # colour map
        *range(322, 326),  # tiles
        332,  # inks
        334,
        *range(338, 340),  # extra samples, sample format
        347,  # tables of JPEG
        *range(512, 522),  # old JPEG
        *range(529, 533),  # YCbCr
        48129,  # a format of Microsoft's, which Pillow refuses by this tag
    }
)
_ORIENTATION, _SHORT = 274, 3


class _Form(NamedTuple):
    """Lengths in a classic TIFF or a BigTIFF, as codes of `struct`."""

    offset: str
    number: str
    entry: str
    header: int


_CLASSIC = _Form(offset="L", number="H", entry="HHL4s", header=4)
_BIG = _Form(offset="Q", number="Q", entry="HHQ8s", header=8)


def strip_tiff(data: bytes) -> Bare | None:
    """Return a TIFF with the tags that lay out pixels; None where it has no others, or cannot be read.

    The directory is written anew in its place, so that no byte comes to stand where pixels were cut off. A
    directory that is cut itself is not taken apart, since what it lacks may have laid out pixels.

    Args:
        data: The file.
    """
    order = "<" if data[:2] == b"II" else ">"
    form = _BIG if 43 in data[2:4] else _CLASSIC
    try:
        (at,) = struct.unpack_from(order + form.offset, data, form.header)
        entries = _read_directory(data, at, order, form)
    except struct.error:
        return None
    kept = [entry for entry in entries if _lays_out(entry, order)]
    if len(kept) == len(entries):
        return None
    packed = b"".join(struct.pack(order + form.entry, *entry) for entry in kept)
    directory = struct.pack(order + form.number, len(kept)) + packed + struct.pack(order + form.offset, 0)
    return Bare(data=data[:at] + directory + data[at + len(directory) :], info={})


def _read_directory(data: bytes, at: int, order: str, form: _Form) -> list[tuple[int, int, int, bytes]]:
    (count,) = struct.unpack_from(order + form.number, data, at)
    at += struct.calcsize(order + form.number)
    size = struct.calcsize(order + form.entry)
    return [struct.unpack_from(order + form.entry, data, at + number * size) for number in range(count)]


def _lays_out(entry: tuple[int, int, int, bytes], order: str) -> bool:
    tag, kind, count, value = entry
    if tag == _ORIENTATION:
        return (kind, count) == (_SHORT, 1) and 1 <= struct.unpack_from(order + "H", value)[0] <= 8
    return tag in _LAYOUT
