"""The split of a metric's variance as a table of measures."""

import numpy as np

from embshift.analysis.embeddings.measures import Measured
from embshift.analysis.sampling.bootstrap import LEVEL
from embshift.analysis.shifts.variance import VARIANCE, split_variance
from embshift.runs.draws import DrawSums

__all__ = ["measure_variance"]


def measure_variance(sums: DrawSums, *, metric: str, level: float = LEVEL, seed: int = 0) -> Measured:
    """Measure how much of a metric's variance lies between images, and how much between draws.

    Args:
        sums: Draws of each image.
        metric: Name of the metric, for display.
        level: Coverage of the interval.
        seed: Seed of the groups of the jackknife.
    """
    found = split_variance(sums, level=level, seed=seed)
    return Measured(
        name="variance",
        measures=VARIANCE,
        transforms=sums.transforms,
        estimates=found,
        undefined=np.zeros(found.n.shape, np.int64),
        images=len(sums.count),
        left_out=0,
        notes=(
            f"of {metric}; the deviations have no interval: none that was tried holds for skewed values",
            "error of a mean over I images and D draws: √((image_deviation² + draw_deviation² / D) / I)",
        ),
        level=level,
    )
