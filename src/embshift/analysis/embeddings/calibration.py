"""Calibration: shifts relative to the distances between images, and to the floor of the measurement."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float64, Int64

from embshift.analysis.embeddings.catalogue import CALIBRATION, FLOOR_RATIO
from embshift.analysis.embeddings.floors import Floor, floor_ratio, highest_floor
from embshift.analysis.embeddings.measures import Measured, check_sampling, mean_of_images
from embshift.analysis.embeddings.neighbours import find_nearest, half_squared_distances
from embshift.analysis.embeddings.pairs import DrawViews, Pairs, average_draws, format_sample_notes
from embshift.analysis.sampling.bootstrap import LEVEL, RESAMPLES, Intervals

__all__ = [
    "Scale",
    "calibrate",
    "distance_scale",
    "divide_by_scale",
    "mean_distance_to_others",
    "shares_below",
]

_SAME = 1e-12
"""Half squared distances up to this are 0: unit vectors of equal direction differ by rounding only."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Scale:
    """Distances between the originals of different images, ½‖z − z′‖².

    Attributes:
        others: Mean distance from each image to all others; NaN for a single image.
        nearest: Distance from each image to its nearest neighbour; 0 for equal embeddings, NaN for an image
            that was not in the sample.
    """

    others: Float64[np.ndarray, " images"]
    nearest: Float64[np.ndarray, " images"]


def mean_distance_to_others(units: Float64[np.ndarray, "images dim"]) -> Float64[np.ndarray, " images"]:
    """Return the mean of ½‖zᵢ − zⱼ‖² over j ≠ i, for each i, without computing any pair.

    With c = z − mean(z) it is ½ (N‖cᵢ‖² + Σ‖cⱼ‖²) / (N − 1), since Σcⱼ = 0. Centring keeps precision where
    all images lie close together.

    Args:
        units: Unit vectors, one per image.

    Returns:
        From 0 to 2; NaN for a single image.
    """
    n = len(units)
    if n < 2:
        return np.full(n, np.nan)
    centred = units - units.mean(axis=0)
    squares = np.einsum("ij,ij->i", centred, centred)
    return 0.5 * (n * squares + squares.sum()) / (n - 1)


def distance_scale(
    units: Float64[np.ndarray, "images dim"], *, asked: Int64[np.ndarray, " asked"] | None = None
) -> Scale:
    """Compute the distance of each image to the others and to its nearest neighbour.

    Args:
        units: Unit vectors, one per image.
        asked: Positions of the images whose nearest neighbour is sought; all where None.
    """
    asked = np.arange(len(units)) if asked is None else asked
    nearest = np.full(len(units), np.nan)
    if len(units) > 1:
        found = find_nearest(units, asked=asked)
        nearest[asked] = half_squared_distances(units[asked], units[found])
    return Scale(others=mean_distance_to_others(units), nearest=nearest)


def divide_by_scale(
    shift: Float64[np.ndarray, " views"], scale: Float64[np.ndarray, " views"]
) -> Float64[np.ndarray, " views"]:
    """Return shifts over distances; NaN where a distance is undefined, or 0 up to rounding."""
    return np.divide(shift, scale, out=np.full(len(shift), np.nan), where=scale > _SAME)


def shares_below(
    values: Float64[np.ndarray, " values"], scale: Float64[np.ndarray, " images"]
) -> Float64[np.ndarray, " values"]:
    """Return the percentage of a scale that lies strictly below each value; NaN if the scale is undefined."""
    known = np.sort(scale[~np.isnan(scale)])
    if not len(known):
        return np.full(len(values), np.nan)
    found = 100.0 * np.searchsorted(known, values, side="left") / len(known)
    return np.where(np.isnan(values), np.nan, found)


def calibrate(
    pairs: Pairs,
    *,
    floors: Sequence[Floor] = (),
    queries: int | None = None,
    resamples: int = RESAMPLES,
    level: float = LEVEL,
    seed: int = 0,
) -> Measured:
    """Compute shifts in readable units: relative to the distances between images, and to the floor.

    Args:
        pairs: Originals and views.
        floors: Result of `find_floors`; the highest of the preparation floors is used.
        queries: Size of a seeded sample of images whose shifts are computed, relative to the distances
            between all images. Where None, all of up to 100,000 images, and 2,000 of more.
        resamples: Number of resamples of the images.
        level: Coverage of the intervals.
        seed: Seed of the sample and of the resamples.

    Raises:
        PlanError: If an option is out of range.
    """
    check_sampling(resamples=resamples, level=level)
    asked = pairs.asked(queries, seed=seed)
    highest = highest_floor(floors)
    measures = CALIBRATION if highest is None else (*CALIBRATION, FLOOR_RATIO)
    scale = distance_scale(pairs.units, asked=asked)
    values, recorded = list[dict[str, Float64[np.ndarray, " images"]]](), np.zeros((0, len(asked)), bool)
    views = list[int]()
    for transform in pairs.transforms:
        draws, seen = pairs.views(transform, among=asked)
        found = [
            (np.searchsorted(asked, draw.at), _draw(pairs, draw, scale=scale, floor=highest))
            for draw in draws
        ]
        values.append(average_draws(found, images=len(asked), names=[one.name for one in measures]))
        recorded = np.concatenate([recorded, seen[None, asked]])
        views.append(sum(len(draw.at) for draw in draws))
    estimates, undefined = mean_of_images(
        values,
        measures=measures,
        recorded=recorded,
        draws=views,
        resamples=resamples,
        level=level,
        seed=seed,
    )
    if highest is not None and values:
        shifts = np.stack([one["cosine_shift"] for one in values], axis=1)
        ratios = floor_ratio(shifts, highest, level=level)
        estimates = _with_last(estimates, ratios)
    return Measured(
        name="calibration",
        measures=measures,
        transforms=pairs.transforms,
        estimates=estimates,
        undefined=undefined,
        images=len(pairs),
        left_out=pairs.left_out,
        notes=(*format_sample_notes(len(asked), pairs), *_notes(scale, floors)),
        level=level,
    )


def _with_last(estimates: Intervals, column: Intervals) -> Intervals:
    """Return a table with the intervals of its last column replaced."""
    low, high, plain = estimates.low.copy(), estimates.high.copy(), estimates.plain.copy()
    low[:, -1], high[:, -1], plain[:, -1] = column.low, column.high, column.plain
    return replace(estimates, low=low, high=high, plain=plain)


def _draw(
    pairs: Pairs, draw: DrawViews, *, scale: Scale, floor: Floor | None
) -> dict[str, Float64[np.ndarray, " views"]]:
    shift = half_squared_distances(pairs.units[draw.at], draw.units)
    return {
        "cosine_shift": shift,
        "unit_l2": np.sqrt(2 * shift),
        "norm_ratio": draw.norms / pairs.norms[draw.at],
        "relative_shift": divide_by_scale(shift, scale.others[draw.at]),
        "neighbour_ratio": divide_by_scale(shift, scale.nearest[draw.at]),
        "neighbour_percentile": shares_below(shift, scale.nearest),
        "floor_ratio": shift / (np.nan if floor is None else floor.mean),
    }


def _notes(scale: Scale, floors: Sequence[Floor]) -> tuple[str, ...]:
    notes = list[str]()
    known = scale.nearest[~np.isnan(scale.nearest)]
    if len(known):
        notes.append(
            f"cosine distance between different images: mean {scale.others.mean():.4g}, median to the nearest"
            f" neighbour {float(np.median(known)):.4g}"
        )
    if equal := int((known <= _SAME).sum()):
        notes.append(
            f"{equal:,} images share their embedding with another image; their neighbour ratio is undefined"
        )
    notes += [one.told() for one in floors]
    if floors and highest_floor(floors) is None:
        notes.append("no preparation floor of 1e-7 or more was given, so floor ratios are undefined")
    return tuple(notes)
