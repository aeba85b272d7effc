"""The full table, for documentation: ``make simulations``, about ten minutes."""

import math
import sys
from functools import partial

from tests.simulations.coverage import (
    CASES,
    mean_coverage,
    mrr_coverage,
    percentile_coverage,
    proportion_coverage,
    rank_coverage,
    ratio_coverage,
    s50_coverage,
)
from tests.simulations.matched import matched_coverage
from tests.simulations.variance import KINDS, variance_coverage
from tests.simulations.words import no_false_name

TRIALS, RESAMPLES = 2_000, 2_000

IMAGES = (10, 18, 30, 61, 100, 1_000)

SHARES = (0.5, 0.7, 0.9, 0.95, 0.98, 0.99)

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
    for name, truth in CASES.items():
        yield f"ranks, {name}", partial(_ranks, truth), _within(0.93, 1, start=0)


def _ranks(truth, images):
    return rank_coverage(truth, images=images, trials=TRIALS if images < 1_000 else 500, resamples=500)


def _no_false_name(images):
    return no_false_name(images, trials=TRIALS // 2 if images < 1_000 else 200)


def main():
    right = True
    print(f"{'held by 95 % intervals, %':<26}" + "".join(f"{images:>8,}" for images in IMAGES))
    widest, means = 0.0, {images: list[float]() for images in IMAGES}
    for name, compute, check in _rows():
        print(f"{name:<26}", end="", flush=True)
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
    average = {images: sum(held) / len(held) for images, held in means.items()}
    print(f"{'proportions, mean':<26}" + "".join(f"{100 * held:>8.1f}" for held in average.values()))
    right &= all(0.93 <= held <= 0.98 for held in average.values())
    print(
        f"{TRIALS:,} repeats; Monte-Carlo standard error at most {100 * widest:.1f}; –: no interval is given"
    )
    return 0 if right else 1


if __name__ == "__main__":
    sys.exit(main())
