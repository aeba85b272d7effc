"""Geometric changes and holes: the library's draws, without its work for masks, boxes and key points."""

from typing import Any

import cv2
import numpy as np

from embshift.core.types import Pixels
from embshift.transforms.albumentations.forms import draw_parameters
from embshift.transforms.fast import fast_form

__all__ = ["fill_holes", "flip", "warp_affine", "warp_perspective"]


@fast_form("HorizontalFlip", closeness="bytes")
def flip(leaf: Any, pixels: Pixels) -> tuple[Pixels, dict[str, Any]]:
    """Make the view of HorizontalFlip."""
    given = leaf.update_transform_params(params={}, data={"image": pixels})
    return np.asarray(cv2.flip(pixels, 1), dtype=np.uint8), given


@fast_form("ShiftScaleRotate", closeness="bytes")
def warp_affine(leaf: Any, pixels: Pixels) -> tuple[Pixels, dict[str, Any]]:
    """Make the view of ShiftScaleRotate."""
    parameters = draw_parameters(leaf, pixels)
    height, width = pixels.shape[:2]
    moved = cv2.warpAffine(
        pixels,
        parameters["matrix"][:2],
        (width, height),
        flags=leaf.interpolation,
        borderMode=leaf.border_mode,
        borderValue=_repeat_for_channels(leaf.fill),
    )
    return np.asarray(moved, dtype=np.uint8), parameters


@fast_form("Perspective", closeness="bytes", fits=lambda leaf: leaf.keep_size)
def warp_perspective(leaf: Any, pixels: Pixels) -> tuple[Pixels, dict[str, Any]]:
    """Make the view of Perspective."""
    parameters = draw_parameters(leaf, pixels)
    height, width = pixels.shape[:2]
    sides = np.array([width / parameters["max_width"], height / parameters["max_height"], 1.0])
    moved = cv2.warpPerspective(
        pixels,
        sides[:, None] * parameters["matrix"],
        (width, height),
        flags=leaf.interpolation,
        borderMode=leaf.border_mode,
        borderValue=leaf.fill,
    )
    return np.asarray(moved, dtype=np.uint8), parameters


@fast_form("CoarseDropout", closeness="bytes", fits=lambda leaf: leaf.fill == "random")
def fill_holes(leaf: Any, pixels: Pixels) -> tuple[Pixels, dict[str, Any]]:
    """Make the view of CoarseDropout with random colours."""
    parameters = draw_parameters(leaf, pixels)
    rng = np.random.default_rng(parameters["seed"])
    for left, top, right, bottom in parameters["holes"].tolist():
        size = (bottom - top, right - left, 3)
        pixels[top:bottom, left:right] = rng.integers(0, 256, size=size, dtype=np.uint8)
    return pixels, parameters


def _repeat_for_channels(fill: Any) -> Any:
    return (fill,) * 3 if isinstance(fill, int | float) else fill
