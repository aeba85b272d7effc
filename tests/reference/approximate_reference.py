"""The error of an approximate search written a second time: every view against every original, by sorting."""

import numpy as np

from tests.reference.measurements_reference import mean, unit


def search(originals, views, *, k):
    """True rank, margin, and the k nearest other images of each view; vectors of any length."""
    z, v = (np.array([unit(one) for one in side]) for side in (originals, views))
    ranks, margins, nearest = [], [], []
    for at, view in enumerate(v):
        products = (z @ view).tolist()
        others = sorted((one for one in range(len(z)) if one != at), key=lambda one: -products[one])
        ranks.append(1 + sum(products[one] >= products[at] for one in others))
        margins.append(products[at] - products[others[0]])
        nearest.append(others[:k])
    return ranks, margins, nearest


def means(originals, views, *, k):
    """The means that an exact search gives, by name of the measure."""
    ranks, margins, nearest = search(originals, views, k=k)
    own = search(originals, originals, k=k)[2]
    overlaps = [len({*a} & {*b}) / len({*a} | {*b}) for a, b in zip(own, nearest, strict=True)]
    return {
        **{f"recall_at_{most}": mean([float(rank <= most) for rank in ranks]) for most in (1, 5, 10)},
        "mrr": mean([1 / rank for rank in ranks]),
        "margin": mean(margins),
        "knn_jaccard": mean(overlaps),
    }


def overlooked(originals, views, found, *, k):
    """Share of the true neighbours that are not among those found."""
    true = search(originals, views, k=k)[2]
    missed = [
        one not in row for near, row in zip(true, np.asarray(found).tolist(), strict=True) for one in near
    ]
    return sum(missed) / len(missed)
