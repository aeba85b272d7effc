"""Measurements on embeddings written a second time: picture by picture, pair by pair, in plain Python."""

import itertools
import math

import numpy as np
from scipy.stats import t as student


def unit(vector):
    length = math.sqrt(math.fsum(float(x) * float(x) for x in vector))
    return [float(x) / length for x in vector]


def dot(a, b):
    return math.fsum(x * y for x, y in zip(a, b))


def shift(a, b):
    return 0.5 * math.fsum((x - y) ** 2 for x, y in zip(a, b))


def mean(values):
    return math.fsum(values) / len(values)


def calibration(originals, views):
    """The six values of each picture; originals and views are raw."""
    z, v = [unit(a) for a in originals], [unit(a) for a in views]
    apart = [[shift(a, b) for b in z] for a in z]
    nearest = [min(row[:i] + row[i + 1 :]) for i, row in enumerate(apart)]
    found = []
    for i in range(len(z)):
        d = shift(z[i], v[i])
        others = apart[i][:i] + apart[i][i + 1 :]
        found.append(
            {
                "cosine_shift": d,
                "unit_l2": math.dist(z[i], v[i]),
                "norm_ratio": math.hypot(*views[i]) / math.hypot(*originals[i]),
                "relative_shift": d / mean(others),
                "neighbour_ratio": d / nearest[i] if nearest[i] else math.nan,
                "neighbour_percentile": 100 * sum(one < d for one in nearest) / len(nearest),
            }
        )
    return found


def retrieval(originals, views, *, k):
    """Rank, margin and overlap of each picture."""
    z, v = [unit(a) for a in originals], [unit(a) for a in views]
    found = []
    for i, query in enumerate(v):
        scores = [dot(query, other) for other in z]
        others = [j for j in range(len(z)) if j != i]
        rank = 1 + sum(scores[j] >= scores[i] for j in others)
        near = set(sorted(others, key=lambda j: -scores[j])[:k])
        own = [dot(z[i], other) for other in z]
        near_own = set(sorted(others, key=lambda j: -own[j])[:k])
        found.append(
            {
                "rank": rank,
                "margin": scores[i] - max(scores[j] for j in others),
                "overlap": len(near & near_own) / len(near | near_own),
            }
        )
    return found


def explained_variance(shifts):
    """Mean product of two different shifts over the mean square of one."""
    n = len(shifts)
    cross = mean([dot(shifts[i], shifts[j]) for i in range(n) for j in range(n) if i != j])
    return cross / mean([dot(a, a) for a in shifts])


def consistency(shifts):
    found = []
    for i, own in enumerate(shifts):
        rest = [a for j, a in enumerate(shifts) if j != i]
        middle = [mean(column) for column in zip(*rest)]
        found.append(dot(own, middle) / math.sqrt(dot(own, own) * dot(middle, middle)))
    return found


def hsic_unbiased(x, y):
    """HSIC₁ from kernels with empty diagonals: sums over distinct indices, term by term."""
    n = len(x)
    k = [[0.0 if i == j else dot(x[i], x[j]) for j in range(n)] for i in range(n)]
    m = [[0.0 if i == j else dot(y[i], y[j]) for j in range(n)] for i in range(n)]
    pairs = math.fsum(k[i][j] * m[i][j] for i in range(n) for j in range(n))
    fours = math.fsum(map(math.fsum, k)) * math.fsum(map(math.fsum, m)) / ((n - 1) * (n - 2))
    threes = math.fsum(k[i][j] * m[j][q] for i in range(n) for j in range(n) for q in range(n))
    return (pairs + fours - 2 * threes / (n - 2)) / (n * (n - 3))


def cka(x, y):
    """From centred kernel matrices, as Kornblith et al. write HSIC."""
    x, y = np.asarray(x, float), np.asarray(y, float)
    n = len(x)
    centre = np.eye(n) - np.ones((n, n)) / n
    k, m = centre @ x @ x.T @ centre, centre @ y @ y.T @ centre
    return np.trace(k @ m) / math.sqrt(np.trace(k @ k) * np.trace(m @ m))


def sign_flip(differences):
    """The exact two-sided p over all 2ⁿ flips."""
    seen = abs(math.fsum(differences))
    flips = list(itertools.product((-1, 1), repeat=len(differences)))
    reached = sum(abs(math.fsum(s * d for s, d in zip(one, differences))) >= seen - 1e-12 for one in flips)
    return reached / len(flips)


def max_t(columns, flips):
    """Step-down max-T over given flips: studentised means, one flip an image for all columns."""

    def t(values):
        n, middle = len(values), mean(values)
        spread = math.fsum((one - middle) ** 2 for one in values) / (n - 1)
        if spread <= 1e-24 * (1 + middle**2):
            return math.inf if abs(middle) > 1e-12 else 0.0
        return abs(middle) / math.sqrt(spread / n)

    seen = [t(column) for column in columns]
    order = sorted(range(len(columns)), key=lambda at: -seen[at])
    found, worst = [0.0] * len(columns), 0.0
    for place, at in enumerate(order):
        rest = order[place:]
        reached = 0
        for signs in flips:
            greatest = max(t([s * d for s, d in zip(signs, columns[other])]) for other in rest)
            reached += greatest >= seen[at] * (1 - 1e-9)
        worst = max(worst, reached / len(flips))
        found[at] = worst
    return found


def jackknife(function, *sides, level=0.95, correlation=False):
    """Both ends of the interval of a function of images, each left out once; of a correlation as artanh."""
    if correlation:
        low, high = jackknife(lambda *kept: math.atanh(function(*kept)), *sides, level=level)
        return math.tanh(low), math.tanh(high)
    n = len(sides[0])
    without = [float(function(*(np.delete(side, at, axis=0) for side in sides))) for at in range(n)]
    middle = mean(without)
    error = math.sqrt((n - 1) / n * math.fsum((one - middle) ** 2 for one in without))
    far = float(student.ppf((1 + level) / 2, n - 1)) * error
    whole = float(function(*sides))
    return whole - far, whole + far
