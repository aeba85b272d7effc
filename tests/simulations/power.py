"""How often a limit is decided with as many images as the gate says, on skewed values.

The population is known: lognormals, and the values and differences that the bundled encoder gives for the
sample photographs under the nine transforms of the paper. Those are drawn with replacement, nine together.
"""

import tempfile
from dataclasses import replace
from functools import cache
from importlib.resources import as_file, files
from pathlib import Path

import numpy as np
from scipy.special import ndtri

import embshift
from embshift.analysis.compared.intervals import sample_differences, sample_values
from embshift.analysis.compared.of_runs import pair_shared
from embshift.analysis.compared.values import measure_values
from embshift.analysis.gate.power import POWER
from embshift.analysis.gate.verdicts import bound_samples, count_images, decide
from embshift.analysis.pairing.pairing import pair_panels
from embshift.analysis.pairing.panels import read_panel
from embshift.runs.tables import open_tables
from tests.simulations.gate import GATE, make_budget, make_values

ROOMS = (25, 50, 100, 300, 1_000)
"""Images that each margin would need, if values were normal."""

SIDES = {"holds": 1.0, "broken": -1.0}

LOGNORMALS = (0.6, 1.0)

_MANY = 20_000


def lognormal(deviation):
    """Return what many images would give, and what draws from the same population."""
    middle = np.exp(deviation**2 / 2)
    levels = (np.arange(_MANY) + 0.5) / _MANY
    return np.exp(deviation * ndtri(levels))[
        :, None
    ] - middle, lambda rng, images: np.exp(deviation * rng.normal(size=(images, 1))) - middle


@cache
def observed():
    """Return how far each image moves each mean: of the relative shifts of one run, and of differences."""
    with tempfile.TemporaryDirectory() as place:
        options = {"encoder": "lite", "metrics": ["cosine"], "device": "cpu", "threads": 1, "workers": 1}
        with as_file(files("embshift.images") / "samples") as photographs:
            for name, more in (("one", {}), ("two", {"precision": "bfloat16"})):
                embshift.measure([str(photographs)], out=Path(place) / name, **options, **more)
        runs = [open_tables(Path(place) / name) for name in ("one", "two")]
        pairing = pair_panels(*(read_panel(run) for run in runs))
        names = [one.name for one in pairing.transforms]
        first, second = (
            measure_values(pairs, transforms=names).select(statistics=["relative_shift"])
            for pairs in pair_shared(runs, [pairing])
        )
    return {
        "shift": sample_values(first, draws=1).pulls,
        "difference": sample_differences(first, second).pulls,
    }


def draw_again(values, *, centred=True):
    """Return observed values, and what draws images from them."""
    values = values - values.mean(axis=0) if centred else values
    return values, lambda rng, images: values[rng.integers(len(values), size=images)]


def _bound(values, *, statistic="relative_shift", compares=False, seed, resamples):
    sample = sample_values(make_values(statistic, values), draws=1)
    sample = replace(sample, draws=0) if compares else sample
    (bounds,) = bound_samples([sample], level=GATE.level, seed=seed, families=1, resamples=resamples)
    return list(bounds.values())


def decided(population, *, budget, side, column=0, trials, resamples, seed=0):
    """Return how many images a limit needs by the gate, and how often so many decide it.

    Args:
        population: What many images would give, and what draws images.
        budget: The limit.
        side: "holds" or "broken".
        column: The transform.
        trials: Number of simulated runs.
        resamples: Resamples of each.
        seed: Their seed.
    """
    values, draw = population
    compares = budget.kind == "worse_by_at_most"
    options = {"statistic": budget.statistic, "compares": compares, "resamples": resamples}
    bound = _bound(values, seed=0, **options)[column]
    reach = 0.0 if side == "holds" else bound.reach
    limit = -budget.limit if compares and budget.statistic == "recall_at_1" else budget.limit
    images = count_images(bound, limit=limit, error=1 - GATE.level, reach=reach, compares=compares)
    found = 0
    for trial in range(trials):
        drawn = draw(np.random.default_rng((seed, trial)), images)
        found += decide(budget, _bound(drawn, seed=trial, **options)[column]) == side
    return images, found / trials


def find_limit(values, *, side, normal, column=0):
    """Return a limit as far from the mean 0 as a number of images would need, if values were normal."""
    wide = -float(ndtri(1 - GATE.level)) + float(ndtri(POWER))
    room = wide * float(values[:, column].std()) / np.sqrt(normal)
    return make_budget("relative_shift", "at_most", SIDES[side] * room)


def proportion(share):
    """Return a population of 0 and 1."""
    found = np.arange(_MANY) < round(share * _MANY)
    return draw_again(found[:, None].astype(np.float64), centred=False)


def paired(gained, lost):
    """Return a population of differences of two proportions."""
    values = np.zeros(_MANY)
    values[: round(gained * _MANY)] = 1
    values[_MANY - round(lost * _MANY) :] = -1
    return draw_again(values[:, None], centred=False)


RECALLS = {(0.9, 0.8): "holds", (0.98, 0.95): "holds", (0.995, 0.98): "holds", (0.95, 0.98): "broken"}
"""Recall@1 and its limit."""

LOSSES = {(0.02, 0.02, 0.03): "holds", (0, 0.02, 0.05): "holds", (0, 0.05, 0.02): "broken"}
"""Images that another encoder finds in addition and no longer, and the margin."""


def _populations():
    for deviation in LOGNORMALS:
        yield f"lognormal, σ {deviation:g}", lognormal(deviation), 0
    for name, pulls in observed().items():
        skewness = ((pulls - pulls.mean(axis=0)) ** 3).mean(axis=0) / pulls.std(axis=0) ** 3
        order = np.argsort(skewness)
        for at in (order[0], order[-1]):
            yield f"{name} of demo, skewness {skewness[at]:.1f}", draw_again(pulls), int(at)


def print_power(*, trials=400, resamples=1_000):
    """Print how many images are named and how often they decide; return whether that is about 80 %."""
    print(f"\n{f'images needed: decided with so many, % (promised {100 * POWER:g})':<52}", end="")
    print("".join(f"{normal:>14,}" for normal in ROOMS))
    right, options = True, {"trials": trials, "resamples": resamples}
    for name, population, column in _populations():
        for side in SIDES:
            print(f"{f'{name}, {side}':<52}", end="", flush=True)
            for normal in ROOMS:
                budget = find_limit(population[0], side=side, normal=normal, column=column)
                images, share = decided(population, budget=budget, side=side, column=column, **options)
                shown = f"{images:,}: {100 * share:.1f}"
                print(f"{shown:>14}", end="", flush=True)
                slack = 0.05 + 2 * np.sqrt(POWER * (1 - POWER) / trials)
                # With the fewest images that have bounds, a limit may be decided more often than asked.
                right &= share >= POWER - slack and (share <= POWER + slack or images == 10)
            print()
    for name, budget, population, side in _share_populations():
        images, share = decided(population, budget=budget, side=side, **options)
        print(f"{f'{name}, {side}':<52}{f'{images:,}: {100 * share:.1f}':>14}", flush=True)
        right &= POWER - 0.1 <= share <= 1
    return right


def _share_populations():
    for (share, limit), side in RECALLS.items():
        yield (
            f"recall@1 {share:g} ≥ {limit:g}",
            make_budget("recall_at_1", "at_least", limit),
            proportion(share),
            side,
        )
    for (gained, lost, margin), side in LOSSES.items():
        name = f"recall@1 +{gained:g} −{lost:g}, worse by ≤ {margin:g}"
        yield name, make_budget("recall_at_1", "worse_by_at_most", margin), paired(gained, lost), side
