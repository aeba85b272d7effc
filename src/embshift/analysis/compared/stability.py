"""Stability of encoders beside how well they keep images apart, each with joint intervals of the ranks."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from embshift.analysis.compared.intervals import Estimates, Sample, estimate_one, resample
from embshift.analysis.compared.values import ComparedValues, pull_denominators
from embshift.analysis.embeddings.calibration import Scale, divide_by_scale
from embshift.analysis.sampling.bootstrap import influence, means
from embshift.analysis.shifts.ranks import Ranks, rank_transforms

__all__ = ["OVERVIEW", "Overview", "Spread", "compute_overview", "measure_spread"]

OVERVIEW = ("relative_shift", "recall_at_1", "separation")
"""What encoders are ranked by, one by one: the mean relative shift and recall@1 over transforms, and the mean
over images of the distance to the nearest other image over the mean distance to all others."""

_HIGHER = {"relative_shift": False, "recall_at_1": True, "separation": True}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Spread:
    """How far apart an encoder keeps the originals.

    Attributes:
        values: Distance of each image to the nearest other one over its mean distance to all others, ordered
            by id: 0 where images coincide; NaN where all do.
        pulls: Influence of each image on their mean through the mean distances.
    """

    values: Float64[np.ndarray, " images"]
    pulls: Float64[np.ndarray, " images"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Overview:
    """Every run by every number in `OVERVIEW`; no number stands for all of them.

    Attributes:
        runs: Names of the runs.
        estimates: For each run, one row with a column for each number.
        ranks: Ranks of the runs by each number; 1 is the most stable, or the best separated.
    """

    runs: tuple[str, ...]
    estimates: tuple[Estimates, ...]
    ranks: dict[str, Ranks]


def measure_spread(units: Float64[np.ndarray, "images dim"], scale: Scale, *, ids: Sequence[str]) -> Spread:
    """Compute how far apart the originals lie.

    Args:
        units: Unit embeddings of the originals.
        scale: Distances between them.
        ids: Their image ids.
    """
    order = np.argsort(np.array(ids, dtype=str), kind="stable")
    ratios = divide_by_scale(scale.nearest, scale.others)
    pulls = pull_denominators(ratios, units, others=scale.others)
    return Spread(values=ratios[order], pulls=pulls[order])


def compute_overview(
    names: Sequence[str],
    values: Sequence[ComparedValues],
    spreads: Sequence[Spread],
    *,
    draws: int,
    level: float,
    resamples: int,
    seed: int,
) -> Overview:
    """Rank runs by each number of `OVERVIEW`.

    Args:
        names: Names of the runs.
        values: Values of the images of each.
        spreads: How far apart each keeps the originals.
        draws: Number of draws of each transform.
        level: Coverage of intervals; that of the ranks is joint over the runs.
        resamples: Number of resamples of the images.
        seed: Their seed.
    """
    samples = [_sample(one, spread, draws=draws) for one, spread in zip(values, spreads, strict=True)]
    drawn = resample(samples, resamples=resamples, seed=seed)
    apart = np.stack(drawn, axis=2)  # resamples columns runs
    pulls = np.stack([one.pulls for one in samples], axis=2)  # images columns runs
    scores = np.stack([means(one.values) for one in samples], axis=1)  # columns runs
    counts = np.stack([(~np.isnan(one.values)).sum(axis=0) for one in samples], axis=1)
    return Overview(
        runs=tuple(names),
        estimates=tuple(
            estimate_one(one, part, level=level) for one, part in zip(samples, drawn, strict=True)
        ),
        ranks={
            name: rank_transforms(
                scores[at],
                resampled=scores[at] + apart[:, at],
                pulls=pulls[:, at],
                known=counts[at] > 1,
                transforms=names,
                by=name,
                seed=seed,
                higher=_HIGHER[name],
                level=level,
            )
            for at, name in enumerate(OVERVIEW)
        },
    )


def _sample(found: ComparedValues, spread: Spread, *, draws: int) -> Sample:
    """Return one run's numbers as a sample; a mean over transforms takes images that have them all."""
    shift, recall = (found.statistics.index(name) for name in OVERVIEW[:2])
    values = np.stack([*found.values[:, :, [shift, recall]].mean(axis=1).T, spread.values], axis=1)
    through = found.scale_pulls[:, :, shift].mean(axis=1)
    pulls = influence(values)
    pulls[:, 0] += through
    pulls[:, 2] += spread.pulls
    return Sample(
        transforms=("all",),
        statistics=OVERVIEW,
        values=values,
        pulls=pulls,
        draws=draws * len(found.transforms),
    )
