"""Literal second writings of what runs are compared by."""

import numpy as np


def _unit(vector):
    vector = np.asarray(vector, np.float64)
    return vector / np.sqrt((vector**2).sum())


def compared_values(run, transform):
    """Every statistic of every image by id, one view after another."""
    ids, originals = run.image_ids(), run.embeddings()
    units = {row: _unit(value) for row, value in zip(originals.rows.tolist(), originals.values, strict=True)}
    found, views = {}, run.embeddings(transform)
    for row, value in zip(views.rows.tolist(), views.values, strict=True):
        view, own = _unit(value), units[row]
        others = [units[other] for other in units if other != row]
        distances = [0.5 * ((own - other) ** 2).sum() for other in others]
        shift = 0.5 * ((view - own) ** 2).sum()
        nearer = sum(view @ other >= view @ own for other in others)
        one = {
            "relative_shift": shift / np.mean(distances),
            "neighbour_ratio": shift / min(distances),
            "nearer_share": nearer / len(others),
            "recall_at_1": float(nearer == 0),
            "cosine_shift": shift,
        }
        for name, number in one.items():
            found.setdefault(name, {}).setdefault(ids[row], []).append(number)
    return {name: {key: np.mean(part) for key, part in own.items()} for name, own in found.items()}


def mean_relative_shift(units, shifts, weights, *, numerator):
    """The weighted mean of shifts over weighted distances to the others, and these distances."""
    images = len(units)
    others = np.empty(images)
    for at in range(images):
        rest = [other for other in range(images) if other != at]
        apart = [0.5 * ((units[at] - units[other]) ** 2).sum() for other in rest]
        others[at] = np.average(apart, weights=weights[rest])
    ratios = shifts / others
    known = ~np.isnan(ratios)
    return np.average(ratios[known], weights=numerator[known]), others


def score_ends(above, below, n):
    """Tango's interval by trying differences, the likeliest nuisance share found by trying as well."""
    kept = []
    for delta in np.linspace(-0.9999, 0.9999, 2001):
        # p12 = q + delta, p21 = q; the likelihood is multinomial.
        most = (1 - delta) / 2
        least = max(0.0, -delta)
        shares = np.linspace(least, most, 1001)[1:-1]
        with np.errstate(divide="ignore", invalid="ignore"):
            likelihood = (
                np.where(above > 0, above * np.log(shares + delta), 0.0)
                + np.where(below > 0, below * np.log(shares), 0.0)
                + (n - above - below) * np.log(1 - 2 * shares - delta)
            )
        share = shares[np.nanargmax(likelihood)]
        if above == below == 0 or np.isclose(share, shares[0]):
            share = least
        variance = n * (2 * share + delta - delta**2)
        if variance > 0 and abs(above - below - n * delta) <= 1.959963985 * np.sqrt(variance):
            kept.append(delta)
    return min(kept), max(kept)


def space_shift(one, two, *, neighbours):
    """Greatest shift, mean overlap of neighbours, recall of the second in the index of the first."""
    images = len(one)
    shifts = [0.5 * ((one[at] - two[at]) ** 2).sum() for at in range(images)]
    overlaps, found = [], 0
    for at in range(images):
        near = []
        for side in (one, two):
            order = sorted(
                (other for other in range(images) if other != at), key=lambda o: -(side[at] @ side[o])
            )
            near.append(set(order[:neighbours]))
        overlaps.append(len(near[0] & near[1]) / len(near[0] | near[1]))
        found += all(two[at] @ one[at] > two[at] @ one[other] for other in range(images) if other != at)
    return max(shifts), np.mean(overlaps), found / images
