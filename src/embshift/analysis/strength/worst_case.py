"""Worst case of each transform of a sweep: how far apart an image and its views are over all severities."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from jaxtyping import Float64

from embshift.analysis.embeddings.calibration import distance_scale, divide_by_scale
from embshift.analysis.embeddings.measures import check_sampling
from embshift.analysis.embeddings.pairs import Pairs, stack_views
from embshift.analysis.sampling.bootstrap import (
    LEVEL,
    RESAMPLES,
    Intervals,
    bca,
    influence,
    means,
    resampled_means,
)
from embshift.analysis.sampling.shares import share_intervals
from embshift.analysis.strength.balls import divergence_radii
from embshift.analysis.strength.flip_prediction import FlipPrediction, predict_flips
from embshift.analysis.strength.levels import SweptLevel
from embshift.core.errors import PlanError
from embshift.core.named import find_position
from embshift.core.records import Record, to_pandas, write_html

__all__ = ["PREDICTORS", "FindFlips", "WorstCases", "compute_worst_case"]

PREDICTORS = ("radius", "shift", "neighbour_ratio")
"""Measures that might predict how often labels flip."""

FLIPS = "flip_rate"

FindFlips: TypeAlias = Callable[
    [Float64[np.ndarray, "images dim"], Float64[np.ndarray, "images views dim"]],
    Float64[np.ndarray, "images views"],
]
"""Takes unit embeddings of images and of their views; returns 1 where a view's label differs, else 0."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class WorstCases:
    """How far apart an image and its views are at worst, transform by transform.

    Attributes:
        transforms: Registered transforms, the largest radius first.
        severities: Number of levels of each.
        radius: Mean over images of the divergence radius, (transforms,), from 0 to 1: the radius of the
            smallest ball that holds the unit embeddings of an image and of its views at all levels. Its n
            counts images with every view.
        shift: Mean over images of their mean shift d = 1 − cosine over all views, from 0 to 2.
        neighbour_ratio: The same mean shift over the cosine distance from the image to its nearest
            neighbour, mean over images.
        flip_rate: Share of the views whose label differs from their original's; None without labels.
        prediction: How well the three measures predict the flip rate over transforms; None without labels,
            or where it is refused.
        refused: Why there is no prediction in spite of labels; empty if there is one, or there are none.
        images: Number of different images with a usable embedding.
        level: Coverage of each interval.
        resamples: Number of resamples of the images.
        seed: Their seed.
    """

    transforms: tuple[str, ...]
    severities: tuple[int, ...]
    radius: Intervals
    shift: Intervals
    neighbour_ratio: Intervals
    flip_rate: Intervals | None
    prediction: FlipPrediction | None
    refused: str
    images: int
    level: float
    resamples: int
    seed: int

    def measure(self, transform: str) -> tuple[float, float, float]:
        """Return the mean radius of a transform, and the ends of its interval; NaN if it has none.

        Raises:
            UnknownNameError: If the sweep has no such transform.
        """
        at, found = find_position(self.transforms, transform, kind="transform"), self.radius
        return float(found.mean[at]), float(found.low[at]), float(found.high[at])

    def records(self) -> list[Record]:
        """Return one row for each transform, the largest radius first."""
        measures = {name: getattr(self, name) for name in (*PREDICTORS, FLIPS)}
        return [
            {"transform": transform, "severities": self.severities[at]}
            | {
                column: value
                for name, found in measures.items()
                if found is not None
                for column, value in found.record(at, names=(name,)).items()
            }
            for at, transform in enumerate(self.transforms)
        ]

    to_pandas = to_pandas
    _repr_html_ = write_html


def compute_worst_case(
    pairs: Pairs,
    levels: Sequence[SweptLevel],
    /,
    *,
    find_flips: FindFlips | None = None,
    resamples: int = RESAMPLES,
    level: float = LEVEL,
    seed: int = 0,
) -> WorstCases:
    """Compute the divergence radius of each transform over its levels, and how well it predicts label flips.

    An image counts for a transform if it has all of its views, of every level and draw. Intervals are from a
    bootstrap over images; those of the correlations hold for these transforms, not for others.

    Args:
        pairs: Originals and views.
        levels: The levels of the plan.
        find_flips: Compares the labels of images and views; None without labels.
        resamples: Number of resamples of the images.
        level: Coverage of the intervals.
        seed: Seed of the resamples.

    Raises:
        PlanError: If an option is out of range.

    References:
        Liu et al. 2026 (arXiv 2604.14973) for the radius, and for its relation to label flips.
    """
    check_sampling(resamples=resamples, level=level)
    names = list(dict.fromkeys(each.transform for each in levels))
    own = {name: [each.name for each in levels if each.transform == name] for name in names}
    nearest = distance_scale(pairs.units).nearest
    found = [_measure(pairs, own[name], nearest=nearest, find_flips=find_flips) for name in names]
    columns = {name: np.stack([each.values[name] for each in found], axis=1) for name in found[0].values}
    order = np.argsort(-np.nan_to_num(means(columns["radius"]), nan=-np.inf), kind="stable")
    columns = {name: values[:, order] for name, values in columns.items()}
    views = np.array([each.views for each in found])[order]
    flips = columns.pop(FLIPS, None)
    estimates = {
        name: _find_intervals(values, resamples=resamples, level=level, seed=seed)
        for name, values in columns.items()
    }
    prediction, refused = _predict(flips, columns, resamples=resamples, level=level, seed=seed)
    return WorstCases(
        transforms=tuple(names[at] for at in order),
        severities=tuple(len(own[names[at]]) for at in order),
        **estimates,
        flip_rate=None if flips is None else share_intervals(flips, draws=views, level=level),
        prediction=prediction,
        refused=refused,
        images=len(pairs),
        level=level,
        resamples=resamples,
        seed=seed,
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Measured:
    """Values of every image under one transform, by name, and the number of views behind them."""

    values: Mapping[str, Float64[np.ndarray, " images"]]
    views: int


def _measure(
    pairs: Pairs,
    names: Sequence[str],
    *,
    nearest: Float64[np.ndarray, " images"],
    find_flips: FindFlips | None,
) -> _Measured:
    """Measure one transform, whose levels have these names in the plan."""
    views = np.concatenate([stack_views(pairs, name) for name in names], axis=1)
    # A ball over fewer views is smaller, and would compare what is not alike.
    whole = ~np.isnan(views).any(axis=(1, 2))
    shift = np.full(len(pairs), np.nan)
    shift[whole] = ((views[whole] - pairs.units[whole, None]) ** 2).sum(axis=2).mean(axis=1) / 2
    values = {
        "radius": divergence_radii(np.concatenate([pairs.units[:, None], views], axis=1)),
        "shift": shift,
        "neighbour_ratio": divide_by_scale(shift, nearest),
    }
    if find_flips is not None:
        values[FLIPS] = np.where(whole, find_flips(pairs.units, views).mean(axis=1), np.nan)
    return _Measured(values=values, views=int(whole.sum()) * views.shape[1])


def _find_intervals(
    values: Float64[np.ndarray, "images transforms"], *, resamples: int, level: float, seed: int
) -> Intervals:
    return bca(
        resampled_means(values, resamples=resamples, seed=seed),
        mean=means(values),
        pulls=influence(values),
        n=(~np.isnan(values)).sum(axis=0),
        level=level,
    )


def _predict(
    flips: Float64[np.ndarray, "images transforms"] | None,
    predictors: Mapping[str, Float64[np.ndarray, "images transforms"]],
    *,
    resamples: int,
    level: float,
    seed: int,
) -> tuple[FlipPrediction | None, str]:
    """Return the prediction, or None and why it is refused."""
    if flips is None:
        return None, ""
    try:
        return predict_flips(flips, predictors, resamples=resamples, level=level, seed=seed), ""
    except PlanError as error:  # too few transforms: the radii and flip rates stand all the same
        return None, str(error)
