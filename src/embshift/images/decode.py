"""Decoding: a file's bytes become pixels or a status; limits are checked before any pixel is decoded."""

import hashlib
import io
import warnings
from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from PIL import Image, ImageFile, UnidentifiedImageError

from embshift.core.errors import ImageError
from embshift.core.types import ImageRecord, Pixels
from embshift.images.bare import strip_metadata
from embshift.images.bare_jpeg import count_scans
from embshift.images.colour import BAD_METADATA, to_rgb
from embshift.images.contents import read_content
from embshift.images.orientation import Turn, list_complaints, read_turn

__all__ = ["FORMATS", "Decoded", "Limits", "decode"]

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF")
"""Formats that are decoded, whatever a file's name says. MPO is opened as JPEG."""

_REDUCED = frozenset({"JPEG", "MPO"})
"""Formats whose decoder can leave out high frequencies, and so decode to fewer pixels."""

_SCANS, _FEW_SCANS, _SCANNED = 100, 20, 10**9
"""Scans that a JPEG may have at most, and may always have, and pixels that they may take together: an encoder
makes about ten scans, and each costs the time of the whole image."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The limits within which an image is decoded.

    Attributes:
        pixels: The largest number of pixels, width times height.
        aspect: The largest ratio of the longer to the shorter side.
        bytes: The largest file, in bytes.
        background: Red, green and blue (0-255) behind transparent pixels.
        value_range: The values (0-65535) of grey images with 16 bits that become black and white.
        wanted: The height and width that will be needed, in pixels. A larger JPEG may be decoded at a half, a
            quarter or an eighth of its size, but never below this one; None decodes at full size.
    """

    pixels: int = 50_000_000
    aspect: float = 20.0
    bytes: int = 512 * 2**20
    background: tuple[int, int, int] = (255, 255, 255)
    value_range: tuple[int, int] = (0, 65535)
    wanted: tuple[int, int] | None = None


_Bytes: TypeAlias = bytes  # in the class below, the name is that of a field


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
        perceptual_hash: `hash_pixels` of the resized image; None until it is resized, or if it has none.
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
    perceptual_hash: _Bytes | None = None

    @property
    def image_id(self) -> str | None:
        """The first 32 hexadecimal digits of `sha256`, which identify an image whatever its name."""
        return None if self.sha256 is None else self.sha256[:32]


def decode(record: ImageRecord, /, *, limits: Limits, read: Callable[..., bytes] = read_content) -> Decoded:
    """Decode the image of a record to 8-bit RGB: frame 0, upright, transparent pixels on the background.

    No content of a file raises an error: an image that cannot be used is returned as a status and a reason.

    Args:
        record: One row of the listing.
        limits: The limits within which the image is decoded.
        read: Reads the bytes of a record, as `read_content` does.

    Returns:
        The image, or one of these statuses: "missing", "not_a_file", "unreadable", "empty", "changed",
        "too_large", "unsupported", "damaged".
    """
    facts = dict[str, Any]()
    try:
        return Decoded(**_decode(record, limits, facts, read), status="ok")
    except ImageError as error:
        return Decoded(**facts, status=error.status, error=str(error))


def _decode(
    record: ImageRecord, limits: Limits, facts: dict[str, Any], read: Callable[..., bytes]
) -> dict[str, Any]:
    if record.content is not None:
        with _catch_decoder_errors():
            return _from_memory(record.content, limits, facts)
    data = read(record, most=limits.bytes, facts=facts)
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


def _from_bytes(data: bytes, limits: Limits, facts: dict[str, Any]) -> dict[str, Any]:
    try:
        pixels, flags, fault = _read_image(data, {}, limits, facts)
    except (ImageError, MemoryError):
        raise
    except Exception as error:  # noqa: BLE001 - of the pixels, or only of the metadata
        pixels, flags = _read_without_metadata(data, error, limits, facts)
    else:
        if fault is not None:
            pixels, flags = _read_without_metadata(data, fault, limits, facts)
    return facts | {"pixels": pixels, "flags": ",".join(flags)}


def _read_without_metadata(
    data: bytes, fault: Exception, limits: Limits, facts: dict[str, Any]
) -> tuple[Pixels, list[str]]:
    """Read an image whose metadata may be all that is damaged; raise the fault where they are not.

    What Pillow says of a file, it says of both: only without the metadata does it show whose fault it is.
    """
    bare = strip_metadata(data)
    if bare is None:
        raise fault
    try:
        pixels, flags, again = _read_image(bare.data, bare.info, limits, facts)
    except ImageError:
        raise
    except Exception:  # noqa: BLE001 - whatever it is: the pixels are at fault
        raise fault from None
    if again is not None:
        raise fault
    return pixels, [*(flag for flag in flags if flag != BAD_METADATA), BAD_METADATA]


def _read_image(
    data: bytes, info: Mapping[str, bytes | str], limits: Limits, facts: dict[str, Any]
) -> tuple[Pixels, list[str], Warning | None]:
    """Return an image's pixels, its flags, and the first warning that may concern its pixels."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with _open(data, caught) as image:
            if image.format in _REDUCED:
                _check_scans(data, pixels=image.width * image.height)
            image.info.update(info)
            pixels, flags = _from_image(image, limits, facts)
    return pixels, flags, next(iter(list_complaints(caught)), None)


def _check_scans(data: bytes, *, pixels: int) -> None:
    most = max(_FEW_SCANS, min(_SCANS, _SCANNED // max(1, pixels)))
    if count_scans(data, most=most) > most:
        message = f"the JPEG scans its {pixels:,} pixels more than {most} times, as no encoder does"
        raise ImageError(message, status="too_large")


def _open(data: bytes, caught: Iterable[warnings.WarningMessage]) -> Image.Image:
    """Open an image; of a file that is none because something in it is broken, say what."""
    try:
        return Image.open(io.BytesIO(data), formats=FORMATS)
    except UnidentifiedImageError:
        for complaint in list_complaints(caught):
            raise complaint from None
        raise


def _from_image(image: Image.Image, limits: Limits, facts: dict[str, Any]) -> tuple[Pixels, list[str]]:
    facts |= {"width": image.width, "height": image.height, "mode": image.mode}
    _check_size(image.width, image.height, limits)
    # TIFF is turned by Pillow while it is loaded, and has no orientation any more afterwards.
    turn = read_turn(image) if image.format in _REDUCED else None
    reduced = limits.wanted is not None and turn is not None and _reduce(image, limits.wanted, turn)
    image.load()
    pixels, flags = to_rgb(
        image, turn or read_turn(image), background=limits.background, value_range=limits.value_range
    )
    return pixels, ["scaled", *flags] if reduced else flags


def _reduce(image: Image.Image, wanted: tuple[int, int], turn: Turn) -> bool:
    """Ask the JPEG decoder for the smallest size that holds the wanted one; return whether it is smaller."""
    if not isinstance(image, ImageFile.ImageFile):
        return False
    height, width = wanted[::-1] if turn.swaps_sides else wanted
    if image.width < 2 * width or image.height < 2 * height:
        return False  # without a call to `draft`, which doubles the time even if it changes nothing
    image.draft(None, (width, height))
    return True


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
