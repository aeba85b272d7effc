"""Reading images: list the files of the sources, decode them and resize them."""

from embshift.images.colour import DARK
from embshift.images.decode import Decoded, Limits, decode
from embshift.images.kinds import SUFFIXES
from embshift.images.left_out import LeftOut
from embshift.images.perceptual import HASH_BYTES, hash_pixels
from embshift.images.resize import RESIZE_RULES, resize
from embshift.images.sources import lead_elsewhere, list_sources, stream_sources

__all__ = [
    "DARK",
    "HASH_BYTES",
    "RESIZE_RULES",
    "SUFFIXES",
    "Decoded",
    "LeftOut",
    "Limits",
    "decode",
    "hash_pixels",
    "lead_elsewhere",
    "list_sources",
    "resize",
    "stream_sources",
]
