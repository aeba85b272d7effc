"""Structural similarity: how alike two images are, window by window."""

from typing import NamedTuple

import cv2
import numpy as np
from jaxtyping import Float64

from embshift.core.types import Direction, Pixels, Views
from embshift.metrics import pixel_metric

__all__ = ["Structure", "compare_structures", "compute_structure", "ssim"]

_SIDE, _DEVIATION = 11, 1.5
_STABLE = ((0.01 * 255) ** 2, (0.03 * 255) ** 2)
"""The two constants that keep uniform windows defined, for gray levels from 0 to 255."""


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
    """Compute the mean structural similarity over windows and channels.

    ``(2μμ′ + C₁)(2σ_xy + C₂) / ((μ² + μ′² + C₁)(σ² + σ′² + C₂))`` in each window, for red, green and blue
    separately. Windows are Gaussian, 11 pixels wide with a standard deviation of 1.5, at every place where
    they lie wholly within the image; C₁ = (0.01 · 255)², C₂ = (0.03 · 255)².

    Blind to whether anything moved: a shift by some pixels counts as another image.

    Args:
        reference: The untouched image, (height, width, 3), uint8 sRGB, 0 to 255.
        shifted: Its views, (views, height, width, 3), uint8 sRGB, 0 to 255.

    Returns:
        One pure number per view, from −1 to 1 (equal images). NaN where a side is shorter than 11 pixels.

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
    known = compute_structure(reference)
    values = [compare_structures(known, compute_structure(view)) for view in shifted]
    return np.array(values, dtype=np.float64)


class Structure(NamedTuple):
    """One image with the means and variances of its windows, kept for several comparisons."""

    values: Float64[np.ndarray, "height width 3"]
    mean: Float64[np.ndarray, "rows columns 3"]
    variance: Float64[np.ndarray, "rows columns 3"]


def compute_structure(pixels: Pixels) -> Structure:
    """Compute the windows' means and variances of an image whose sides have at least 11 pixels."""
    values = pixels.astype(np.float64)
    mean = _average_windows(values)
    return Structure(values=values, mean=mean, variance=_average_windows(values**2) - mean**2)


def compare_structures(one: Structure, other: Structure) -> float:
    """Compute the structural similarity of two images of one size."""
    covariance = _average_windows(one.values * other.values) - one.mean * other.mean
    squares = one.mean**2 + other.mean**2
    over = (2 * one.mean * other.mean + _STABLE[0]) * (2 * covariance + _STABLE[1])
    under = (squares + _STABLE[0]) * (one.variance + other.variance + _STABLE[1])
    # Rounding may carry a mean of numbers up to 1 past 1.
    return float(np.clip((over / under).mean(), -1.0, 1.0))


def _average_windows(values: Float64[np.ndarray, "height width 3"]) -> Float64[np.ndarray, "rows columns 3"]:
    """Return the Gaussian means of all windows that lie wholly within the image."""
    blurred = cv2.GaussianBlur(values, (_SIDE, _SIDE), _DEVIATION)
    edge = _SIDE // 2
    return np.ascontiguousarray(blurred[edge:-edge, edge:-edge])
