"""Sign-flip tests of paired differences: one flip an image, shared by all comparisons, and max-T."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from embshift.analysis.sampling.bootstrap import RESAMPLES

__all__ = ["ALL_FLIPS", "TIE", "FlipTest", "count_flips", "draw_signs", "flip_signs", "scale_columns"]

ALL_FLIPS = 13
"""Number of images up to which all 2ⁿ flips are computed: 8,192."""

SIGNS_AT_ONCE = 1 << 22
"""Signs, or sums, held at once: 32 MiB as float64."""

TIE = 1e-12
"""Statistics closer than this, relative to the greatest possible one, are equal: they differ by rounding."""


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
    images, pairs = differences.shape
    flips, exact, least = count_flips(images, resamples=resamples)
    known = ~np.isnan(differences).any(axis=0) & (images > 0)
    p, adjusted = np.full(pairs, np.nan), np.full(pairs, np.nan)
    if known.any():
        values = scale_columns(differences[:, known])
        seen = np.abs(values.sum(axis=0))
        order = np.argsort(-seen, kind="stable")
        alone, together = _count(values[:, order], seen[order], flips=flips, exact=exact, seed=seed)
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
    values: Float64[np.ndarray, "images pairs"],
    seen: Float64[np.ndarray, " pairs"],
    *,
    flips: int,
    exact: bool,
    seed: int,
) -> tuple[Float64[np.ndarray, " pairs"], Float64[np.ndarray, " pairs"]]:
    """Count flips that reach each observed statistic: by the comparison itself, and by any not before it.

    Args:
        values: Scaled differences, the greatest observed statistic first.
        seen: The observed statistics, descending.
        flips: Number of flips.
        exact: Whether to take all flips in place of random ones.
        seed: Seed of the random ones.
    """
    alone, together = np.zeros(len(seen)), np.zeros(len(seen))
    reached = seen - TIE * np.sqrt(len(values))
    for signs in draw_signs(len(values), pairs=len(seen), flips=flips, exact=exact, seed=seed):
        found = np.abs(signs @ values)  # flips pairs
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
