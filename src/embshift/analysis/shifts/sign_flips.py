"""Sign-flip tests of paired differences: one flip an image, shared by all comparisons, and max-T."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from jaxtyping import Bool, Float64

from embshift.analysis.sampling.bootstrap import RESAMPLES

__all__ = [
    "ALL_FLIPS",
    "TIE",
    "FlipTest",
    "count_flips",
    "count_reached",
    "draw_signs",
    "flip_sides",
    "flip_signs",
    "scale_columns",
]

ALL_FLIPS = 13
"""Number of images up to which all 2ⁿ flips are computed: 8,192."""

SIGNS_AT_ONCE = 1 << 22
"""Signs, or sums, held at once: 32 MiB as float64."""

TIE = 1e-12
"""Statistics closer than this, relative to the greatest possible one, are equal: they differ by rounding."""

_SUMMED_TIE = 1e-9
"""The same for differences of flipped sums, which lose digits where the two sides are nearly equal."""

_SAME = 1e-6
"""Differences up to this share of the values, root mean square, are rounding of float32."""

_Flip: TypeAlias = Callable[[Float64[np.ndarray, "block images"]], Float64[np.ndarray, "block pairs"]]
"""Takes signs; returns the statistic of every comparison under them, with its sign."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FlipTest:
    """Two-sided p values of several comparisons on the same images.

    Attributes:
        p: p of each comparison by itself; NaN without a defined difference.
        adjusted: p adjusted for all comparisons together, by step-down max-T.
        flips: Number of flips.
        exact: Whether these are all 2ⁿ flips.
        least: Least possible p, however large a difference.
    """

    p: Float64[np.ndarray, " pairs"]
    adjusted: Float64[np.ndarray, " pairs"]
    flips: int
    exact: bool
    least: float


def count_flips(images: int, *, resamples: int) -> tuple[int, bool, float]:
    """Return the number of flips, whether they are all there are, and the least possible p."""
    if images <= ALL_FLIPS:
        return 2**images, True, min(1.0, 2.0 ** (1 - images))
    return resamples, False, 1 / (resamples + 1)


def flip_signs(
    differences: Float64[np.ndarray, "images pairs"], /, *, resamples: int = RESAMPLES, seed: int = 0
) -> FlipTest:
    """Test paired differences by flipping signs, and adjust for all comparisons by step-down max-T.

    If no side differs from another, all differences of an image are as likely with the other sign. A flip
    multiplies all values of an image by the same random sign, which keeps how comparisons depend on each
    other. The statistic is |Σ s d| / √(Σ d²): since Σ d² does not change with signs, it orders flips as the
    studentised mean does. p is the share of flips that reach the observed statistic, all 2ⁿ for up to 13
    images, else (b + 1) / (B + 1) for B random ones.

    Step-down max-T compares the greatest observed statistic with the greatest of all comparisons in each
    flip, the second with the greatest of the rest, and so on; no adjusted p is below an earlier one. The
    probability of any false finding is then at most the level at which adjusted values are read.

    Args:
        differences: One column per comparison, on the same images; a column with NaN has no p.
        resamples: Number of random flips B, for more than 13 images.
        seed: Their seed.

    References:
        Westfall & Young 1993, Resampling-based multiple testing, algorithm 4.1; Phipson & Smyth 2010 (arXiv
        1603.05766) for (b + 1) / (B + 1).
    """
    images = len(differences)
    known = np.asarray(~np.isnan(differences).any(axis=0) & (images > 0))
    values = scale_columns(differences[:, known]) if known.any() else differences[:, known]
    return _tested(
        lambda signs: signs @ values, known=known, images=images, resamples=resamples, seed=seed, tie=TIE
    )


def flip_sides(
    sides: Float64[np.ndarray, "images sets sides"], /, *, resamples: int = RESAMPLES, seed: int = 0
) -> FlipTest:
    """Test the differences of every two sides of every set as `flip_signs` does, all of them together.

    A set uses the images that have all its values, not counting sides without any value. No table of
    differences is made: the flipped sum of a difference is the difference of two flipped sums.

    Args:
        sides: One value per image, set and side, e.g. per metric and transform; NaN where undefined.
        resamples: Number of random flips, for more than 13 images.
        seed: Their seed.

    Returns:
        p values of sets by pairs of sides, flat, pairs in the order of `itertools.combinations`. A pair
        whose differences are rounding on every image has p = 1; one with a side without values has NaN.
    """
    images, sets, count = sides.shape
    first, second = np.triu_indices(count, 1)
    parts = [_centre(sides[:, at]) for at in range(sets)]
    lengths = [_lengths(part, scale=_root(sides[:, at])) for at, part in enumerate(parts)]
    known = np.array([~np.isnan(one) for one in lengths], bool).reshape(sets * len(first)) & (images > 0)

    def flip(signs: Float64[np.ndarray, "block images"]) -> Float64[np.ndarray, "block pairs"]:
        sums = [signs @ part for part in parts]  # block sides, for each set
        found = [(one[:, first] - one[:, second]) / size for one, size in zip(sums, lengths, strict=True)]
        return np.concatenate(found, axis=1)[:, known]

    return _tested(flip, known=known, images=images, resamples=resamples, seed=seed, tie=_SUMMED_TIE)


def _centre(values: Float64[np.ndarray, "images sides"]) -> Float64[np.ndarray, "images sides"]:
    """Subtract each image's mean over sides; 0 for images without all values, NaN for sides without any."""
    held = ~np.isnan(values).all(axis=0)
    whole = ~np.isnan(values[:, held]).any(axis=1) & held.any()
    if not whole.any():
        return np.full(values.shape, np.nan)
    found = np.where(held, 0.0, np.full(values.shape, np.nan))
    kept = values[np.ix_(whole, held)]
    found[np.ix_(whole, held)] = kept - kept.mean(axis=1, keepdims=True)
    return found


def _root(values: Float64[np.ndarray, "images sides"]) -> float:
    return float(np.sqrt(np.nansum(values**2)))


def _lengths(values: Float64[np.ndarray, "images sides"], *, scale: float) -> Float64[np.ndarray, " pairs"]:
    """Return the root sums of squares of all differences; infinite where these are rounding."""
    columns = range(values.shape[1])
    parts = [((values[:, [at]] - values[:, at + 1 :]) ** 2).sum(axis=0) for at in columns]
    found = np.sqrt(np.concatenate([np.empty(0), *parts]))
    return np.where(found <= _SAME * scale, np.inf, found)


def _tested(
    flip: _Flip, *, known: Bool[np.ndarray, " pairs"], images: int, resamples: int, seed: int, tie: float
) -> FlipTest:
    flips, exact, _ = count_flips(images, resamples=resamples)
    seen = np.abs(flip(np.ones((1, images))))[0] if known.any() else np.empty(0)
    signs = draw_signs(images, pairs=len(seen), flips=flips, exact=exact, seed=seed)
    found = (np.abs(flip(block)) for block in signs)
    return count_reached(
        seen, found, known=known, images=images, resamples=resamples, margin=tie * np.sqrt(images)
    )


def count_reached(
    seen: Float64[np.ndarray, " known"],
    found: Iterable[Float64[np.ndarray, "block known"]],
    /,
    *,
    known: Bool[np.ndarray, " pairs"],
    images: int,
    resamples: int,
    margin: float,
) -> FlipTest:
    """Return p values: how often statistics under flips reach the observed ones.

    Args:
        seen: Size of each observed statistic.
        found: Sizes under flips, block by block.
        known: Which of all comparisons these are.
        images: Number of images.
        resamples: Number of random flips, where not all are computed.
        margin: What rounding may take from a statistic.
    """
    flips, exact, least = count_flips(images, resamples=resamples)
    p, adjusted = np.full(len(known), np.nan), np.full(len(known), np.nan)
    if known.any():
        order = np.argsort(-seen, kind="stable")
        alone, together = _count((block[:, order] for block in found), seen[order] - margin)
        extra = 0 if exact else 1  # the observed signs are one of all flips, but not of the random ones
        places = np.flatnonzero(known)[order]
        p[places] = (alone + extra) / (flips + extra)
        adjusted[places] = np.maximum.accumulate((together + extra) / (flips + extra))
    return FlipTest(p=p, adjusted=adjusted, flips=flips, exact=exact, least=least)


def scale_columns(values: Float64[np.ndarray, "images pairs"]) -> Float64[np.ndarray, "images pairs"]:
    """Divide each column by its root sum of squares; columns of zeros stay."""
    most = np.abs(values).max(axis=0)
    shares = np.divide(values, most, out=np.zeros_like(values), where=most > 0)
    return shares / np.maximum(np.sqrt((shares**2).sum(axis=0)), 1.0)


def _count(
    blocks: Iterable[Float64[np.ndarray, "flips pairs"]], reached: Float64[np.ndarray, " pairs"]
) -> tuple[Float64[np.ndarray, " pairs"], Float64[np.ndarray, " pairs"]]:
    """Count flips that reach each observed statistic: by the comparison itself, and by any not before it.

    Args:
        blocks: Statistics of flips, block by block, the comparison with the greatest observed one first.
        reached: The observed statistics, descending, less what rounding may take from them.
    """
    alone, together = np.zeros(len(reached)), np.zeros(len(reached))
    for found in blocks:
        alone += (found >= reached).sum(axis=0)
        rest = np.maximum.accumulate(found[:, ::-1], axis=1)[:, ::-1]
        together += (rest >= reached).sum(axis=0)
    return alone, together


def draw_signs(
    images: int, *, pairs: int, flips: int, exact: bool, seed: int
) -> Iterator[Float64[np.ndarray, "block images"]]:
    """Draw the sign of every image in every flip, −1 or 1, block by block.

    Args:
        images: Number of images.
        pairs: Number of columns that a block is multiplied by: the more, the smaller the blocks.
        flips: Number of flips.
        exact: Whether to list all flips in place of random ones.
        seed: Seed of the random ones; the same numbers and seed give the same signs.
    """
    rng = np.random.default_rng(seed)
    block = max(1, SIGNS_AT_ONCE // max(images, pairs, 1))
    for start in range(0, flips, block):
        rows = min(block, flips - start)
        if exact:
            drawn = (np.arange(start, start + rows)[:, None] >> np.arange(images)) & 1
        else:
            drawn = rng.integers(2, size=(rows, images), dtype=np.int8)
        yield 2.0 * drawn - 1.0
