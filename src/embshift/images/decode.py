"""The border where a file's bytes become pixels; limits are checked before anything is decoded."""

import hashlib
import io
import os
import stat
import warnings
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple, cast

import numpy as np
from PIL import Image, ImageFile, ImageOps, UnidentifiedImageError

from embshift.core.errors import ImageError
from embshift.core.types import ImageRecord, Pixels

__all__ = ["FORMATS", "Decoded", "Limits", "decode"]

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF")
"""Formats that are decoded, whatever a file is called. MPO opens through JPEG."""

_REDUCED = frozenset({"JPEG", "MPO"})
"""Formats whose decoder can leave out the high frequencies, and so decode to fewer pixels."""

_SIXTEEN_BIT = frozenset({"I", "I;16", "I;16L", "I;16B", "I;16N"})

_METADATA = r"Corrupt EXIF data|Image appears to be a malformed MPO|Invalid APNG|Metadata Warning"
"""Warnings about what stands beside the pixels; every other warning means that the picture is damaged."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a picture may ask for.

    Attributes:
        pixels: Most pixels, width times height.
        aspect: Greatest ratio of the longer to the shorter side.
        bytes: Largest file, in bytes.
        background: Red, green and blue (0-255) behind transparent pixels.
        wanted: Height and width, in pixels, below which a JPEG is never decoded, and above which it may be
            decoded at a half, a quarter or an eighth of its size; None decodes at full size.
    """

    pixels: int = 50_000_000
    aspect: float = 20.0
    bytes: int = 512 * 2**20
    background: tuple[int, int, int] = (255, 255, 255)
    wanted: tuple[int, int] | None = None


class Decoded(NamedTuple):
    """A picture as read; a tuple, which is sent between processes in little time.

    Attributes:
        sha256: SHA-256 of the file's bytes, or of shape and pixels for a picture handed over in memory; None
            where the file could not be read at all.
        bytes: Size of the file; None where it is unknown.
        width: Width in the file, before orientation; None where the header could not be read.
        height: Height in the file.
        mode: Pillow's mode in the file.
        flags: What was done on the way, e.g. "orientation,alpha".
        pixels: The picture; None where it could not be used.
        status: "ok", or why there are no pixels.
        error: The reason in words; None for "ok".
    """

    sha256: str | None = None
    bytes: int | None = None
    width: int | None = None
    height: int | None = None
    mode: str | None = None
    flags: str = ""
    pixels: Pixels | None = None
    status: str = "ok"
    error: str | None = None

    @property
    def image_id(self) -> str | None:
        """The first 32 hexadecimal digits of `sha256`: what a picture is known by, whatever its name."""
        return None if self.sha256 is None else self.sha256[:32]


def decode(record: ImageRecord, /, *, limits: Limits) -> Decoded:
    """A record's picture: frame 0, orientation applied, transparent pixels on the background, 8-bit RGB.

    Never raises for what a file holds: a picture that cannot be used comes back with a status and the reason.

    Args:
        record: One row of the listing.
        limits: What the picture may ask for.

    Returns:
        The picture, or its status: "missing", "not_a_file", "unreadable", "empty", "too_large",
        "unsupported", "damaged".
    """
    facts = dict[str, Any]()
    try:
        return Decoded(**_decode(record, limits, facts), status="ok")
    except ImageError as error:
        return Decoded(**facts, status=error.status, error=str(error))


def _decode(record: ImageRecord, limits: Limits, facts: dict[str, Any]) -> dict[str, Any]:
    if record.content is not None:
        with _guarded():
            return _from_memory(record.content, limits, facts)
    data = _read_bytes(str(record.path), limits, facts)
    facts |= {"sha256": hashlib.sha256(data).hexdigest()}
    try:
        with _guarded():
            return _from_bytes(data, limits, facts)
    except UnidentifiedImageError:
        start = data[:16].hex(" ")
        message = f"not a picture in any of {' '.join(FORMATS)}; the file begins with {start}"
        raise ImageError(message, status="unsupported") from None


@contextmanager
def _guarded() -> Generator[None]:
    """Whatever a decoder raises on bytes from outside is a property of the file, so all of it is caught."""
    library = Image.MAX_IMAGE_PIXELS
    Image.MAX_IMAGE_PIXELS = None  # our own limits are checked first, and may be set above the library's
    try:
        yield
    except (ImageError, UnidentifiedImageError):
        raise
    except MemoryError as error:
        raise ImageError(f"not enough memory to decode it: {_line(error)}", status="too_large") from error
    except Exception as error:
        raise ImageError(_line(error), status="damaged") from error
    finally:
        Image.MAX_IMAGE_PIXELS = library


def _line(error: BaseException) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())[:500]


def _read_bytes(path: str, limits: Limits, facts: dict[str, Any]) -> bytes:
    try:
        found = os.stat(path)
        if stat.S_ISDIR(found.st_mode):
            os.scandir(path).close()  # the listing names a folder only where it could not look into it
        if not stat.S_ISREG(found.st_mode):
            raise ImageError("not a regular file; wanted a picture file", status="not_a_file")
        facts |= {"bytes": found.st_size}
        if found.st_size > limits.bytes:
            raise ImageError(
                f"{found.st_size:,} bytes; at most {limits.bytes:,} are read", status="too_large"
            )
        with open(path, "rb") as file:
            data = file.read()
    except FileNotFoundError:
        raise ImageError("the file is not there (any more)", status="missing") from None
    except (OSError, ValueError) as error:  # ValueError: a name that no file can have
        raise ImageError(_line(error), status="unreadable") from error
    if not data:
        raise ImageError("the file has zero bytes", status="empty")
    return data


def _from_bytes(data: bytes, limits: Limits, facts: dict[str, Any]) -> dict[str, Any]:
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("error")
        warnings.filterwarnings("always", message=_METADATA)
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            pixels, flags = _from_image(image, limits, facts)
    if heard:
        flags.append("bad_metadata")
    return facts | {"pixels": pixels, "flags": ",".join(flags)}


def _from_image(image: Image.Image, limits: Limits, facts: dict[str, Any]) -> tuple[Pixels, list[str]]:
    facts |= {"width": image.width, "height": image.height, "mode": image.mode}
    _check_size(image.width, image.height, limits)
    reduced = limits.wanted is not None and _reduce(image, limits.wanted)
    image.load()
    pixels, flags = _to_rgb(image, limits)
    return pixels, ["scaled", *flags] if reduced else flags


def _reduce(image: Image.Image, wanted: tuple[int, int]) -> bool:
    """Ask the JPEG decoder for the smallest size that still holds the wanted one; whether it is smaller."""
    if image.format not in _REDUCED or not isinstance(image, ImageFile.ImageFile):
        return False
    height, width = wanted[::-1] if _is_turned(image) else wanted
    if image.width < 2 * width or image.height < 2 * height:
        return False  # and no call: one that changes nothing still doubles the time
    image.draft(None, (width, height))
    return True


def _is_turned(image: Image.Image) -> bool:
    try:
        return image.getexif().get(0x0112) in range(5, 9)
    except Exception:  # noqa: BLE001 - damaged metadata must not cost the picture
        return False


def _from_memory(content: Any, limits: Limits, facts: dict[str, Any]) -> dict[str, Any]:
    if isinstance(content, Image.Image):
        pixels, flags = _from_image(content, limits, facts)
    else:
        facts |= {"width": content.shape[1], "height": content.shape[0], "mode": "RGB"}
        _check_size(facts["width"], facts["height"], limits)
        array = content if content.ndim == 3 else np.repeat(content[:, :, None], 3, axis=2)
        pixels, flags = np.ascontiguousarray(array), []
    shape = "x".join(str(side) for side in pixels.shape).encode()
    facts |= {"sha256": hashlib.sha256(shape + pixels.tobytes()).hexdigest()}
    return facts | {"pixels": pixels, "flags": ",".join(flags)}


def _check_size(width: int, height: int, limits: Limits) -> None:
    if min(width, height) < 1:
        raise ImageError(f"{width} x {height} pixels; a picture has at least one", status="damaged")
    if width * height > limits.pixels:
        message = f"{width} x {height} pixels; at most {limits.pixels:,} are decoded (--max-pixels)"
        raise ImageError(message, status="too_large")
    if max(width, height) > limits.aspect * min(width, height):
        message = f"{width} x {height} pixels; an aspect above {limits.aspect:g}:1 is refused (--max-aspect)"
        raise ImageError(message, status="too_large")


def _to_rgb(image: Image.Image, limits: Limits) -> tuple[Pixels, list[str]]:
    flags = list[str]()
    if "icc_profile" in image.info:
        flags.append("icc")  # noted, not applied: encoders are trained on pixel values as stored
    upright = _upright(image, flags)
    if upright.mode in _SIXTEEN_BIT:
        flags.append("16bit")
        upright = _eight_bit(upright)
    if upright.mode == "F":
        raise ImageError(
            "floating-point pixels have no declared range; save it with 8 or 16 bits", status="unsupported"
        )
    if upright.has_transparency_data:
        flags.append("alpha")
        upright = _on_background(upright, limits.background)
    if upright.mode != "RGB":
        flags.append(upright.mode.lower())
        upright = upright.convert("RGB")
    return np.array(upright, dtype=np.uint8), flags


def _upright(image: Image.Image, flags: list[str]) -> Image.Image:
    try:
        turned = ImageOps.exif_transpose(image)
    except Exception:  # noqa: BLE001 - damaged metadata must not cost the picture
        flags.append("bad_metadata")
        return image
    if image.getexif().get(0x0112) in range(2, 9):
        flags.append("orientation")
    return turned


def _eight_bit(image: Image.Image) -> Image.Image:
    """The high byte: Pillow's own conversion clips at 255 and leaves 2 levels of a ramp."""
    values = np.asarray(image)
    if values.min() < 0 or values.max() > 65535:
        message = "integer pixels outside 0 to 65535 have no declared range; save it with 8 or 16 bits"
        raise ImageError(message, status="unsupported")
    grey = (values >> 8).astype(np.uint8)
    if "transparency" not in image.info:
        return Image.fromarray(grey)
    # Which value is transparent is told with all 16 bits, so it must be looked for before they are cut.
    opaque = np.where(values == image.info["transparency"], 0, 255).astype(np.uint8)
    return Image.fromarray(np.dstack([grey, opaque]))


def _on_background(image: Image.Image, background: tuple[int, int, int]) -> Image.Image:
    hidden = image.info.get("transparency")
    if image.mode == "RGB" and isinstance(hidden, tuple) and max(cast(tuple[int, ...], hidden)) > 255:
        # Of 16 bits a channel Pillow keeps the high bytes, but all bits of the transparent colour.
        image = image.copy()
        image.info["transparency"] = tuple(value >> 8 for value in cast(tuple[int, ...], hidden))
    picture = image.convert("RGBA")
    ground = Image.new("RGBA", picture.size, (*background, 255))
    return Image.alpha_composite(ground, picture).convert("RGB")
