"""Means at equal damage written a second time: split by split, half by half, image by image."""

import math


def mean(values):
    return math.fsum(values) / len(values)


def place_of(damages, target):
    """Where the mean damage of the levels is the target, by linear interpolation; else the nearest level."""
    means = [mean(level) for level in damages]
    for at in range(len(means) - 1, 0, -1):
        one, other = means[at - 1], means[at]
        if min(one, other) <= target <= max(one, other) and one != other:
            return at - 1 + (target - one) / (other - one)
    return float(min(range(len(means)), key=lambda at: abs(means[at] - target)))


def at_place(levels, place):
    low = min(int(place), len(levels) - 2) if len(levels) > 1 else 0
    if len(levels) == 1:
        return levels[0]
    return levels[low] + (place - low) * (levels[low + 1] - levels[low])


def cross_fit(damage, values, *, target, halves, images=None):
    """The mean over images of the mean over splits; `images` may hold an image several times."""
    images = list(range(len(values))) if images is None else images
    totals = []
    for image in images:
        found = []
        for half in halves:
            fitted = [other for other in images if half[other] != half[image]]
            levels = [[damage[other][level] for other in fitted] for level in range(len(damage[0]))]
            found.append(at_place(values[image], place_of(levels, target)))
        totals.append(mean(found))
    return mean(totals)
