"""Elastic displacement: the same noise field, smoothed by a matrix of low rank instead of a long kernel."""

from functools import lru_cache
from typing import Any

import cv2
import numpy as np
from jaxtyping import Float32, Float64

from embshift.core.types import Pixels
from embshift.transforms.fast import fast_form

__all__ = ["displacements", "elastic", "factors", "smoothing"]

_NEGLIGIBLE = 1e-5
"""Singular values below this share of the greatest are left out: what they move is below 1e-4 of it all."""
_GAIN = 8
"""How many times longer than its rank a side must be for the low rank to save work."""


def _fits(leaf: Any) -> bool:
    return leaf.noise_distribution == "gaussian" and not leaf.approximate and not leaf.same_dxdy


@fast_form("ElasticTransform", closeness="rounding", fits=_fits)
def elastic(leaf: Any, pixels: Pixels) -> tuple[Pixels, dict[str, Any]]:
    """ElasticTransform, from the same noise."""
    height, width = pixels.shape[:2]
    noise = leaf.random_generator.standard_normal((2, height, width), dtype=np.float32)
    across, down = displacements(noise, alpha=leaf.alpha, sigma=leaf.sigma)
    across += np.arange(width)
    down += np.arange(height)[:, None]
    map_x, map_y = across.astype(np.float32), down.astype(np.float32)
    shown = cv2.remap(
        pixels, map_x, map_y, leaf.interpolation, borderMode=leaf.border_mode, borderValue=leaf.fill
    )
    given = leaf.update_transform_params(params={}, data={"image": pixels})
    return np.asarray(shown, dtype=np.uint8), {**given, "map_x": map_x, "map_y": map_y}


def displacements(
    noise: Float32[np.ndarray, "2 height width"], /, *, alpha: float, sigma: float
) -> Float64[np.ndarray, "2 height width"]:
    """Displacements along the columns and along the rows, in pixels.

    The noise is scaled to a greatest magnitude of 1, smoothed and taken times ``alpha``. As in the library,
    the two fields are smoothed as one picture of twice the height, one above the other.

    Args:
        noise: Independent standard normal numbers.
        alpha: Greatest displacement before smoothing, in pixels.
        sigma: Deviation of the Gaussian, in pixels.
    """
    found = factors(noise, alpha=alpha, sigma=sigma)
    if found is not None:
        return found[0] @ found[1]
    # A narrow Gaussian has no low rank: the library's own kernel is the faster one.
    stacked = noise.reshape(-1, noise.shape[2])
    blurred = cv2.GaussianBlur(stacked, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE)
    return blurred.astype(np.float64).reshape(noise.shape) * _scale(noise, alpha)


def factors(
    noise: Float32[np.ndarray, "2 height width"], /, *, alpha: float, sigma: float
) -> tuple[Float64[np.ndarray, "2 height rank"], Float64[np.ndarray, "rank width"]] | None:
    """Two thin factors whose product is the displacements; None where they would not be thin.

    Args:
        noise: Independent standard normal numbers.
        alpha: Greatest displacement before smoothing, in pixels.
        sigma: Deviation of the Gaussian, in pixels.
    """
    fields, height, width = noise.shape
    left_down, right_down = smoothing(fields * height, sigma=sigma)
    left_across, right_across = smoothing(width, sigma=sigma)
    if right_down.shape[0] * _GAIN > height or right_across.shape[0] * _GAIN > width:
        return None
    # In float64, so that the last bits, which differ between processors, do not reach the pixels.
    stacked = noise.reshape(fields * height, width).astype(np.float64)
    core = right_down @ stacked @ right_across.T  # (rank, rank)
    return (left_down @ (core * _scale(noise, alpha))).reshape(fields, height, -1), left_across.T


def _scale(noise: Float32[np.ndarray, "2 height width"], alpha: float) -> float:
    greatest = float(max(noise.max(), -noise.min()))
    return alpha / greatest if greatest > 1e-6 else alpha


@lru_cache(maxsize=32)
def smoothing(
    length: int, /, *, sigma: float
) -> tuple[Float64[np.ndarray, "length rank"], Float64[np.ndarray, "rank length"]]:
    """Two factors of the matrix that smooths along one side, with the library's kernel and repeated edges.

    Args:
        length: Pixels of the side.
        sigma: Deviation of the Gaussian, in pixels.
    """
    # OpenCV's own length of a float32 kernel: four deviations to either side, made odd.
    size = round(sigma * 8 + 1) | 1
    kernel = cv2.getGaussianKernel(size, sigma, cv2.CV_64F)
    one = np.ones(1)
    matrix = cv2.sepFilter2D(np.eye(length), cv2.CV_64F, one, kernel, borderType=cv2.BORDER_REPLICATE)
    left, values, right = np.linalg.svd(matrix)
    rank = int((values > _NEGLIGIBLE * values[0]).sum())
    return np.ascontiguousarray(left[:, :rank] * values[:rank]), np.ascontiguousarray(right[:rank])
