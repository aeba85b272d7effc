"""Perturbing an image: a transform and a random stream give a view, and a digest identifies its pixels."""

import hashlib
from dataclasses import replace

import numpy as np

from embshift.core.addresses import to_one_line
from embshift.core.errors import TransformError
from embshift.core.seeding import make_view_generator
from embshift.core.types import Pixels, Transform, View, ViewKey
from embshift.transforms.checks import check_pixels
from embshift.transforms.strength import find_stream

__all__ = ["perturb", "pixels_digest"]


def perturb(pixels: Pixels, transform: Transform, *, key: ViewKey) -> View:
    """Make the view of one image; it depends on the image, the transform and the key alone.

    The transform gets a copy, so the original is not changed. Its result is checked, and a failure is an
    error: the original never takes the place of a view.

    Args:
        pixels: The image.
        transform: What `build` or `wrap` returned.
        key: What determines the view's random stream.

    Raises:
        TransformError: If the transform fails, or returns anything but an image of the same size.
    """
    stream = replace(key, transform=find_stream(transform, key.transform))
    try:
        view = transform(pixels.copy(), rng=make_view_generator(stream))
        result = check_pixels(view.pixels, shape=pixels.shape)
    except TransformError as error:
        raise TransformError(f"transform '{key.transform}' {to_one_line(error)}") from error
    except (Exception, SystemExit) as error:
        raise TransformError(
            f"transform '{key.transform}' failed: {type(error).__name__}: {to_one_line(error)}"
        ) from error
    return replace(view, pixels=result)


def pixels_digest(pixels: Pixels) -> str:
    """Return the SHA-256 of an image, 64 hexadecimal digits.

    The hash covers the shape as ASCII decimals joined by "x" (``224x224x3``: height, width, channels), and
    directly after it the bytes, row by row, pixel by pixel, in the order red, green, blue.
    """
    digest = hashlib.sha256("x".join(str(length) for length in pixels.shape).encode("ascii"))
    digest.update(np.ascontiguousarray(pixels).data)  # makes no copy and releases the interpreter's lock
    return digest.hexdigest()
