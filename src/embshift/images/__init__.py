"""Reading images: list the files of the sources, decode them and resize them."""

from embshift.images.decode import Decoded, Limits, decode
from embshift.images.resize import RESIZE_RULES, resize
from embshift.images.sources import SUFFIXES, list_sources, stream_sources

__all__ = [
    "RESIZE_RULES",
    "SUFFIXES",
    "Decoded",
    "Limits",
    "decode",
    "list_sources",
    "resize",
    "stream_sources",
]
