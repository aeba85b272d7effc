"""Small copies of kept views; nothing else than the run folder is read."""

import io
from pathlib import Path

from PIL import Image

__all__ = ["encode_jpeg", "read_small"]

_MOST_PIXELS = 50_000_000
_QUALITY = 85


def read_small(path: Path, *, side: int) -> Image.Image | None:
    """Return a kept view, made so small that it fits into a square; None if it cannot be read.

    Args:
        path: A PNG file; other formats did not come from embshift.
        side: Side of the square, in pixels.
    """
    try:
        with Image.open(path, formats=("PNG",)) as opened:
            if opened.width * opened.height > _MOST_PIXELS:
                return None
            small = opened.convert("RGB")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None
    small.thumbnail((side, side), Image.Resampling.LANCZOS)
    return small


def encode_jpeg(image: Image.Image) -> bytes:
    """Return the bytes of an image as a JPEG file."""
    kept = io.BytesIO()
    image.save(kept, "JPEG", quality=_QUALITY)
    return kept.getvalue()
