"""Read: sources become a sorted listing of records, records become pixels."""

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
