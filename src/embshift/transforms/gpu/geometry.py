"""Drawing halves for geometric changes and holes: matrices, displacement fields and pixels of holes."""

from typing import Any, cast

import cv2
import numpy as np
from jaxtyping import Float64

from embshift.core.types import Pixels
from embshift.transforms.albumentations.forms import draw_parameters
from embshift.transforms.fast.elastic import factor_displacements, make_displacements
from embshift.transforms.gpu import KernelValues, device_form

__all__ = ["draw_affine", "draw_elastic", "draw_flip", "draw_holes", "draw_perspective"]

_KERNELS = "embshift.transforms.gpu.kernels.geometry"


def _fits(leaf: Any) -> bool:
    return leaf.interpolation == cv2.INTER_LINEAR and leaf.border_mode == cv2.BORDER_CONSTANT


def _fits_perspective(leaf: Any) -> bool:
    return leaf.keep_size and _fits(leaf)


def _fits_elastic(leaf: Any) -> bool:
    has_usual_noise = leaf.noise_distribution == "gaussian" and not leaf.approximate and not leaf.same_dxdy
    return has_usual_noise and _fits(leaf)


@device_form("HorizontalFlip", closeness="bytes", make=f"{_KERNELS}:flip")
def draw_flip(leaf: Any, pixels: Pixels) -> tuple[KernelValues, dict[str, Any]]:
    """Draw HorizontalFlip, which needs no values."""
    return {}, leaf.update_transform_params(params={}, data={"image": pixels})


@device_form("ShiftScaleRotate", closeness="rounding", make=f"{_KERNELS}:warp_affine", fits=_fits)
def draw_affine(leaf: Any, pixels: Pixels) -> tuple[KernelValues, dict[str, Any]]:
    """Draw ShiftScaleRotate: the affine matrix from the view to the original."""
    parameters = draw_parameters(leaf, pixels)
    fill = (leaf.fill,) * 3 if isinstance(leaf.fill, int | float) else leaf.fill
    return {"matrix": _invert_affine(parameters["matrix"][:2]), "fill": _make_border_colour(fill)}, parameters


@device_form("Perspective", closeness="rounding", make=f"{_KERNELS}:warp_perspective", fits=_fits_perspective)
def draw_perspective(leaf: Any, pixels: Pixels) -> tuple[KernelValues, dict[str, Any]]:
    """Draw Perspective: the projective matrix from the view to the original."""
    parameters = draw_parameters(leaf, pixels)
    height, width = pixels.shape[:2]
    sides = np.array([width / parameters["max_width"], height / parameters["max_height"], 1.0])
    matrix = cv2.invert(sides[:, None] * parameters["matrix"])[1].astype(np.float32)
    return {"matrix": matrix, "fill": _make_border_colour(leaf.fill)}, parameters


@device_form("ElasticTransform", closeness="rounding", make=f"{_KERNELS}:warp_elastic", fits=_fits_elastic)
def draw_elastic(leaf: Any, pixels: Pixels) -> tuple[KernelValues, dict[str, Any]]:
    """Draw ElasticTransform from the same noise: two thin factors of the field, or the field itself."""
    height, width = pixels.shape[:2]
    noise = leaf.random_generator.standard_normal((2, height, width), dtype=np.float32)
    settings = {"alpha": leaf.alpha, "sigma": leaf.sigma}
    factors = factor_displacements(noise, **settings)
    moves = make_displacements(noise, **settings) if factors is None else factors[0] @ factors[1]
    maps = {
        "map_x": (moves[0] + np.arange(width)).astype(np.float32),
        "map_y": (moves[1] + np.arange(height)[:, None]).astype(np.float32),
    }
    given = leaf.update_transform_params(params={}, data={"image": pixels})
    values = maps if factors is None else {"down": factors[0], "across": factors[1]}
    return {**values, "fill": _make_border_colour(leaf.fill)}, {**given, **maps}


@device_form(
    "CoarseDropout", closeness="bytes", make=f"{_KERNELS}:fill_holes", fits=lambda leaf: leaf.fill == "random"
)
def draw_holes(leaf: Any, pixels: Pixels) -> tuple[KernelValues, dict[str, Any]]:
    """Draw CoarseDropout with random colours: the places and colours of the pixels in holes."""
    parameters = draw_parameters(leaf, pixels)
    rng = np.random.default_rng(parameters["seed"])
    rows, columns = pixels.shape[:2]
    numbers = np.arange(rows * columns, dtype=np.int32).reshape(rows, columns)
    places, colours = [np.empty(0, np.int32)], [np.empty((0, 3), np.uint8)]
    for left, top, right, bottom in parameters["holes"].tolist():
        places.append(numbers[top:bottom, left:right].ravel())
        size = (bottom - top, right - left, 3)
        colours.append(rng.integers(0, 256, size=size, dtype=np.uint8).reshape(-1, 3))
    # Where holes overlap, the last one is visible. Each place is listed once, because a device may write a
    # place that is listed twice in any order.
    found, last = np.unique(np.concatenate(places)[::-1], return_index=True)
    return {"places": found, "colours": np.concatenate(colours)[::-1][last]}, parameters


def _invert_affine(matrix: Float64[np.ndarray, "2 3"]) -> np.ndarray:
    """Invert an affine matrix by the same steps as OpenCV, so that the last bits are equal."""
    (a, b, c), (d, e, f) = cast("list[list[float]]", matrix.astype(np.float64).tolist())
    determinant = a * e - b * d
    over = 1.0 / determinant if determinant else 0.0
    first, second = (e * over, b * -over), (d * -over, a * over)
    rows = [[x, y, -x * c - y * f] for x, y in (first, second)]
    return np.array(rows).astype(np.float32)


def _make_border_colour(fill: Any) -> np.ndarray:
    """Return a border's colour as OpenCV understands it: a single number sets red alone."""
    colour = np.zeros(3, np.float32)
    given = np.clip(np.rint(np.atleast_1d(fill)), 0, 255)[:3]
    colour[: len(given)] = given
    return colour
