"""Elastic deformation: the same noise field, smoothed by a low-rank matrix instead of a long kernel."""

from functools import lru_cache
from typing import Any

import cv2
import numpy as np
from jaxtyping import Float32, Float64

from embshift.core.types import Pixels
from embshift.transforms.fast import fast_form

__all__ = ["factor_displacements", "factor_smoothing", "make_displacements", "warp_elastic"]

_NEGLIGIBLE = 1e-5
"""Singular values below this share of the largest are dropped; they contribute below 1e-4 of the whole."""
_GAIN = 8
"""How many times longer than the rank a side must be for the low rank to save work."""


def _fits(leaf: Any) -> bool:
    return leaf.noise_distribution == "gaussian" and not leaf.approximate and not leaf.same_dxdy


@fast_form("ElasticTransform", closeness="rounding", fits=_fits)
def warp_elastic(leaf: Any, pixels: Pixels) -> tuple[Pixels, dict[str, Any]]:
    """Make the view of ElasticTransform from the same noise."""
    height, width = pixels.shape[:2]
    noise = leaf.random_generator.standard_normal((2, height, width), dtype=np.float32)
    across, down = make_displacements(noise, alpha=leaf.alpha, sigma=leaf.sigma)
    across += np.arange(width)
    down += np.arange(height)[:, None]
    map_x, map_y = across.astype(np.float32), down.astype(np.float32)
    moved = cv2.remap(
        pixels, map_x, map_y, leaf.interpolation, borderMode=leaf.border_mode, borderValue=leaf.fill
    )
    given = leaf.update_transform_params(params={}, data={"image": pixels})
    return np.asarray(moved, dtype=np.uint8), {**given, "map_x": map_x, "map_y": map_y}


def make_displacements(
    noise: Float32[np.ndarray, "2 height width"], /, *, alpha: float, sigma: float
) -> Float64[np.ndarray, "2 height width"]:
    """Return the displacements along the columns and along the rows, in pixels.

    The noise is scaled to a largest magnitude of 1, smoothed and multiplied by ``alpha``. As in the library,
    the two fields are smoothed as one image of twice the height, one above the other.

    Args:
        noise: Independent standard normal numbers.
        alpha: Largest displacement before smoothing, in pixels.
        sigma: Standard deviation of the Gaussian, in pixels.
    """
    found = factor_displacements(noise, alpha=alpha, sigma=sigma)
    if found is not None:
        return found[0] @ found[1]
    # A narrow Gaussian has no low rank, and the library's own kernel is faster.
    stacked = noise.reshape(-1, noise.shape[2])
    blurred = cv2.GaussianBlur(stacked, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE)
    return blurred.astype(np.float64).reshape(noise.shape) * _find_scale(noise, alpha)


def factor_displacements(
    noise: Float32[np.ndarray, "2 height width"], /, *, alpha: float, sigma: float
) -> tuple[Float64[np.ndarray, "2 height rank"], Float64[np.ndarray, "rank width"]] | None:
    """Return two thin factors whose product is the displacements; None if they would not be thin.

    Args:
        noise: Independent standard normal numbers.
        alpha: Largest displacement before smoothing, in pixels.
        sigma: Standard deviation of the Gaussian, in pixels.
    """
    fields, height, width = noise.shape
    left_down, right_down = factor_smoothing(fields * height, sigma=sigma)
    left_across, right_across = factor_smoothing(width, sigma=sigma)
    if right_down.shape[0] * _GAIN > height or right_across.shape[0] * _GAIN > width:
        return None
    # In float64, so that the last bits, which differ between processors, cannot change a pixel.
    stacked = noise.reshape(fields * height, width).astype(np.float64)
    core = right_down @ stacked @ right_across.T  # (rank, rank)
    return (left_down @ (core * _find_scale(noise, alpha))).reshape(fields, height, -1), left_across.T


def _find_scale(noise: Float32[np.ndarray, "2 height width"], alpha: float) -> float:
    largest = float(max(noise.max(), -noise.min()))
    return alpha / largest if largest > 1e-6 else alpha


@lru_cache(maxsize=32)
def factor_smoothing(
    length: int, /, *, sigma: float
) -> tuple[Float64[np.ndarray, "length rank"], Float64[np.ndarray, "rank length"]]:
    """Return two factors of the matrix that smooths along one side, with the library's kernel.

    Pixels beyond the edges repeat the outermost pixel.

    Args:
        length: Length of the side, in pixels.
        sigma: Standard deviation of the Gaussian, in pixels.
    """
    # OpenCV's own length of a float32 kernel: four deviations to each side, made odd.
    size = round(sigma * 8 + 1) | 1
    kernel = cv2.getGaussianKernel(size, sigma, cv2.CV_64F)
    one = np.ones(1)
    matrix = cv2.sepFilter2D(np.eye(length), cv2.CV_64F, one, kernel, borderType=cv2.BORDER_REPLICATE)
    left, values, right = np.linalg.svd(matrix)
    rank = int((values > _NEGLIGIBLE * values[0]).sum())
    return np.ascontiguousarray(left[:, :rank] * values[:rank]), np.ascontiguousarray(right[:rank])
