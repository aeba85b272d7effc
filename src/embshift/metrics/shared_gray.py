"""Pixel metrics of one image's views, taken together: those of gray share one gray of each view."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float64

from embshift.core.types import Pixels, Views
from embshift.metrics.detail import Details, detail_similarity
from embshift.metrics.edge import Edges, edge_similarity
from embshift.metrics.grid import OfGray, over_grays

__all__ = ["take_together"]

_OF_GRAY: Sequence[tuple[Callable[..., Any], Callable[[], OfGray]]] = (
    (detail_similarity, Details),
    (edge_similarity, Edges),
)


def take_together(
    metrics: Mapping[str, Callable[[Pixels, Views], Float64[np.ndarray, " views"]]],
    reference: Pixels,
    shifted: Views,
    /,
) -> dict[str, Float64[np.ndarray, " views"]]:
    """What each metric gives by itself, bit for bit, in less time.

    Args:
        metrics: Pixel metrics by name.
        reference: The untouched image, (height, width, 3), uint8 sRGB, 0 to 255.
        shifted: Its views, (views, height, width, 3), uint8 sRGB, 0 to 255.

    Returns:
        By name, one value a view, as the metric documents it.
    """
    gray = {name: kind for name, metric in metrics.items() for own, kind in _OF_GRAY if metric is own}
    shared = dict(zip(gray, over_grays(reference, shifted, metrics=list(gray.values())), strict=True))
    return {
        name: shared[name] if name in shared else metric(reference, shifted)
        for name, metric in metrics.items()
    }
