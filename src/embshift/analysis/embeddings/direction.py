"""Directions of shifts: whether a transform moves all images the same way, and how far that can be undone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import scipy
from jaxtyping import Float64, Int64

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
from embshift.analysis.embeddings.undo_direction import FOLDS, REPAIRS, compute_repaired_shifts
from embshift.analysis.sampling.bootstrap import LEVEL, RESAMPLES, Intervals, bca, resampled_means

__all__ = [
    "Removal",
    "consistency",
    "effective_rank",
    "explained_variance",
    "mean_shift",
    "measure_direction",
    "removals",
]

_SAME = 1e-24
"""Squared lengths up to this are 0: view and original differ by rounding only."""

_NAN = float("nan")


def mean_shift(
    originals: Float64[np.ndarray, "images dim"], views: Float64[np.ndarray, "images dim"], /
) -> Float64[np.ndarray, " dim"]:
    """Return μ, the mean of z′ − z over images; NaN without any."""
    return (views - originals).mean(axis=0) if len(views) else np.full(views.shape[1], np.nan)


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

    Draws are measured separately and averaged. Only the corrected shares have intervals: the other measures
    describe all images at once.

    Args:
        pairs: Originals and views.
        resamples: Number of resamples of the images.
        level: Coverage of the intervals.
        seed: Seed of the folds and of the resamples.

    Raises:
        PlanError: If `resamples` or `level` are out of range.
    """
    check_sampling(resamples=resamples, level=level)
    shape = (len(pairs.transforms), len(DIRECTION_OF_ALL))
    overall, n, undefined = np.full(shape, np.nan), np.zeros(shape, np.int64), np.zeros(shape, np.int64)
    shifts = list[dict[str, Float64[np.ndarray, " images"]]]()
    for at, transform in enumerate(pairs.transforms):
        draws, recorded = pairs.views(transform)
        found = [_draw(pairs, draw, seed=seed) for draw in draws]
        by_image = average_draws(
            [(draw.at, one.by_image) for draw, one in zip(draws, found, strict=True)],
            images=len(pairs),
            names=["consistency", "before", *REPAIRS],
        )
        overall[at] = _mean_of_draws([one.overall for one in found])
        overall[at, 2] = _mean(by_image["consistency"])
        n[at] = (~np.isnan(by_image["before"])).sum()
        n[at, 2] = (~np.isnan(by_image["consistency"])).sum()
        undefined[at] = recorded.sum() - n[at]
        shifts.append(by_image)
    corrected = _corrected(shifts, resamples=resamples, level=level, seed=seed)
    lost = np.repeat(undefined[:, :1], len(REPAIRS), axis=1)
    return Measured(
        name="direction",
        measures=DIRECTION,
        transforms=pairs.transforms,
        estimates=join_columns(without_intervals(overall, n), corrected),
        undefined=np.concatenate([undefined, lost], axis=1),
        images=len(pairs),
        left_out=pairs.left_out,
        notes=(f"corrected: fitted to four of {FOLDS} folds, measured on the fifth; intervals keep the fit",),
        level=level,
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Draw:
    """One draw: values over all images, and values of each image."""

    overall: Float64[np.ndarray, " measures"]
    by_image: Mapping[str, Float64[np.ndarray, " views"]]


def _draw(pairs: Pairs, draw: DrawViews, *, seed: int) -> _Draw:
    originals = pairs.units[draw.at]
    shifts = draw.units - originals
    length = float(np.linalg.norm(mean_shift(originals, draw.units)))
    return _Draw(
        overall=np.array([length, explained_variance(shifts), np.nan, effective_rank(shifts)]),
        by_image={
            "consistency": consistency(shifts),
            "before": half_squared_distances(originals, draw.units),
            **compute_repaired_shifts(originals, draw.units, seed=seed),
        },
    )


def _mean(values: Float64[np.ndarray, " values"]) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else _NAN


def _mean_of_draws(draws: Sequence[Float64[np.ndarray, " measures"]]) -> Float64[np.ndarray, " measures"]:
    if not draws:
        return np.full(len(DIRECTION_OF_ALL), np.nan)
    return np.array([_mean(column) for column in np.stack(draws, axis=1)])


def _corrected(
    shifts: Sequence[Mapping[str, Float64[np.ndarray, " images"]]],
    *,
    resamples: int,
    level: float,
    seed: int,
) -> Intervals:
    """Return 1 − Σ after / Σ before with its interval: a ratio of means over the same resampled images."""
    shape = (len(shifts), len(REPAIRS))
    if not shifts:
        return without_intervals(np.full(shape, np.nan), np.zeros(shape, np.int64))
    after = np.stack([one[name] for one in shifts for name in REPAIRS], axis=1)
    before = np.repeat(np.stack([one["before"] for one in shifts], axis=1), len(REPAIRS), axis=1)
    before = np.where(np.isnan(after), np.nan, before)
    taken = resampled_means(np.concatenate([after, before], axis=1), resamples=resamples, seed=seed)
    share, pulls, n = _shares(after, before)
    columns = after.shape[1]
    found = bca(1 - _ratio(taken[:, :columns], taken[:, columns:]), mean=share, pulls=pulls, n=n, level=level)
    return reshape_intervals(found, shape)


def _ratio(
    one: Float64[np.ndarray, "*shape"], other: Float64[np.ndarray, "*shape"]
) -> Float64[np.ndarray, "*shape"]:
    return np.divide(one, other, out=np.full(one.shape, np.nan), where=other > _SAME)


def _shares(
    after: Float64[np.ndarray, "images columns"], before: Float64[np.ndarray, "images columns"]
) -> tuple[
    Float64[np.ndarray, " columns"], Float64[np.ndarray, "images columns"], Int64[np.ndarray, " columns"]
]:
    """Return shares removed, the influence of each image (derivative of the ratio), and numbers of images."""
    defined = ~np.isnan(after)
    n = defined.sum(axis=0)
    totals = np.where(defined, after, 0.0).sum(axis=0), np.where(defined, before, 0.0).sum(axis=0)
    quotient = _ratio(totals[0], totals[1])
    pulls = np.where(defined, -(after - quotient * before), 0.0)
    return 1 - quotient, np.where(np.isnan(pulls), 0.0, pulls), np.where(np.isnan(quotient), 0, n)


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
