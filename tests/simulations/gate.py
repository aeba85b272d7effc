"""How often a gate holds, breaks and leaves undecided, beside the rule that compares means alone."""

from dataclasses import replace
from functools import lru_cache

import numpy as np

from embshift.analysis.compared.intervals import sample_differences, sample_values
from embshift.analysis.compared.values import ComparedValues, pull_denominators
from embshift.analysis.embeddings.calibration import mean_distance_to_others
from embshift.analysis.embeddings.neighbours import half_squared_distances
from embshift.analysis.embeddings.pairs import unit_vectors
from embshift.analysis.gate.budgets import Budget, Gate
from embshift.analysis.gate.power import POWER, images_for_mean
from embshift.analysis.gate.verdicts import bound_samples, decide
from tests.simulations.coverage import Share

IMAGES, FACTORS = (36, 100, 400), (1.0, 1.1, 1.25)

TRANSFORMS = tuple(f"transform-{at}" for at in range(9))

RECALL = 0.98

GATE = Gate(min_images=10)

_SPREAD = 0.6
"""Of the logarithm of a relative shift over images: deviation over mean is .66, as of the demo's blur."""


def make_budget(statistic, kind, limit):
    return Budget(
        name="simulated",
        source="--require",
        line=None,
        scope="transforms",
        transforms=("*",),
        statistic=statistic,
        kind=kind,
        limit=limit,
        allow="exact",
    )


def make_values(statistic, array):
    """Values of images (rows) and transforms (columns), without denominators."""
    return ComparedValues(
        ids=tuple(f"{at:06d}" for at in range(len(array))),
        transforms=TRANSFORMS[: array.shape[1]],
        statistics=(statistic,),
        values=array[:, :, None],
        scale_pulls=np.zeros((*array.shape, 1)),
    )


def draw_shifts(rng, images):
    """Relative shifts with a mean of 1, correlated over transforms through the image."""
    size = rng.normal(size=(images, 1)) + rng.normal(size=(images, len(TRANSFORMS)))
    return np.exp(_SPREAD * size / np.sqrt(2) - _SPREAD**2 / 2)


def _judge(sample, budget, *, seed, resamples):
    """Return verdict and mean of each transform."""
    (bounds,) = bound_samples([sample], level=GATE.level, seed=seed, families=1, resamples=resamples)
    return [(decide(budget, bound), bound.value) for bound in bounds.values()]


def verdict_rates(images, *, statistic, factor, trials, resamples, seed=0):
    """Shares of runs whose first transform holds, breaks or stays undecided; and breaks by its mean alone.

    The limit is the true mean times a factor; for recall, what the truth lacks to 1 times the factor.
    """
    found = {"holds": 0, "broken": 0, "undecided": 0, "point": 0}
    for trial in range(trials):
        rng = np.random.default_rng((seed, images, trial))
        if statistic == "recall_at_1":
            array = (rng.random((images, len(TRANSFORMS))) < RECALL).astype(np.float64)
            budget = make_budget(statistic, "at_least", 1 - factor * (1 - RECALL))
        else:
            array, budget = draw_shifts(rng, images), make_budget(statistic, "at_most", factor)
        sample = sample_values(make_values(statistic, array), draws=1)
        verdict, value = _judge(sample, budget, seed=trial, resamples=resamples)[0]
        found[verdict] += 1
        found["point"] += value > budget.limit if budget.kind == "at_most" else value < budget.limit
    return {name: count / trials for name, count in found.items()}


def never_red(images, *, statistic="relative_shift", at_limit=True, trials, resamples, seed=0):
    """How often none of nine differences breaks its margin, while all are truly at it or at 0."""
    margin, red = 0.05, 0
    for trial in range(trials):
        rng = np.random.default_rng((seed, images, trial))
        if statistic == "recall_at_1":
            one, two = _found_twice(rng, images, lost=margin if at_limit else 0.0)
        else:
            one = draw_shifts(rng, images)
            two = one * np.exp(0.2 * rng.normal(size=one.shape) - 0.02) + (margin if at_limit else 0.0)
        sample = sample_differences(make_values(statistic, one), make_values(statistic, two))
        verdicts = _judge(
            sample, make_budget(statistic, "worse_by_at_most", margin), seed=trial, resamples=resamples
        )
        red += any(verdict == "broken" for verdict, _ in verdicts)
    held = 1 - red / trials
    return Share(held=held, error=float(np.sqrt(max(held * (1 - held), 1 / trials) / trials)))


def _found_twice(rng, images, *, lost):
    """Finds of two runs: the second loses some more of them than it gains."""
    draw, shape = rng.random((images, len(TRANSFORMS))), (images, len(TRANSFORMS))
    one = (rng.random(shape) < RECALL).astype(np.float64)
    gained, gone = draw < 0.01 + 0 * one, draw > 1 - (0.01 * (1 - RECALL) + lost) / RECALL
    return one, np.where(one == 1, ~gone, gained).astype(np.float64)


# A planted change ------------------------------------------------------------------------------------------

PIXELS, HIDDEN, DIM = 24, 48, 16


_SIGNAL = np.where(np.arange(PIXELS) < PIXELS // 2, 1.0, 0.05)
"""Images differ in one half of the pixels. The network has learnt to look there; noise is everywhere."""


def _network(rng):
    """Return a network of two layers, and a change of the first that looks everywhere, of the same norm."""
    first, change = (rng.normal(size=(PIXELS, HIDDEN)) for _ in range(2))
    first *= _SIGNAL[:, None]
    return (first, rng.normal(size=(HIDDEN, DIM))), change * np.linalg.norm(first) / np.linalg.norm(change)


def _relative(layers, seen, views):
    """Relative shifts by a network of two layers, without the ranks that take as many products as pairs."""
    one, two = (unit_vectors(np.maximum(part @ layers[0], 0) @ layers[1])[0] for part in (seen, views))
    others = mean_distance_to_others(one)
    ratios = half_squared_distances(one, two) / others
    values = make_values("relative_shift", ratios[:, None])
    return replace(values, scale_pulls=pull_denominators(ratios, one, others=others)[:, None, None])


def _planted(rng, images, *, size):
    """Return differences of relative shift by an encoder whose first layer is perturbed."""
    layers, change = _network(np.random.default_rng(5))
    other = (layers[0] + size * change, layers[1])
    seen = _SIGNAL * rng.normal(size=(images, PIXELS))
    views = seen + 0.4 * rng.normal(size=seen.shape)
    return sample_differences(*(_relative(each, seen, views) for each in (layers, other)))


@lru_cache
def planted_truth(size):
    """Mean of the difference over 200,000 images, and how far each of them moves it."""
    sample = _planted(np.random.default_rng(7), 200_000, size=size)
    return float(sample.values.mean()), sample.pulls[:, 0]


def planted_found(*, size, share, trials, resamples, seed=0):
    """Number of images that the power calculation gives, and how often so many find the planted change.

    Args:
        size: Norm of the perturbation, relative to that of the layer.
        share: Margin of the budget, as a share of the true difference.
        trials: Number of simulated runs.
        resamples: Resamples of each.
        seed: Their seed.
    """
    mean, pulls = planted_truth(size)
    budget = make_budget("relative_shift", "worse_by_at_most", share * mean)
    images = images_for_mean(budget.limit - mean, pulls=pulls, error=1 - GATE.level, power=POWER)
    found = 0
    for trial in range(trials):
        sample = _planted(np.random.default_rng((seed, trial)), images, size=size)
        found += _judge(sample, budget, seed=trial, resamples=resamples)[0][0] == "broken"
    held = found / trials
    return images, Share(held=held, error=float(np.sqrt(max(held * (1 - held), 1 / trials) / trials)))


def _spell(rates):
    three = " / ".join(f"{100 * rates[name]:.0f}" for name in ("holds", "undecided", "broken"))
    return f"{three} ({100 * rates['point']:.0f})"


def print_gate(*, trials=400, resamples=1_000):
    """Print the verdicts; return whether none is red too often, and the planted change is found."""
    print(f"\n{'verdicts of the gate, %: held / undecided / broken (broken by the mean alone)':<40}")
    print(f"{'':<40}" + "".join(f"{images:>26,}" for images in IMAGES))
    right = True
    for statistic in ("relative_shift", "recall_at_1"):
        for factor in FACTORS:
            print(f"{f'{statistic}, budget {factor:g} × truth':<40}", end="", flush=True)
            for images in IMAGES:
                rates = verdict_rates(
                    images, statistic=statistic, factor=factor, trials=trials, resamples=resamples
                )
                print(f"{_spell(rates):>26}", end="", flush=True)
                right &= rates["broken"] <= 1 - GATE.level + 3 * np.sqrt(0.05 * 0.95 / trials)
            print()
    for statistic in ("relative_shift", "recall_at_1"):
        for at_limit, name in ((False, "no change"), (True, "change = margin")):
            print(f"{f'none of nine red, {statistic}, {name}':<40}", end="", flush=True)
            for images in IMAGES:
                found = never_red(
                    images, statistic=statistic, at_limit=at_limit, trials=trials, resamples=resamples
                )
                print(f"{100 * found.held:>26.1f}", end="", flush=True)
                right &= found.held >= GATE.level - 3 * found.error
            print()
    for size in (0.5, 0.8):
        for share in (0.25, 0.5):
            images, found = planted_found(size=size, share=share, trials=trials, resamples=resamples)
            mean = planted_truth(size)[0]
            print(
                f"layer perturbed by {size:g}: difference {mean:.4f}, margin {share * mean:.4f}: needs"
                f" {images:,} images for power {POWER:g}; found in {100 * found.held:.1f} %"
            )
            right &= abs(found.held - POWER) < 0.1
    return right
