"""Pixel metrics of views that are in the memory of a device, many images at once."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from jaxtyping import Int64, UInt8

from embshift.core.device_copy import copy_to_device, copy_to_host, record_event
from embshift.measurement.pipeline.perturb import PixelValues
from embshift.measurement.pipeline.recipe import Recipe
from embshift.metrics.gpu import DEVICE_METRICS

__all__ = ["index_on", "list_device_metrics", "measure_on_device"]


def list_device_metrics(recipe: Recipe, /) -> list[str]:
    """Return the recipe's pixel metrics that can be computed on the device."""
    return [
        name for name in recipe.metrics if name in DEVICE_METRICS and DEVICE_METRICS[name].fits(*recipe.size)
    ]


def index_on(like: torch.Tensor, places: Sequence[int] | Int64[np.ndarray, " places"], /) -> torch.Tensor:
    """Return positions as an index on the device of a tensor."""
    return copy_to_device(torch.as_tensor(np.asarray(places, np.int64)), device=str(like.device))


def measure_on_device(
    held: UInt8[torch.Tensor, "views height width 3"],
    /,
    *,
    starts: Int64[np.ndarray, " images"],
    counts: Int64[np.ndarray, " images"],
    recipe: Recipe,
) -> Callable[[], list[PixelValues]]:
    """Queue the pixel metrics that have a form on the device.

    Args:
        held: All views, image by image, the original first.
        starts: Where each image's views begin.
        counts: How many views each image has, the original included; 0 for an image that is not measured.
        recipe: What holds the metrics.

    Returns:
        A function that waits for the results and returns them, by image; empty for an image without views or
        not measured.
    """
    metrics = {name: DEVICE_METRICS[name] for name in list_device_metrics(recipe)}
    places = np.flatnonzero(counts > 1)
    if not metrics or not len(places):
        return lambda: [{} for _ in counts]
    views = counts[places] - 1
    rows = np.concatenate([np.arange(1, counts[at]) + starts[at] for at in places])
    originals, shifted = held[index_on(held, starts[places])], held[index_on(held, rows)]
    owners = index_on(held, np.repeat(np.arange(len(places)), views))
    sums = {
        name: {key: copy_to_host(each) for key, each in metric.measure(originals, shifted, owners).items()}
        for name, metric in metrics.items()
    }
    wait, (height, width) = record_event(str(held.device)), recipe.size

    def finish() -> list[PixelValues]:
        wait()
        found = [PixelValues() for _ in counts]
        for name, metric in metrics.items():
            whole = {key: each.numpy() for key, each in sums[name].items()}
            with np.errstate(divide="ignore", invalid="ignore"):  # undefined is NaN, as the metric documents
                column = metric.finish(whole, height=height, width=width)
            for at, part in zip(places.tolist(), np.split(column, np.cumsum(views)[:-1]), strict=True):
                found[at][name] = part
        return found

    return finish
