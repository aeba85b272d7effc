"""Directions of shifts: whether a transform moves all images the same way, and how far that can be undone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import scipy
from jaxtyping import Bool, Float64

from embshift.analysis.embeddings.catalogue import DIRECTION, DIRECTION_OF_ALL
from embshift.analysis.embeddings.measures import (
    Measured,
    check_sampling,
    join_columns,
    reshape_intervals,
    without_intervals,
)
from embshift.analysis.embeddings.neighbours import half_squared_distances
from embshift.analysis.embeddings.pairs import DrawViews, Pairs, average_draws
from embshift.analysis.embeddings.undo_direction import (
    FOLDS,
    REPAIRS,
    compute_repairs,
    removed_shares,
)
from embshift.analysis.sampling.bootstrap import LEVEL, RESAMPLES, Intervals
from embshift.analysis.sampling.jackknife import jackknife

__all__ = [
    "Removal",
    "consistency",
    "effective_rank",
    "explained_variance",
    "mean_shift",
    "mean_shifts",
    "measure_direction",
    "removals",
]

_SAME = 1e-24
"""Squared lengths up to this are 0: view and original differ by rounding only."""

_PULLS = tuple(f"{name}_pull" for name in REPAIRS)

_NAN = float("nan")


def mean_shift(pairs: Pairs, transform: str, /) -> Float64[np.ndarray, " dim"]:
    """Return μ, the mean over images of their mean z′ − z over draws; NaN without any."""
    shifts, own = mean_shifts(pairs, pairs.views(transform)[0])
    return shifts[own].mean(axis=0) if own.any() else np.full(shifts.shape[1], np.nan)


def explained_variance(shifts: Float64[np.ndarray, "images dim"], /) -> float:
    """Return the share of squared shifts that their mean explains: (N‖μ‖² − m) / ((N − 1) m), m = mean‖Δ‖².

    ‖μ‖² consists of the mean of ‖Δᵢ‖² and the mean of Δᵢ·Δⱼ over i ≠ j. This is the latter over the former,
    so shifts in random directions give 0 on average, however few there are.

    Returns:
        From −1/(N − 1) to 1; NaN for fewer than two images or if nothing moved.
    """
    n = len(shifts)
    squares = float(np.einsum("ij,ij->", shifts, shifts)) / max(n, 1)
    if n < 2 or squares <= _SAME:
        return _NAN
    total = shifts.sum(axis=0)
    return (float(total @ total) / n - squares) / ((n - 1) * squares)


def consistency(shifts: Float64[np.ndarray, "images dim"], /) -> Float64[np.ndarray, " images"]:
    """Return the cosine of each shift and the mean of all others; NaN where either is 0 or missing."""
    others = np.asarray(shifts.sum(axis=0)) - shifts
    product = np.einsum("ij,ij->i", shifts, others)
    squares = np.einsum("ij,ij->i", shifts, shifts), np.einsum("ij,ij->i", others, others)
    lengths = np.sqrt(squares[0] * squares[1])
    known = (squares[0] > _SAME) & (squares[1] > _SAME * max(len(shifts) - 1, 1) ** 2)
    return np.divide(product, lengths, out=np.full(len(shifts), np.nan), where=known)


def effective_rank(shifts: Float64[np.ndarray, "images dim"], /) -> float:
    """Return exp(−Σ p log p), p = σ / Σσ over the singular values of the shifts, not centred.

    Returns:
        From 1 to the smaller of images and dimension; NaN if nothing moved.
    """
    if not len(shifts) or not (np.einsum("ij,ij->i", shifts, shifts) > _SAME).any():
        return _NAN
    square = shifts
    if len(shifts) > shifts.shape[1]:
        # R has the same singular values as the shifts.
        square = scipy.linalg.qr(shifts, mode="r", check_finite=False)[0][: shifts.shape[1]]
    sizes = np.asarray(scipy.linalg.svdvals(square, check_finite=False))
    shares = sizes / sizes.sum()
    shares = shares[shares > 0]
    return float(np.exp(-(shares * np.log(shares)).sum()))


def measure_direction(
    pairs: Pairs, *, resamples: int = RESAMPLES, level: float = LEVEL, seed: int = 0
) -> Measured:
    """Measure the direction of the shifts of every transform, and how far they can be undone.

    The shift vector of an image is its mean over draws, here as in `Run.mean_shift`; corrections are fitted
    and averaged draw by draw. Consistency and explained variance have intervals by a grouped jackknife, the
    corrected shares by a bootstrap that follows the fits to first order.

    Args:
        pairs: Originals and views.
        resamples: Number of resamples of the images.
        level: Coverage of the intervals.
        seed: Seed of the folds, the groups and the resamples.

    Raises:
        PlanError: If `resamples` or `level` are out of range.
    """
    check_sampling(resamples=resamples, level=level)
    shape = (len(pairs.transforms), len(DIRECTION_OF_ALL))
    overall, n = np.full((3, *shape), np.nan), np.zeros(shape, np.int64)
    seen = np.zeros((len(pairs.transforms), 1), np.int64)
    shifts = list[dict[str, Float64[np.ndarray, " images"]]]()
    for at, transform in enumerate(pairs.transforms):
        draws, recorded = pairs.views(transform)
        mean, own = mean_shifts(pairs, draws)
        overall[:, at] = _overall(mean[own], level=level, seed=seed)
        n[at] = own.sum()
        n[at, 2] = (~np.isnan(consistency(mean[own]))).sum()
        seen[at] = recorded.sum()
        shifts.append(_by_image(pairs, draws, seed=seed))
    corrected = _corrected(shifts, resamples=resamples, level=level, seed=seed)
    return Measured(
        name="direction",
        measures=DIRECTION,
        transforms=pairs.transforms,
        estimates=join_columns(
            replace(without_intervals(overall[0], n), low=overall[1], high=overall[2]), corrected
        ),
        undefined=seen - np.concatenate([n, corrected.n], axis=1),
        images=len(pairs),
        left_out=pairs.left_out,
        notes=(
            "shift vectors are averaged over the draws of an image first",
            f"corrected: fitted to four of {FOLDS} folds, measured on the fifth; intervals include the fits",
        ),
        level=level,
    )


def mean_shifts(
    pairs: Pairs, draws: Sequence[DrawViews], /
) -> tuple[Float64[np.ndarray, "images dim"], Bool[np.ndarray, " images"]]:
    """Return the shift vector z′ − z of every image, averaged over its draws, and which images have one."""
    total, count = np.zeros(pairs.units.shape), np.zeros(len(pairs))
    for draw in draws:
        total[draw.at] += draw.units - pairs.units[draw.at]
        count[draw.at] += 1
    return total / np.maximum(count, 1)[:, None], count > 0


def _overall(
    shifts: Float64[np.ndarray, "images dim"], *, level: float, seed: int
) -> Float64[np.ndarray, "ends measures"]:
    """Return the measures over all images, with the ends of those that have an interval."""

    def compute(kept: Bool[np.ndarray, " images"]) -> Float64[np.ndarray, " two"]:
        return np.array([explained_variance(shifts[kept]), _mean(consistency(shifts[kept]))])

    (explained, common), ends = jackknife(compute, images=len(shifts), level=level, seed=seed)
    length = float(np.linalg.norm(shifts.mean(axis=0))) if len(shifts) else _NAN
    found = np.full((3, len(DIRECTION_OF_ALL)), np.nan)
    found[0] = length, explained, common, effective_rank(shifts)
    found[1:, 1:3] = np.clip(ends, -1.0, 1.0)
    return found


def _by_image(
    pairs: Pairs, draws: Sequence[DrawViews], *, seed: int
) -> dict[str, Float64[np.ndarray, " images"]]:
    """Return the shift of every image before and after each correction, and its pull, averaged over draws."""
    found = [
        (
            draw.at,
            {
                "before": half_squared_distances(pairs.units[draw.at], draw.units),
                **{name: one.shift for name, one in repairs.items()},
                **{f"{name}_pull": one.pull for name, one in repairs.items()},
            },
        )
        for draw, repairs in (
            (one, compute_repairs(pairs.units[one.at], one.units, seed=seed)) for one in draws
        )
    ]
    return average_draws(found, images=len(pairs), names=["before", *REPAIRS, *_PULLS])


def _mean(values: Float64[np.ndarray, " values"]) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else _NAN


def _corrected(
    shifts: Sequence[Mapping[str, Float64[np.ndarray, " images"]]],
    *,
    resamples: int,
    level: float,
    seed: int,
) -> Intervals:
    """Return the shares removed by every correction of every transform."""
    shape = (len(shifts), len(REPAIRS))
    if not shifts:
        return without_intervals(np.full(shape, np.nan), np.zeros(shape, np.int64))
    after = np.stack([one[name] for one in shifts for name in REPAIRS], axis=1)
    pull = np.stack([one[name] for one in shifts for name in _PULLS], axis=1)
    before = np.repeat(np.stack([one["before"] for one in shifts], axis=1), len(REPAIRS), axis=1)
    return reshape_intervals(
        removed_shares(after, before, pull=pull, resamples=resamples, level=level, seed=seed), shape
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Removal:
    """How much of a transform's shift is removed by subtracting one vector.

    Attributes:
        transform: Its name.
        share: Share of the cosine shift removed on held-out images; below 0 the shift increases; NaN where
            unknown.
        low: Lower end of its interval.
        high: Upper end.
        images: Number of images behind it.
    """

    transform: str
    share: float
    low: float
    high: float
    images: int

    def told(self) -> str:
        """Return the result as one sentence."""
        if np.isnan(self.share):
            return f"{self.transform}: too few images moved to subtract a mean shift"
        ends = "" if np.isnan(self.low) else f" ({_percent(self.low)} to {_percent(self.high)} %)"
        return (
            f"{self.transform}: subtracting the mean shift removes {_percent(self.share)} %{ends} of the"
            f" shift, measured on {self.images:,} held-out images"
        )


def _percent(share: float) -> str:
    """Format a share in whole per cent; never −0."""
    return f"{round(100 * share) + 0:.0f}".replace("-", "−")


def removals(measured: Measured) -> tuple[Removal, ...]:
    """Return, for each transform, how much of its shift is removed by subtracting the mean shift.

    Args:
        measured: Result of `measure_direction`.
    """
    column = measured.column("corrected_mean")
    found = measured.estimates
    return tuple(
        Removal(
            transform=transform,
            share=float(found.mean[at, column]),
            low=float(found.low[at, column]),
            high=float(found.high[at, column]),
            images=int(found.n[at, column]),
        )
        for at, transform in enumerate(measured.transforms)
    )
