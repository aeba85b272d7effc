"""Pixel metrics of one image's views, computed together: those of gray share one gray image of each view."""

from collections.abc import Callable, Mapping

import numpy as np
from jaxtyping import Float64

from embshift.core.types import Pixels, Views
from embshift.metrics.gray import compute_from_gray, find_gray_form

__all__ = ["compute_pixel_metrics"]


def compute_pixel_metrics(
    metrics: Mapping[str, Callable[[Pixels, Views], Float64[np.ndarray, " views"]]],
    reference: Pixels,
    shifted: Views,
    /,
) -> dict[str, Float64[np.ndarray, " views"]]:
    """Compute pixel metrics together: the same bits as one by one, in less time.

    Args:
        metrics: Pixel metrics by name. A wrapper around a metric is called as it stands.
        reference: The untouched image, (height, width, 3), uint8 sRGB, 0 to 255.
        shifted: Its views, (views, height, width, 3), uint8 sRGB, 0 to 255.

    Returns:
        By name, one value per view, as the metric documents it.
    """
    forms = {name: form for name, metric in metrics.items() if (form := find_gray_form(metric)) is not None}
    values = compute_from_gray(reference, shifted, metrics=list(forms.values()))
    shared = dict(zip(forms, values, strict=True))
    return {
        name: shared[name] if name in shared else metric(reference, shifted)
        for name, metric in metrics.items()
    }
