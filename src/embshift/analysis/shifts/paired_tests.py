"""Paired tests of differences between transforms or encoders: sign flips, adjusted by Holm."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from jaxtyping import Float64

from embshift.analysis.sampling.bootstrap import RESAMPLES, means
from embshift.analysis.shifts.sizes import images_needed
from embshift.core.errors import PlanError

__all__ = ["PairedTest", "PairedTests", "compare_columns", "compare_sides", "holm", "sign_flip_p"]

SIGNS_AT_ONCE = 1 << 22
"""Signs held at once: 32 MiB as float64."""

_TIE = 1e-12
"""Sums closer than this, relative to the greatest possible sum, are equal: they differ by rounding only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PairedTest:
    """One comparison, over the images with a value on both sides.

    Attributes:
        first: Name of one side.
        second: Name of the other.
        difference: Mean of first − second, in the metric's unit; NaN without an image.
        deviation: Standard deviation of the differences over images (n − 1).
        n: Number of images with both values.
        p: Two-sided p of the sign-flip test; NaN without an image.
        adjusted: p adjusted by Holm for all comparisons in the table.
        needed: Number of images at which the difference given as `detect` is found with probability 0.8; None
            if `detect` was not given, or the deviation is unknown.
    """

    first: str
    second: str
    difference: float
    deviation: float
    n: int
    p: float
    adjusted: float
    needed: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PairedTests:
    """Comparisons by one metric.

    Attributes:
        by: The metric.
        unit: Its unit.
        tests: One for each pair, in the order of the plan.
        resamples: Number of random sign flips; the least possible p is 1 / (resamples + 1).
        detect: The difference that `needed` is computed for; None if not given.
        notes: Caveats and context for the reader of the numbers.
    """

    by: str
    unit: str
    tests: tuple[PairedTest, ...]
    resamples: int
    detect: float | None
    notes: tuple[str, ...] = ()


def sign_flip_p(
    differences: Float64[np.ndarray, "images pairs"], *, resamples: int = RESAMPLES, seed: int = 0
) -> Float64[np.ndarray, " pairs"]:
    """Compute the two-sided p of a paired permutation test: p = (b + 1) / (B + 1).

    If the two sides do not differ, each image's difference is as likely with the other sign. b counts those
    of B random flips of all signs whose mean is at least as far from 0. All columns use the same flips. With
    n images, no p below 2^(1 − n) can be expected, however large the difference.

    Args:
        differences: One column per comparison; NaN leaves an image out, since one side is undefined.
        resamples: Number of flips B.
        seed: Their seed.

    Returns:
        From 1 / (B + 1) to 1; NaN for a column without a defined difference.

    References:
        Fisher 1935, The design of experiments, section 21; Phipson & Smyth 2010 (arXiv 1603.05766) for
        (b + 1) / (B + 1).
    """
    known = ~np.isnan(differences)
    values = np.where(known, differences, 0.0)
    seen = np.abs(values.sum(axis=0)) - _TIE * np.abs(values).sum(axis=0)
    rng, reached = np.random.default_rng(seed), np.zeros(values.shape[1])
    block = max(1, SIGNS_AT_ONCE // max(len(values), 1))
    for start in range(0, resamples, block):
        signs = rng.integers(2, size=(min(block, resamples - start), len(values)), dtype=np.int8)
        reached += (np.abs((2.0 * signs - 1.0) @ values) >= seen).sum(axis=0)
    return np.where(known.any(axis=0), (reached + 1) / (resamples + 1), np.nan)


def holm(p: Float64[np.ndarray, " tests"], /) -> Float64[np.ndarray, " tests"]:
    """Adjust p values so that the probability of any error in all tests together is controlled.

    In ascending order pᵢ becomes the greatest of (m − j + 1) pⱼ over j ≤ i, at most 1. NaN stays NaN and does
    not count as a test.

    References:
        Holm 1979, Scandinavian Journal of Statistics 6(2).
    """
    found = np.full(len(p), np.nan)
    known = np.flatnonzero(~np.isnan(p))
    order = known[np.argsort(p[known], kind="stable")]
    factors = np.arange(len(order), 0, -1)
    found[order] = np.minimum(np.maximum.accumulate(factors * p[order]), 1.0)
    return found


def compare_columns(
    values: Float64[np.ndarray, "images transforms"],
    *,
    transforms: Sequence[str],
    by: str,
    unit: str,
    detect: float | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> PairedTests:
    """Compare every two transforms of one run, image by image.

    Args:
        values: One value per image and transform; NaN where undefined.
        transforms: Names, in order.
        by: Name of the metric, for display.
        unit: Its unit.
        detect: A difference; the tests report the number of images needed to detect it.
        resamples: Number of sign flips, 100 or more.
        seed: Their seed.

    Raises:
        PlanError: If an option is out of range.
    """
    pairs = list(combinations(range(len(transforms)), 2))
    first, second = [one for one, _ in pairs], [other for _, other in pairs]
    return _compared(
        values[:, first] - values[:, second],
        names=[(transforms[one], transforms[other]) for one, other in pairs],
        by=by,
        unit=unit,
        detect=detect,
        resamples=resamples,
        seed=seed,
    )


def compare_sides(
    one: Mapping[str, Float64[np.ndarray, " transforms"]],
    other: Mapping[str, Float64[np.ndarray, " transforms"]],
    *,
    transforms: Sequence[str],
    sides: tuple[str, str],
    by: str,
    unit: str,
    detect: float | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> PairedTests:
    """Compare the same transforms in two runs of the same images: two encoders, or two preparations.

    Args:
        one: Values of one run by image id, transforms in one order.
        other: Values of the other run.
        transforms: Names, in order.
        sides: Names of the runs.
        by: Name of the metric, for display.
        unit: Its unit.
        detect: A difference; the tests report the number of images needed to detect it.
        resamples: Number of sign flips, 100 or more.
        seed: Their seed.

    Raises:
        PlanError: If an option is out of range, or the runs share no image.
    """
    shared = [name for name in one if name in other]
    if not shared:
        raise PlanError(f"{sides[0]} and {sides[1]} share no image; compare runs of the same images")
    return _compared(
        np.stack([one[name] - other[name] for name in shared]),
        names=[(f"{name} ({sides[0]})", f"{name} ({sides[1]})") for name in transforms],
        by=by,
        unit=unit,
        detect=detect,
        resamples=resamples,
        seed=seed,
    )


def _compared(
    differences: Float64[np.ndarray, "images pairs"],
    *,
    names: Sequence[tuple[str, str]],
    by: str,
    unit: str,
    detect: float | None,
    resamples: int,
    seed: int,
) -> PairedTests:
    if resamples < 100:
        raise PlanError(f"resamples is {resamples}; expected 100 or more, e.g. {RESAMPLES}")
    if detect is not None and not 0 < detect < float("inf"):
        raise PlanError(f"detect is {detect}; expected a difference above 0, in the unit of {by}")
    p = sign_flip_p(differences, resamples=resamples, seed=seed)
    adjusted, middle = holm(p), means(differences)
    n = (~np.isnan(differences)).sum(axis=0)
    squares = np.where(np.isnan(differences), 0.0, differences - middle) ** 2
    deviation = np.sqrt(squares.sum(axis=0) / np.where(n > 1, n - 1, np.nan))
    return PairedTests(
        by=by,
        unit=unit,
        tests=tuple(
            PairedTest(
                first=first,
                second=second,
                difference=float(middle[at]),
                deviation=float(deviation[at]),
                n=int(n[at]),
                p=float(p[at]),
                adjusted=float(adjusted[at]),
                needed=None if detect is None else images_needed(detect, deviation=float(deviation[at])),
            )
            for at, (first, second) in enumerate(names)
        ),
        resamples=resamples,
        detect=detect,
    )
