"""Moves and holes, drawn: matrices from view to original, fields in two thin factors, bytes of holes."""

from typing import Any, cast

import cv2
import numpy as np
from jaxtyping import Float64

from embshift.core.types import Pixels
from embshift.transforms.fast import drawn
from embshift.transforms.fast.elastic import displacements, factors
from embshift.transforms.gpu import Values, device_form

__all__ = ["affine", "elastic", "flip", "holes", "perspective"]

_KERNELS = "embshift.transforms.gpu.kernels.places"


def _fits(leaf: Any) -> bool:
    return leaf.interpolation == cv2.INTER_LINEAR and leaf.border_mode == cv2.BORDER_CONSTANT


def _fits_perspective(leaf: Any) -> bool:
    return leaf.keep_size and _fits(leaf)


def _fits_elastic(leaf: Any) -> bool:
    plain = leaf.noise_distribution == "gaussian" and not leaf.approximate and not leaf.same_dxdy
    return plain and _fits(leaf)


@device_form("HorizontalFlip", closeness="bytes", make=f"{_KERNELS}:flipped")
def flip(leaf: Any, pixels: Pixels) -> tuple[Values, dict[str, Any]]:
    """HorizontalFlip."""
    return {}, leaf.update_transform_params(params={}, data={"image": pixels})


@device_form("ShiftScaleRotate", closeness="rounding", make=f"{_KERNELS}:affinely", fits=_fits)
def affine(leaf: Any, pixels: Pixels) -> tuple[Values, dict[str, Any]]:
    """ShiftScaleRotate."""
    parameters = drawn(leaf, pixels)
    fill = (leaf.fill,) * 3 if isinstance(leaf.fill, int | float) else leaf.fill
    return {"matrix": _undone(parameters["matrix"][:2]), "fill": _border(fill)}, parameters


@device_form("Perspective", closeness="rounding", make=f"{_KERNELS}:in_perspective", fits=_fits_perspective)
def perspective(leaf: Any, pixels: Pixels) -> tuple[Values, dict[str, Any]]:
    """Perspective."""
    parameters = drawn(leaf, pixels)
    height, width = pixels.shape[:2]
    sides = np.array([width / parameters["max_width"], height / parameters["max_height"], 1.0])
    matrix = cv2.invert(sides[:, None] * parameters["matrix"])[1].astype(np.float32)
    return {"matrix": matrix, "fill": _border(leaf.fill)}, parameters


@device_form("ElasticTransform", closeness="rounding", make=f"{_KERNELS}:elastically", fits=_fits_elastic)
def elastic(leaf: Any, pixels: Pixels) -> tuple[Values, dict[str, Any]]:
    """ElasticTransform, from the same noise."""
    height, width = pixels.shape[:2]
    noise = leaf.random_generator.standard_normal((2, height, width), dtype=np.float32)
    found = factors(noise, alpha=leaf.alpha, sigma=leaf.sigma)
    moved = displacements(noise, alpha=leaf.alpha, sigma=leaf.sigma) if found is None else found[0] @ found[1]
    maps = {
        "map_x": (moved[0] + np.arange(width)).astype(np.float32),
        "map_y": (moved[1] + np.arange(height)[:, None]).astype(np.float32),
    }
    given = leaf.update_transform_params(params={}, data={"image": pixels})
    values = maps if found is None else {"down": found[0], "across": found[1]}
    return {**values, "fill": _border(leaf.fill)}, {**given, **maps}


@device_form(
    "CoarseDropout", closeness="bytes", make=f"{_KERNELS}:punched", fits=lambda leaf: leaf.fill == "random"
)
def holes(leaf: Any, pixels: Pixels) -> tuple[Values, dict[str, Any]]:
    """CoarseDropout with random colours."""
    parameters = drawn(leaf, pixels)
    rng = np.random.default_rng(parameters["seed"])
    rows, columns = pixels.shape[:2]
    numbers = np.arange(rows * columns, dtype=np.int32).reshape(rows, columns)
    places, colours = [np.empty(0, np.int32)], [np.empty((0, 3), np.uint8)]
    for left, top, right, bottom in parameters["holes"].tolist():
        places.append(numbers[top:bottom, left:right].ravel())
        size = (bottom - top, right - left, 3)
        colours.append(rng.integers(0, 256, size=size, dtype=np.uint8).reshape(-1, 3))
    # Where holes overlap the last one is seen; a device may write a place that is named twice in any order.
    found, last = np.unique(np.concatenate(places)[::-1], return_index=True)
    return {"places": found, "colours": np.concatenate(colours)[::-1][last]}, parameters


def _undone(matrix: Float64[np.ndarray, "2 3"]) -> np.ndarray:
    """The inverse of an affine matrix, by the steps of OpenCV, so that the last bits are the same."""
    (a, b, c), (d, e, f) = cast("list[list[float]]", matrix.astype(np.float64).tolist())
    determinant = a * e - b * d
    over = 1.0 / determinant if determinant else 0.0
    first, second = (e * over, b * -over), (d * -over, a * over)
    rows = [[x, y, -x * c - y * f] for x, y in (first, second)]
    return np.array(rows).astype(np.float32)


def _border(fill: Any) -> np.ndarray:
    """A border's colour as OpenCV takes it: a single number is red alone."""
    colour = np.zeros(3, np.float32)
    given = np.clip(np.rint(np.atleast_1d(fill)), 0, 255)[:3]
    colour[: len(given)] = given
    return colour
