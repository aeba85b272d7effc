"""The full numbers, for documentation: ``make simulations``, about five minutes."""

import sys

from tests.simulations.coverage import CASES, mean_coverage, rank_coverage

TRIALS = 2_000


def main():
    right = True
    for images in (30, 100, 1_000):
        share = mean_coverage(images, trials=TRIALS, resamples=10_000)
        right &= images < 100 or 0.93 <= share <= 0.97
        print(
            f"95 % interval of a mean, {images:,} lognormal shifts: held in {share:.1%} of {TRIALS:,}",
            flush=True,
        )
    for name, truth in CASES.items():
        for images in (30, 100):
            share = rank_coverage(truth, images=images, trials=TRIALS, resamples=500)
            right &= share >= 0.94  # 95 % less two standard errors of 2,000
            print(
                f"rank intervals, {name}, {images} images: all held in {share:.1%} of {TRIALS:,}", flush=True
            )
    return 0 if right else 1


if __name__ == "__main__":
    sys.exit(main())
