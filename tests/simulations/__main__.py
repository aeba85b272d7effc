"""The full table, for documentation: ``make simulations``, an hour or more. Words pick rows by name."""

import math
import sys
from functools import partial

from tests.simulations.compared import KINDS as COMPARED_KINDS
from tests.simulations.compared import STATISTICS, compared_coverage
from tests.simulations.coverage import (
    CASES,
    Share,
    mean_coverage,
    mrr_coverage,
    percentile_coverage,
    proportion_coverage,
    rank_coverage,
    ratio_coverage,
    s50_coverage,
)
from tests.simulations.embeddings import DIRECTION, STRUCTURE, direction_coverage, structure_coverage
from tests.simulations.gate import print_gate
from tests.simulations.inside import pooled_coverage, recovered_coverage
from tests.simulations.matched import matched_coverage
from tests.simulations.power import print_power
from tests.simulations.relations import FLIPS, floor_coverage, prediction_coverage
from tests.simulations.scenes import SCENES
from tests.simulations.thresholds import MEASURES, refused_share, threshold_coverage
from tests.simulations.variance import KINDS, variance_coverage
from tests.simulations.words import no_false_name

TRIALS, RESAMPLES = 2_000, 2_000

FEW, FEWEST_TRIALS = 500, 400
"""Repeats of what takes long, and of what takes longest."""

_MOST_RSA = 100

IMAGES = (10, 18, 30, 61, 100, 1_000)

SHARES = (0.5, 0.7, 0.9, 0.95, 0.98, 0.99)

_WIDE = 52
"""Width of the column of names."""

_SURE = 2.0
"""Standard errors that a simulated share may fall outside of what is asked."""


def _within(low, high, *, start=30):
    """A check of the shares from a number of images on: NaN is no interval, and passes."""

    def check(images, found):
        slack = 0 if math.isnan(found.held) else _SURE * found.error
        return images < start or math.isnan(found.held) or low - slack <= found.held <= high + slack

    return check


def _rows():
    """Yield each kind of interval with what computes it for a number of images, and what it must hold."""
    often = {"trials": TRIALS}
    both = often | {"resamples": RESAMPLES}
    yield "mean, lognormal", partial(mean_coverage, **both), _within(0.93, 0.97)
    yield "mean, exponential", partial(mean_coverage, skewed=True, **both), _within(0.93, 0.97)
    for share in SHARES:
        yield (
            f"proportion {share:g}",
            partial(proportion_coverage, share=share, **often),
            _within(0.91, 1, start=0),
        )
    for share in SHARES:
        drawn = partial(proportion_coverage, share=share, draws=3, agreement=0.3, **often)
        yield f"proportion {share:g}, 3 draws", drawn, _within(0.91, 1, start=0)
    for lost in (0.02, 0.1, 0.3, 0.7):
        yield f"MRR, {lost:.0%} lost", partial(mrr_coverage, lost=lost, **both), _within(0.93, 0.985)
    yield "ratio", partial(ratio_coverage, **both), _within(0.93, 0.97)
    yield "s50", partial(s50_coverage, **often), _within(0.93, 0.97)
    yield "s50, 3 draws", partial(s50_coverage, draws=3, **often), _within(0.93, 0.97)
    yield "median", partial(percentile_coverage, share=0.5, **often), _within(0.95, 1, start=0)
    yield "95th percentile", partial(percentile_coverage, share=0.95, **often), _within(0.95, 1, start=0)
    matched = partial(matched_coverage, trials=TRIALS // 2, resamples=500)
    yield "shift at equal damage", matched, _within(0.91, 0.97)
    yield "words, none named falsely", _no_false_name, _within(0.95, 1, start=0)
    for kind in KINDS:
        for share in (0.1, 0.5, 0.9):
            split = partial(variance_coverage, share=share, kind=kind, trials=TRIALS // 4)
            yield f"draws {share:g}, {kind}", split, _within(0.91, 0.98)
    yield from _inside_rows()
    yield from _embedding_rows()
    yield from _threshold_rows()
    yield from _compared_rows()
    for name, truth in CASES.items():
        yield f"ranks, {name}", partial(_ranks, truth), _within(0.93, 1, start=0)


def _inside_rows():
    """Yield the intervals of an explanation's tables, and of shifts over a floor."""
    some = {"trials": FEW, "resamples": 1_000}
    yield "patches recovered", partial(recovered_coverage, **some), _within(0.93, 0.97)
    for draws in (1, 3):
        pooled = partial(pooled_coverage, draws=draws, **some)
        yield f"pooled share, {draws} draws", partial(pooled, joint=False), _within(0.92, 0.97)
        yield f"pooled, together, {draws} draws", partial(pooled, joint=True), _within(0.93, 0.98, start=0)
    yield "over a floor", partial(floor_coverage, trials=TRIALS), _within(0.93, 0.97)
    for rates in FLIPS:
        yield f"flips, rates {rates}", partial(prediction_coverage, rates=rates, **some), _within(0.92, 1)


def _embedding_rows():
    """Yield the intervals of direction and structure.

    Without a common direction all depends on products of two images' shifts. The jackknife then counts twice
    what varies, and holds more often than it says.
    """
    for measure in DIRECTION:
        for scene in SCENES:
            drawn = partial(
                direction_coverage, measure=measure, scene=scene, trials=FEWEST_TRIALS, resamples=500
            )
            yield f"{measure}, {scene}", drawn, _within(0.91, 1)
    for measure in STRUCTURE:
        for scene in ("weak direction", "linear"):
            yield f"{measure}, {scene}", partial(_structure, measure, scene), _within(0.91, 0.985)


def _threshold_rows():
    """Yield the intervals of thresholds, and how rightly a rate is refused."""
    some = {"trials": FEWEST_TRIALS // 2, "resamples": 300}
    for measure in MEASURES:
        yield f"thresholds, {measure}", partial(_threshold, measure, some), _within(0.91, 1)
    yield "thresholds, refused rightly", partial(_refused, some), _within(1, 1, start=0)


def _compared_rows():
    """Yield the intervals of compared runs."""
    for statistic in STATISTICS:
        for kind in COMPARED_KINDS:
            drawn = partial(_compared, statistic=statistic, kind=kind)
            yield f"compared, {kind} of {statistic}", drawn, _within(0.91, 1)


def _threshold(measure, some, images):
    """Leave 1,000 images out: a run takes seconds."""
    if images >= 1_000:
        return Share(held=math.nan, error=math.nan)
    return threshold_coverage(images, measure=measure, **some)


def _compared(images, *, statistic, kind):
    trials = TRIALS if images < 1_000 else FEWEST_TRIALS
    return compared_coverage(images, statistic=statistic, kind=kind, trials=trials, resamples=RESAMPLES // 2)


def _refused(some, images):
    if images >= 1_000:
        return Share(held=math.nan, error=math.nan)
    return refused_share(images, **some)


def _structure(measure, scene, images):
    """Leave RSA out for 1,000 images: ranks of half a million pairs, 50 times in each run, take an hour."""
    if measure == "rsa" and images > _MOST_RSA:
        return Share(held=math.nan, error=math.nan)
    trials = FEWEST_TRIALS if images < 100 else FEWEST_TRIALS // 2
    return structure_coverage(images, measure=measure, scene=scene, trials=trials)


def _ranks(truth, images):
    return rank_coverage(truth, images=images, trials=TRIALS if images < 1_000 else 500, resamples=500)


def _no_false_name(images):
    return no_false_name(images, trials=TRIALS // 2 if images < 1_000 else 200)


def main():
    right, wanted = True, sys.argv[1:]
    print(f"{'held by 95 % intervals, %':<{_WIDE}}" + "".join(f"{images:>8,}" for images in IMAGES))
    widest, means = 0.0, {images: list[float]() for images in IMAGES}
    for name, compute, check in _rows():
        if wanted and not any(word in name for word in wanted):
            continue
        print(f"{name:<{_WIDE}}", end="", flush=True)
        for images in IMAGES:
            found = compute(images)
            mark = "" if check(images, found) else "!"
            right &= not mark
            shown = "–" if math.isnan(found.held) else f"{100 * found.held:.1f}{mark}"
            print(f"{shown:>8}", end="", flush=True)
            widest = max(widest, 0.0 if math.isnan(found.error) else found.error)
            if name.startswith("proportion") and "draws" not in name:
                means[images].append(found.held)
        print()
    average = {images: sum(held) / len(held) for images, held in means.items() if held}
    if average:
        print(f"{'proportions, mean':<{_WIDE}}" + "".join(f"{100 * held:>8.1f}" for held in average.values()))
    right &= all(0.93 <= held <= 0.98 for held in average.values())
    print(
        f"{TRIALS:,} repeats, fewer of what takes long; Monte-Carlo standard error at most"
        f" {100 * widest:.1f}; –: no interval is given, or it takes too long"
    )
    if not wanted or "gate" in wanted:
        right &= print_gate()
    if not wanted or "power" in wanted:
        right &= print_power()
    return 0 if right else 1


if __name__ == "__main__":
    sys.exit(main())
