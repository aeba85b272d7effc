"""Decoding: a file's bytes become pixels or a status; limits are checked before any pixel is decoded."""

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
"""Formats that are decoded, whatever a file's name says. MPO is opened as JPEG."""

_REDUCED = frozenset({"JPEG", "MPO"})
"""Formats whose decoder can leave out high frequencies, and so decode to fewer pixels."""

_SIXTEEN_BIT = frozenset({"I", "I;16", "I;16L", "I;16B", "I;16N"})

_METADATA_WARNINGS = r"Corrupt EXIF data|Image appears to be a malformed MPO|Invalid APNG|Metadata Warning"
"""Warnings that concern metadata only; any other warning means that the image is damaged."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The limits within which an image is decoded.

    Attributes:
        pixels: The largest number of pixels, width times height.
        aspect: The largest ratio of the longer to the shorter side.
        bytes: The largest file, in bytes.
        background: Red, green and blue (0-255) behind transparent pixels.
        wanted: The height and width that will be needed, in pixels. A larger JPEG may be decoded at a half, a
            quarter or an eighth of its size, but never below this one; None decodes at full size.
    """

    pixels: int = 50_000_000
    aspect: float = 20.0
    bytes: int = 512 * 2**20
    background: tuple[int, int, int] = (255, 255, 255)
    wanted: tuple[int, int] | None = None


class Decoded(NamedTuple):
    """A decoded image, or the reason why there is none; a tuple, which is sent between processes quickly.

    Attributes:
        sha256: SHA-256 of the file's bytes, or of shape and pixels for an image passed in memory; None if the
            file could not be read at all.
        bytes: Size of the file; None if it is unknown.
        width: Width in the file, before its orientation is applied; None if the header could not be read.
        height: Height in the file; None likewise.
        mode: Pillow's mode of the file; None likewise.
        flags: What was converted or noted while decoding, e.g. "orientation,alpha".
        pixels: The image; None if it could not be used.
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
        """The first 32 hexadecimal digits of `sha256`, which identify an image whatever its name."""
        return None if self.sha256 is None else self.sha256[:32]


def decode(record: ImageRecord, /, *, limits: Limits) -> Decoded:
    """Decode the image of a record to 8-bit RGB: frame 0, upright, transparent pixels on the background.

    No content of a file raises an error: an image that cannot be used is returned as a status and a reason.

    Args:
        record: One row of the listing.
        limits: The limits within which the image is decoded.

    Returns:
        The image, or one of these statuses: "missing", "not_a_file", "unreadable", "empty", "too_large",
        "unsupported", "damaged".
    """
    facts = dict[str, Any]()
    try:
        return Decoded(**_decode(record, limits, facts), status="ok")
    except ImageError as error:
        return Decoded(**facts, status=error.status, error=str(error))


def _decode(record: ImageRecord, limits: Limits, facts: dict[str, Any]) -> dict[str, Any]:
    if record.content is not None:
        with _catch_decoder_errors():
            return _from_memory(record.content, limits, facts)
    data = _read_bytes(str(record.path), limits, facts)
    facts |= {"sha256": hashlib.sha256(data).hexdigest()}
    try:
        with _catch_decoder_errors():
            return _from_bytes(data, limits, facts)
    except UnidentifiedImageError:
        start = data[:16].hex(" ")
        message = f"not an image in any of the formats {' '.join(FORMATS)}; the file begins with {start}"
        raise ImageError(message, status="unsupported") from None


@contextmanager
def _catch_decoder_errors() -> Generator[None]:
    """Turn whatever a decoder raises into an `ImageError`, since the bytes of the file cause it."""
    library = Image.MAX_IMAGE_PIXELS
    Image.MAX_IMAGE_PIXELS = None  # our own limits are checked first, and may be above the library's
    try:
        yield
    except (ImageError, UnidentifiedImageError):
        raise
    except MemoryError as error:
        raise ImageError(
            f"not enough memory to decode the image: {_describe(error)}", status="too_large"
        ) from error
    except Exception as error:
        raise ImageError(_describe(error), status="damaged") from error
    finally:
        Image.MAX_IMAGE_PIXELS = library


def _describe(error: BaseException) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())[:500]


def _read_bytes(path: str, limits: Limits, facts: dict[str, Any]) -> bytes:
    try:
        found = os.stat(path)
        if stat.S_ISDIR(found.st_mode):
            os.scandir(path).close()  # the listing names a folder only if it could not read it
        if not stat.S_ISREG(found.st_mode):
            raise ImageError("not a regular file; expected an image file", status="not_a_file")
        facts |= {"bytes": found.st_size}
        if found.st_size > limits.bytes:
            message = f"the file has {found.st_size:,} bytes; at most {limits.bytes:,} are read"
            raise ImageError(message, status="too_large")
        with open(path, "rb") as file:
            data = file.read()
    except FileNotFoundError:
        raise ImageError("the file does not exist (any more)", status="missing") from None
    except (OSError, ValueError) as error:  # ValueError: a name that is not valid for a file
        raise ImageError(_describe(error), status="unreadable") from error
    if not data:
        raise ImageError("the file is empty (zero bytes)", status="empty")
    return data


def _from_bytes(data: bytes, limits: Limits, facts: dict[str, Any]) -> dict[str, Any]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("error")
        warnings.filterwarnings("always", message=_METADATA_WARNINGS)
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            pixels, flags = _from_image(image, limits, facts)
    if caught:
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
    """Ask the JPEG decoder for the smallest size that holds the wanted one; return whether it is smaller."""
    if image.format not in _REDUCED or not isinstance(image, ImageFile.ImageFile):
        return False
    height, width = wanted[::-1] if _is_on_its_side(image) else wanted
    if image.width < 2 * width or image.height < 2 * height:
        return False  # without a call to `draft`, which doubles the time even if it changes nothing
    image.draft(None, (width, height))
    return True


def _is_on_its_side(image: Image.Image) -> bool:
    try:
        return image.getexif().get(0x0112) in range(5, 9)
    except Exception:  # noqa: BLE001 - damaged metadata must not cost the image
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
        raise ImageError(
            f"the image has {width} x {height} pixels; expected at least 1 x 1", status="damaged"
        )
    if width * height > limits.pixels:
        message = (
            f"the image has {width} x {height} pixels; at most {limits.pixels:,} are decoded (--max-pixels)"
        )
        raise ImageError(message, status="too_large")
    if max(width, height) > limits.aspect * min(width, height):
        message = (
            f"the image has {width} x {height} pixels; "
            f"an aspect ratio above {limits.aspect:g}:1 is refused (--max-aspect)"
        )
        raise ImageError(message, status="too_large")


def _to_rgb(image: Image.Image, limits: Limits) -> tuple[Pixels, list[str]]:
    flags = list[str]()
    if "icc_profile" in image.info:
        flags.append("icc")  # noted and not applied: encoders are trained on pixel values as stored
    upright = _apply_orientation(image, flags)
    if upright.mode in _SIXTEEN_BIT:
        flags.append("16bit")
        upright = _to_eight_bits(upright)
    if upright.mode == "F":
        message = "floating-point pixels have no defined range; save the image with 8 or 16 bits"
        raise ImageError(message, status="unsupported")
    if upright.has_transparency_data:
        flags.append("alpha")
        upright = _blend_onto(upright, limits.background)
    if upright.mode != "RGB":
        flags.append(upright.mode.lower())
        upright = upright.convert("RGB")
    return np.array(upright, dtype=np.uint8), flags


def _apply_orientation(image: Image.Image, flags: list[str]) -> Image.Image:
    try:
        turned = ImageOps.exif_transpose(image)
    except Exception:  # noqa: BLE001 - damaged metadata must not cost the image
        flags.append("bad_metadata")
        return image
    if image.getexif().get(0x0112) in range(2, 9):
        flags.append("orientation")
    return turned


def _to_eight_bits(image: Image.Image) -> Image.Image:
    """Keep the high byte: Pillow's own conversion clips at 255 and leaves 2 levels of a ramp."""
    values = np.asarray(image)
    if values.min() < 0 or values.max() > 65535:
        message = "integer pixels outside 0 to 65535 have no defined range; save the image with 8 or 16 bits"
        raise ImageError(message, status="unsupported")
    grey = (values >> 8).astype(np.uint8)
    if "transparency" not in image.info:
        return Image.fromarray(grey)
    # The transparent value is given with all 16 bits, so it must be compared before they are cut.
    opaque = np.where(values == image.info["transparency"], 0, 255).astype(np.uint8)
    return Image.fromarray(np.dstack([grey, opaque]))


def _blend_onto(image: Image.Image, background: tuple[int, int, int]) -> Image.Image:
    hidden = image.info.get("transparency")
    if image.mode == "RGB" and isinstance(hidden, tuple) and max(cast(tuple[int, ...], hidden)) > 255:
        # Of 16 bits per channel Pillow keeps the high byte, but it keeps all bits of the transparent colour.
        image = image.copy()
        image.info["transparency"] = tuple(value >> 8 for value in cast(tuple[int, ...], hidden))
    layer = image.convert("RGBA")
    ground = Image.new("RGBA", layer.size, (*background, 255))
    return Image.alpha_composite(ground, layer).convert("RGB")
