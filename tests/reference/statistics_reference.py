"""Bootstrap, BCa and simultaneous ranks written a second time: resample by resample, pair by pair."""

import math
from statistics import NormalDist

import numpy as np
from scipy.stats import t as student

NORMAL = NormalDist()


def draws(images, *, resamples, seed):
    """The images of each resample, as numpy's generator gives them one resample after another."""
    rng = np.random.default_rng(seed)
    return [[int(at) for at in rng.integers(images, size=images)] for _ in range(resamples)]


def mean(values):
    defined = [value for value in values if not math.isnan(value)]
    return math.fsum(defined) / len(defined) if defined else math.nan


def quantile(values, level):
    """Linear between order statistics."""
    ordered = sorted(values)
    place = level * (len(ordered) - 1)
    below = math.floor(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (place - below) * (ordered[above] - ordered[below])


def bca(values, *, resamples, seed, level, score=mean, n=None):
    """The BCa interval of a score of n images, with the jackknife carried out and z expanded for few."""
    taken = [
        score([values[at] for at in drawn]) for drawn in draws(len(values), resamples=resamples, seed=seed)
    ]
    taken = [value for value in taken if not math.isnan(value)]
    whole = score(values)
    without = [score(values[:at] + values[at + 1 :]) for at in range(len(values))]
    middle = math.fsum(without) / len(without)
    cubes = math.fsum((middle - one) ** 3 for one in without)
    squares = math.fsum((middle - one) ** 2 for one in without)
    acceleration = cubes / (6 * squares**1.5)
    below = sum(one < whole for one in taken) / len(taken) + sum(one == whole for one in taken) / (
        2 * len(taken)
    )
    bias = NORMAL.inv_cdf(below)
    n = n or sum(not math.isnan(one) for one in values)
    wide = math.sqrt(n / (n - 1)) * float(student.ppf((1 + level) / 2, n - 1))
    ends = []
    for far in (-wide, wide):
        shifted = bias + far
        ends.append(quantile(taken, NORMAL.cdf(bias + shifted / (1 - acceleration * shifted))))
    return ends


def clustered_wilson(shares, *, draws, level=0.95):
    """Wilson's interval with n over the design effect in place of n; `shares` are means over draws."""
    n, middle = len(shares), mean(shares)
    variance = math.fsum((one - middle) ** 2 for one in shares) / (n - 1)
    if middle in (0.0, 1.0):
        trials = n
    elif variance == 0:
        trials = draws
    else:
        trials = min(draws, max(n, n * middle * (1 - middle) / variance))
    z = NORMAL.inv_cdf((1 + level) / 2)
    # The two proportions that lie exactly z standard errors, their own, from the one observed.
    a, b, c = 1 + z * z / trials, -(2 * middle + z * z / trials), middle * middle
    root = math.sqrt(max(b * b - 4 * a * c, 0.0))
    return (-b - root) / (2 * a), (-b + root) / (2 * a)


def simultaneous(table, *, resamples, seed, level):
    """Critical value, half widths and rank intervals of columns without undefined values, higher first."""
    images, count = len(table), len(table[0])
    pairs = [(j, k) for j in range(count) for k in range(j + 1, count)]
    largest = []
    for drawn in draws(images, resamples=resamples, seed=seed):
        worst = 0.0
        for j, k in pairs:
            here = [table[at][j] - table[at][k] for at in drawn]
            change = mean(here) - mean([row[j] - row[k] for row in table])
            spread = error(here)
            worst = max(worst, abs(change) / spread if spread else (math.inf if change else 0.0))
        largest.append(worst)
    critical = sorted(largest)[math.ceil(level * (resamples - 1))]
    widths = {(j, k): critical * error([row[j] - row[k] for row in table]) for j, k in pairs}
    apart = {(j, k): mean([row[j] - row[k] for row in table]) for j, k in pairs}
    intervals = []
    for j in range(count):
        above = below = 0
        for (one, other), difference in apart.items():
            if abs(difference) > widths[one, other] and j in (one, other):
                j_is_better = (difference > 0) == (j == one)
                below, above = below + j_is_better, above + (not j_is_better)
        intervals.append((1 + above, count - below))
    return critical, widths, intervals


def error(values):
    """Standard error of the mean, as the resamples' own standard errors are taken."""
    if len(set(values)) == 1:
        return 0.0  # said apart: the mean of equal numbers may be off by a rounding
    middle = mean(values)
    return math.sqrt(math.fsum((value - middle) ** 2 for value in values) / len(values) / (len(values) - 1))
