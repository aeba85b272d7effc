"""Paired tests of differences between transforms or encoders: sign flips, adjusted by max-T."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from jaxtyping import Float64

from embshift.analysis.sampling.bootstrap import RESAMPLES
from embshift.analysis.shifts.sign_flips import flip_signs
from embshift.analysis.shifts.sizes import images_needed
from embshift.core.errors import PlanError
from embshift.core.records import Record, list_fields, to_pandas, write_html
from embshift.core.words import count_noun

__all__ = ["PairedTest", "PairedTests", "compare_columns", "compare_sides"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PairedTest:
    """One comparison, over the images that have every value.

    Attributes:
        first: Name of one side.
        second: Name of the other.
        difference: Mean of first − second, in the metric's unit; NaN without an image.
        deviation: Standard deviation of the differences over images (n − 1).
        n: Number of images.
        p: Two-sided p of the sign-flip test; NaN without an image.
        adjusted: p adjusted for all comparisons in the table, by step-down max-T.
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
        resamples: Number of sign flips.
        exact: Whether these are all 2ⁿ flips of n images, not random ones.
        least: Least possible p, also of the adjusted ones.
        detect: The difference that `needed` is computed for; None if not given.
        notes: Caveats and context for the reader of the numbers.
    """

    by: str
    unit: str
    tests: tuple[PairedTest, ...]
    resamples: int
    exact: bool
    least: float
    detect: float | None
    notes: tuple[str, ...] = ()

    def records(self) -> list[Record]:
        """Return one row for each pair."""
        names = ("first", "second", "difference", "deviation", "n", "p", "adjusted", "needed")
        return [list_fields(test, names) for test in self.tests]

    to_pandas = to_pandas
    _repr_html_ = write_html


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
    """Compare every two transforms of one run, image by image, on the images that have every value.

    Args:
        values: One value per image and transform; NaN where undefined.
        transforms: Names, in order.
        by: Name of the metric, for display.
        unit: Its unit.
        detect: A difference; the tests report the number of images needed to detect it.
        resamples: Number of random sign flips, 100 or more; up to 13 images take all flips.
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
        resamples: Number of random sign flips, 100 or more; up to 13 images take all flips.
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
    tested, notes = _common(differences)
    found = flip_signs(tested, resamples=resamples, seed=seed)
    n = np.where(np.isnan(tested).any(axis=0), 0, len(tested))
    middle = tested.sum(axis=0) / np.where(n > 0, n, np.nan)
    deviation = np.sqrt(((tested - middle) ** 2).sum(axis=0) / np.where(n > 1, n - 1, np.nan))
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
                p=float(found.p[at]),
                adjusted=float(found.adjusted[at]),
                needed=None if detect is None else images_needed(detect, deviation=float(deviation[at])),
            )
            for at, (first, second) in enumerate(names)
        ),
        resamples=found.flips,
        exact=found.exact,
        least=found.least,
        detect=detect,
        notes=notes,
    )


def _common(
    differences: Float64[np.ndarray, "images pairs"],
) -> tuple[Float64[np.ndarray, "common pairs"], tuple[str, ...]]:
    """Return the images that have every difference, and a note on those left out.

    A comparison without any value, e.g. of a transform that failed on every image, leaves out no image.
    """
    known = ~np.isnan(differences)
    whole = known[:, known.any(axis=0)].all(axis=1)
    left_out = int((~whole & known.any(axis=1)).sum())
    if not left_out:
        return differences[whole], ()
    note = (
        f"{count_noun(left_out, 'image')} left out: every test is on the same images, those with all values"
    )
    return differences[whole], (note,)
