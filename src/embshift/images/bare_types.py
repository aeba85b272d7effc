"""What stripping a file's metadata gives."""

from collections.abc import Mapping
from typing import NamedTuple

__all__ = ["Bare"]


class Bare(NamedTuple):
    """A file without its metadata.

    Attributes:
        data: Bytes of a file with the same pixels.
        info: What of the metadata counts all the same, under Pillow's names, e.g. "exif" or "icc_profile".
    """

    data: bytes
    info: Mapping[str, bytes | str]
