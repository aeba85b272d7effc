"""Corrections written a second time: fitted to weighted images, and fitted anew for each other weight."""

import numpy as np
from scipy.linalg import polar

PENALTIES = np.logspace(-4, 4, 17)


def _ridge(views, shifts, weights, penalty):
    """Return both means and the map of a weighted ridge: least squares with rows for the penalty."""
    middle = np.average(views, axis=0, weights=weights)
    shift = np.average(shifts, axis=0, weights=weights)
    root = np.sqrt(weights)[:, None]
    above, right = root * (views - middle), root * (shifts - shift)
    dim = views.shape[1]
    added = np.sqrt(penalty * (above**2).sum() / dim) * np.eye(dim)
    rows = np.concatenate([above, added]), np.concatenate([right, np.zeros((dim, dim))])
    return middle, shift, np.linalg.lstsq(*rows, rcond=None)[0]


def choose_penalties(originals, views, fold):
    """The penalty of each fold, from predictions of its training folds by each other."""
    shifts, found = views - originals, []
    for held in range(fold.max() + 1):
        errors = []
        for penalty in PENALTIES:
            error = 0.0
            for tried in set(range(fold.max() + 1)) - {held}:
                inner = (fold != held) & (fold != tried)
                middle, shift, map_ = _ridge(views[inner], shifts[inner], np.ones(inner.sum()), penalty)
                guess = shift + (views[fold == tried] - middle) @ map_
                error += ((guess - shifts[fold == tried]) ** 2).sum()
            errors.append(error)
        found.append(PENALTIES[int(np.argmin(errors))])
    return found


def left_shifts(originals, views, fold, weights, penalties):
    """Shift of each image after each correction, fitted to the weighted images of the other folds."""
    shifts = views - originals
    after = {name: np.empty(len(views)) for name in ("mean", "orthogonal", "linear")}
    for held in range(fold.max() + 1):
        fitted, test = fold != held, fold == held
        own = weights[fitted]
        middle, shift, map_ = _ridge(views[fitted], shifts[fitted], own, penalties[held])
        product = (views[fitted] * own[:, None]).T @ originals[fitted]
        product = product + 1e-9 * (own @ (views[fitted] ** 2)).sum() / views.shape[1] * np.eye(len(product))
        repaired = {
            "mean": views[test] - np.average(shifts[fitted], axis=0, weights=own),
            "orthogonal": views[test] @ polar(product)[0],
            "linear": views[test] - shift - (views[test] - middle) @ map_,
        }
        for name, one in repaired.items():
            cosine = (one * originals[test]).sum(axis=1) / np.linalg.norm(one, axis=1)
            after[name][test] = 1 - cosine
    return after


def pulls(originals, views, fold, step=1e-2):
    """Derivative of the sum of what is left by the weight of each image in the fits: central differences."""
    penalties = choose_penalties(originals, views, fold)
    found = {name: [] for name in ("mean", "orthogonal", "linear")}
    for at in range(len(views)):
        sides = []
        for sign in (1, -1):
            weights = np.ones(len(views))
            weights[at] += sign * step
            sides.append(left_shifts(originals, views, fold, weights, penalties))
        for name, each in found.items():
            each.append((sides[0][name].sum() - sides[1][name].sum()) / (2 * step))
    return {name: np.array(each) for name, each in found.items()}


def refitted_shares(originals, views, fold, *, penalties, resamples, seed):
    """Share removed in each resample of the images, with every correction fitted to the resample."""
    rng, n = np.random.default_rng(seed), len(views)
    before = ((views - originals) ** 2).sum(axis=1) / 2
    found = {name: [] for name in ("mean", "orthogonal", "linear")}
    for _ in range(resamples):
        counts = np.bincount(rng.integers(n, size=n), minlength=n)
        drawn = np.repeat(np.arange(n), counts)
        after = left_shifts(originals[drawn], views[drawn], fold[drawn], np.ones(n), penalties)
        for name, each in found.items():
            each.append(1 - after[name].sum() / before[drawn].sum())
    return {name: np.array(each) for name, each in found.items()}
