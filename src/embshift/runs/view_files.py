"""Pictures of views, kept beside the tables so that whoever reads the run needs nothing else."""

from pathlib import Path

import cv2

from embshift.core.types import ORIGINAL, Pixels
from embshift.runs.files import write_aside

__all__ = ["view_path", "write_view"]

_COMPRESSION = 3  # of zlib's 9: a tenth of the time of 9 for a few per cent of size


def view_path(folder: Path, *, image_id: str, transform: str, draw: int) -> Path:
    """Where a view's picture stands: ``views/<image_id>/original.png`` or ``…/<transform>-<draw>.png``."""
    name = ORIGINAL if transform == ORIGINAL else f"{transform}-{draw}"
    return folder / "views" / image_id / f"{name}.png"


def write_view(path: Path, pixels: Pixels) -> None:
    """A picture as PNG, whole or not at all."""
    ok, encoded = cv2.imencode(".png", pixels[:, :, ::-1], [cv2.IMWRITE_PNG_COMPRESSION, _COMPRESSION])
    if not ok:
        raise ValueError(f"OpenCV cannot write {path} as PNG")
    write_aside(path, lambda aside: aside.write_bytes(encoded.tobytes()))
