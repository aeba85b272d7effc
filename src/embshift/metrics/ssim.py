"""Structural similarity: how alike two images look, window by window."""

from typing import NamedTuple

import cv2
import numpy as np
from jaxtyping import Float64

from embshift.core.types import Direction, Pixels, Views
from embshift.metrics import pixel_metric

__all__ = ["Structure", "similarity", "ssim", "structure_of"]

_SIDE, _DEVIATION = 11, 1.5
_STABLE = ((0.01 * 255) ** 2, (0.03 * 255) ** 2)
"""The two constants that keep uniform windows defined, for levels of 0 to 255."""


@pixel_metric(
    name="ssim",
    summary="structural similarity: brightness, contrast and structure of Gaussian windows",
    unit="1",
    bounds=(-1.0, 1.0),
    identity=1.0,
    direction=Direction.HIGHER,
    blind_to="whether anything moved: a shift by some pixels counts as another image",
    performance=False,
    reference="Wang, Bovik, Sheikh & Simoncelli 2004, Image Quality Assessment (IEEE TIP 13(4)), eq. (13)",
)
def ssim(reference: Pixels, shifted: Views, /) -> Float64[np.ndarray, " views"]:
    """Mean over windows and channels of ``(2μμ′ + C₁)(2σ_xy + C₂) / ((μ² + μ′² + C₁)(σ² + σ′² + C₂))``.

    Windows are Gaussian, 11 pixels wide with a deviation of 1.5, at every place where they lie wholly within
    the image; C₁ = (0.01 · 255)², C₂ = (0.03 · 255)²; each of red, green and blue by itself.

    Blind to whether anything moved: a shift by some pixels counts as another image.

    Args:
        reference: The untouched image, (height, width, 3), uint8 sRGB, 0 to 255.
        shifted: Its views, (views, height, width, 3), uint8 sRGB, 0 to 255.

    Returns:
        One pure number a view, from −1 to 1 (equal images). NaN where a side is shorter than 11 pixels.

    Example:
        >>> import numpy as np
        >>> ramp = np.arange(16, dtype=np.uint8).repeat(16).reshape(16, 16, 1).repeat(3, axis=2) * 10
        >>> ssim(ramp, np.stack([ramp, 255 - ramp])).round(2)
        array([ 1.  , -0.54])

    References:
        Wang, Bovik, Sheikh & Simoncelli 2004, Image Quality Assessment: From Error Visibility to Structural
        Similarity, IEEE Transactions on Image Processing 13(4), eq. (13) and section III-C.
    """
    if min(reference.shape[:2]) < _SIDE:
        return np.full(len(shifted), np.nan)
    known = structure_of(reference)
    return np.array([similarity(known, structure_of(view)) for view in shifted], dtype=np.float64)


class Structure(NamedTuple):
    """One image with its windows' means and variances, held for many comparisons."""

    values: Float64[np.ndarray, "height width 3"]
    mean: Float64[np.ndarray, "rows columns 3"]
    variance: Float64[np.ndarray, "rows columns 3"]


def structure_of(pixels: Pixels) -> Structure:
    """The windows of an image of at least 11 pixels a side."""
    values = pixels.astype(np.float64)
    mean = _windows(values)
    return Structure(values=values, mean=mean, variance=_windows(values**2) - mean**2)


def similarity(one: Structure, other: Structure) -> float:
    """Structural similarity of two images of one size."""
    covariance = _windows(one.values * other.values) - one.mean * other.mean
    squares = one.mean**2 + other.mean**2
    over = (2 * one.mean * other.mean + _STABLE[0]) * (2 * covariance + _STABLE[1])
    under = (squares + _STABLE[0]) * (one.variance + other.variance + _STABLE[1])
    # A mean of numbers up to 1 may leave it by rounding.
    return float(np.clip((over / under).mean(), -1.0, 1.0))


def _windows(values: Float64[np.ndarray, "height width 3"]) -> Float64[np.ndarray, "rows columns 3"]:
    """Gaussian means of all windows that lie wholly within the image."""
    blurred = cv2.GaussianBlur(values, (_SIDE, _SIDE), _DEVIATION)
    edge = _SIDE // 2
    return np.ascontiguousarray(blurred[edge:-edge, edge:-edge])
