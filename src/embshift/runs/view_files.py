"""Image files of views, kept beside the tables so that a reader of the run needs no other files."""

from pathlib import Path

import cv2

from embshift.core.types import ORIGINAL, Pixels
from embshift.runs.files import write_aside
from embshift.runs.places import file_in

__all__ = ["encode_png", "find_view", "view_name", "view_path", "write_view"]

_COMPRESSION = 3  # of 9 in zlib: takes a tenth of the time of 9, for files a few per cent larger


def view_path(folder: Path, *, image_id: str, transform: str, draw: int) -> Path:
    """Return the path of a view's file: ``views/<image_id>/original.png`` or ``…/<transform>-<draw>.png``."""
    return folder.joinpath(*_names(image_id, transform, draw))


def find_view(folder: Path, *, image_id: str, transform: str, draw: int) -> Path:
    """Return the path of a view's file, where no link leads elsewhere; the file may be missing.

    Raises:
        RunError: If a link or something else is in its place, or the names cannot be those of a view.
    """
    return file_in(folder, *_names(image_id, transform, draw))


def _names(image_id: str, transform: str, draw: int) -> tuple[str, str, str]:
    name = ORIGINAL if transform == ORIGINAL else f"{transform}-{draw}"
    return "views", image_id, f"{name}.png"


def view_name(image_id: str, transform: str, draw: int) -> str:
    """Return the name of a view's file below the folder, with slashes on every system."""
    return "/".join(_names(image_id, transform, draw))


def write_view(path: Path, pixels: Pixels) -> None:
    """Write an image as PNG, completely or not at all."""
    write_aside(path, lambda aside: aside.write_bytes(encode_png(pixels)))


def encode_png(pixels: Pixels, /) -> bytes:
    """Return the bytes of an image as a PNG file.

    Raises:
        ValueError: If the library cannot encode it.
    """
    ok, encoded = cv2.imencode(".png", pixels[:, :, ::-1], [cv2.IMWRITE_PNG_COMPRESSION, _COMPRESSION])
    if not ok:
        raise ValueError(f"OpenCV cannot write an image of {pixels.shape} as PNG")
    return encoded.tobytes()
