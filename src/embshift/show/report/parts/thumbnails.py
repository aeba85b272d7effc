"""Thumbnails of kept views, as addresses for the page."""

import base64
import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from PIL import Image

from embshift.core.errors import RunError
from embshift.runs.tables import RunTables
from embshift.runs.view_files import find_view
from embshift.show.text.words import make_visible

__all__ = ["UNREADABLE", "Thumbnail", "name_image", "read_kept", "read_thumbnail"]

_MOST_PIXELS = 50_000_000
_QUALITY = 68

UNREADABLE = (RunError, OSError, ValueError, SyntaxError, Image.DecompressionBombError)
"""What reading a kept view can raise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Thumbnail:
    """A reduced view.

    Attributes:
        text: The image as a ``data:`` address.
        size: Width and height of the view before.
    """

    text: str
    size: tuple[int, int]


def read_thumbnail(run: RunTables, line: Mapping[str, Any], name: str, *, side: int) -> Thumbnail | None:
    """Return a kept view, reduced; None if it was not kept or cannot be read.

    Args:
        run: The run.
        line: Its image's row of the table ``images``, with ``image_id``.
        name: The transform, or "original".
        side: Greatest length of the longer side in pixels.
    """
    try:
        return read_kept(run, line, name, side=side)
    except UNREADABLE:
        return None


def read_kept(run: RunTables, line: Mapping[str, Any], name: str, *, side: int) -> Thumbnail | None:
    """Return a kept view as `read_thumbnail` does; raise one of `UNREADABLE` if it cannot be read."""
    # RunError: a link, or a name that no view has. Names in a run folder cannot be trusted.
    path = find_view(run.folder, image_id=str(line["image_id"]), transform=name, draw=0)
    if not path.exists():
        return None
    # Kept views are PNG; other formats did not come from embshift.
    with Image.open(path, formats=("PNG",)) as opened:
        if opened.width * opened.height > _MOST_PIXELS:
            raise ValueError(f"{path} has {opened.width}x{opened.height} pixels")
        small = opened.convert("RGB")
    size = small.size
    small.thumbnail((side, side), Image.Resampling.LANCZOS)
    kept = io.BytesIO()
    small.save(kept, "WEBP", quality=_QUALITY, method=4)
    text = f"data:image/webp;base64,{base64.b64encode(kept.getvalue()).decode()}"
    return Thumbnail(text=text, size=size)


def name_image(line: Mapping[str, Any]) -> str:
    """Return the name of an image for a reader, from its row of the table ``images``."""
    return make_visible(line["member"] or line["source"] or f"image {line['index'] or 0} from memory")
