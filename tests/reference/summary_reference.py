"""Summaries and mean distances written a second time, as plain loops over lists."""

import math

from scipy.spatial.distance import pdist


def image_means(rows, *, skip=()):
    """Mean over the draws that are defined, by (row, transform, metric); NaN where none is.

    Args:
        rows: (row, transform, draw, metric, value).
        skip: Rows that count no more.
    """
    found = {}
    for row, transform, _, metric, value in rows:
        if row not in skip:
            found.setdefault((row, transform, metric), []).append(value)
    return {key: mean([v for v in values if not math.isnan(v)]) for key, values in found.items()}


def mean(values):
    total = 0.0
    for value in values:
        total += value
    return total / len(values) if values else math.nan


def deviation(values):
    if len(values) < 2:
        return math.nan
    middle, total = mean(values), 0.0
    for value in values:
        total += (value - middle) ** 2
    return math.sqrt(total / (len(values) - 1))


def cells(rows, *, transforms, metrics, skip=()):
    """(mean, deviation, n, undefined) over images, by (transform, metric)."""
    means = image_means(rows, skip=skip)
    table = {}
    for transform in transforms:
        for metric in metrics:
            taken = [value for (_, t, m), value in means.items() if (t, m) == (transform, metric)]
            defined = [value for value in taken if not math.isnan(value)]
            table[transform, metric] = (
                mean(defined),
                deviation(defined),
                len(defined),
                len(taken) - len(defined),
            )
    return table


def rank(scores):
    """1 for the greatest, equal ones the better of their ranks, None for NaN."""
    ranks = []
    for score in scores:
        above = 0
        for other in scores:
            if other > score:
                above += 1
        ranks.append(None if math.isnan(score) else above + 1)
    return ranks


def mean_distances(images, *, transforms, distance):
    """Equation (2) pair by pair: mean over images of the mean over draws; and the images behind each."""
    found, counts = [], []
    for first in range(len(transforms)):
        for second in range(first + 1, len(transforms)):
            by_image = []
            for views in images:
                by_draw = []
                for one, other in zip(views[transforms[first]], views[transforms[second]], strict=True):
                    if not any(math.isnan(number) for number in [*one, *other]):
                        by_draw.append(float(pdist([one, other], metric=distance)[0]))
                if by_draw:
                    by_image.append(mean(by_draw))
            found.append(mean(by_image))
            counts.append(len(by_image))
    return found, counts
