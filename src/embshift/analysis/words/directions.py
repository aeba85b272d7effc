"""Words that name the direction of a transform's shifts, tested against chance for all of them together."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64

from embshift.analysis.shifts.sign_flips import TIE, count_flips, draw_signs, scale_columns
from embshift.analysis.words.vectors import centre_texts, check_names, check_shifts
from embshift.core.named import find_position
from embshift.core.words import count_noun

__all__ = ["FEWEST_NAMED", "NAMED_BELOW", "RESAMPLES", "DirectionWords", "NamedWord", "name_directions"]

RESAMPLES = 9_999
"""Default number of random sign flips."""

NAMED_BELOW = 0.05
"""Adjusted p below which a word is named."""

FEWEST_NAMED = 6
"""Number of moved images from which on a word can be named: with n of them the least p is 2/2ⁿ."""

_NONE = 1e-12
"""Projections up to this share of the greatest possible one are 0: they differ from it by rounding."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedWord:
    """A word that a transform moves images towards, or away from.

    Attributes:
        word: The word or phrase.
        t: Its statistic T; above 0 the images move towards the word, below 0 away from it.
        p: p, adjusted for all words and transforms together.
        mean: Mean projection of the shifts on the word's centred vector.
    """

    word: str
    t: float
    p: float
    mean: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DirectionWords:
    """The test of every word against the shifts of every transform.

    Attributes:
        transforms: The transforms, in the order given.
        names: The words, in the order given.
        t: Statistic T; NaN where it is undefined, or for a transform that moves too few images.
        p: p, adjusted for all words and transforms together; NaN where T is.
        mean: Mean over moved images of the projection of the shift on the word's centred vector; NaN without
            any.
        images: Number of images that each transform moves.
        flips: Number of sign flips.
        exact: Whether these are all 2ⁿ flips.
        least: Least possible p, however large T.
        line: |T| that a word must exceed to be named: the null's 95 % line; NaN if no |T| would do.
    """

    transforms: tuple[str, ...]
    names: tuple[str, ...]
    t: Float64[np.ndarray, "transforms words"]
    p: Float64[np.ndarray, "transforms words"]
    mean: Float64[np.ndarray, "transforms words"]
    images: Int64[np.ndarray, " transforms"]
    flips: int
    exact: bool
    least: float
    line: float

    def named(self, transform: str) -> tuple[NamedWord, ...]:
        """Return the words with an adjusted p below 0.05, the greatest |T| first.

        Raises:
            UnknownNameError: If there is no such transform.
        """
        at = find_position(self.transforms, transform, kind="transform")
        places = [int(one) for one in np.argsort(-np.abs(self.t[at]), kind="stable")]
        return tuple(
            NamedWord(
                word=self.names[one],
                t=float(self.t[at, one]),
                p=float(self.p[at, one]),
                mean=float(self.mean[at, one]),
            )
            for one in places
            if self.p[at, one] < NAMED_BELOW
        )

    def reason(self, transform: str) -> str:
        """Return why no word can be named for a transform; empty if one can.

        Raises:
            UnknownNameError: If there is no such transform.
        """
        moved = int(self.images[find_position(self.transforms, transform, kind="transform")])
        if moved >= FEWEST_NAMED:
            return ""
        least = min(1.0, 2.0 ** (1 - moved))
        return (
            f"{transform} moves {count_noun(moved, 'image')}, so that p cannot be below {least:.2g}; "
            f"words are named from {FEWEST_NAMED} images on"
        )


def name_directions(
    shifts: Mapping[str, Float64[np.ndarray, "_images _dim"]],
    vectors: Float64[np.ndarray, "words dim"],
    names: Sequence[str],
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> DirectionWords:
    """Test which words name the direction in which each transform moves images.

    Texts are centred, t_w − t̄. T_w = Σ⟨Δᵢ, t_w⟩ / √Σ⟨Δᵢ, t_w⟩² over images. A flip multiplies the shifts of
    an image, of every transform, by the same random sign, and p is the share of flips whose greatest |T| over
    all words and transforms reaches the observed |T|: b/2ⁿ with all flips for up to 13 images, else
    (b + 1)/(B + 1) for B random ones. The probability of any false name is then at most the level at which p
    is read.

    The null hypothesis is symmetry about 0: it holds if a transform moves images no more along a word than
    against it. A word that is named need not be the reason for the shift, nor explain much of it.

    Args:
        shifts: For each transform z′ − z of every image, averaged over draws, the images in one order; rows
            of NaN where an image has no view of the transform. Shifts of at most 1e-6 are rounding, and 0.
        vectors: Text vectors of length 1.
        names: The words, as many.
        resamples: Number of random flips B, for more than 13 images.
        seed: Their seed.

    Raises:
        PlanError: If sizes do not fit, words are repeated, or a vector is not finite or not of length 1.

    References:
        Westfall & Young 1993, Resampling-based multiple testing, section 2.6; Phipson & Smyth 2010 (arXiv
        1603.05766) for (b + 1) / (B + 1).
    """
    texts, rows = centre_texts(vectors), check_shifts(shifts, dim=vectors.shape[1])
    check_names(names, words=len(vectors))
    moved = np.array([one.any(axis=1).sum() for one in rows.values()], np.int64)
    count = len(next(iter(rows.values()))) if rows else 0
    flips, exact, least = count_flips(count, resamples=resamples)
    shape = (len(rows), len(names))
    t, mean, null = np.full(shape, np.nan), np.full(shape, np.nan), np.zeros(flips)
    for at, one in enumerate(rows.values()):
        values = _project(one, texts)
        if moved[at]:
            mean[at] = values.sum(axis=0) / moved[at]
        if moved[at] >= FEWEST_NAMED:
            scaled = scale_columns(values)
            t[at] = np.where(scaled.any(axis=0), scaled.sum(axis=0), np.nan)
            _raise_null(null, scaled, exact=exact, seed=seed)
    null.sort()
    return DirectionWords(
        transforms=tuple(rows),
        names=tuple(names),
        t=t,
        p=_adjust(t, null, images=count, exact=exact),
        mean=mean,
        images=moved,
        flips=flips,
        exact=exact,
        least=least,
        line=_find_line(null, exact=exact),
    )


def _project(
    shifts: Float64[np.ndarray, "images dim"], texts: Float64[np.ndarray, "words dim"]
) -> Float64[np.ndarray, "images words"]:
    """Project shifts on centred texts; a word that all shifts are orthogonal to gets exactly 0."""
    values = shifts @ texts.T
    longest = np.linalg.norm(shifts, axis=1).max(initial=0.0)
    most = longest * np.linalg.norm(texts, axis=1)
    return np.where(np.abs(values).max(axis=0, initial=0.0) > _NONE * most, values, 0.0)


def _raise_null(
    null: Float64[np.ndarray, " flips"],
    scaled: Float64[np.ndarray, "images words"],
    *,
    exact: bool,
    seed: int,
) -> None:
    """Raise the greatest |T| of each flip, in place, where a word of this transform exceeds it."""
    images, words = scaled.shape
    start = 0
    # Signs are drawn again for each transform: that is cheap, and memory does not grow with transforms.
    for signs in draw_signs(images, pairs=words, flips=len(null), exact=exact, seed=seed):
        found = signs @ scaled  # flips words
        block = null[start : start + len(signs)]
        np.maximum(block, np.maximum(found.max(axis=1), -found.min(axis=1)), out=block)
        start += len(signs)


def _adjust(
    t: Float64[np.ndarray, "transforms words"],
    null: Float64[np.ndarray, " flips"],
    *,
    images: int,
    exact: bool,
) -> Float64[np.ndarray, "transforms words"]:
    """Compute the share of flips whose greatest |T| reaches each observed one; ``null`` ascends."""
    extra = 0 if exact else 1  # the observed signs are one of all flips, but not of the random ones
    reached = np.abs(t) - TIE * math.sqrt(images)
    above = len(null) - np.searchsorted(null, reached, side="left")
    return np.where(np.isnan(t), np.nan, (above + extra) / (len(null) + extra))


def _find_line(null: Float64[np.ndarray, " flips"], *, exact: bool) -> float:
    """Return the |T| above which p is below 0.05; ``null`` ascends."""
    extra, always = (0, 2) if exact else (1, 0)  # of all flips, the observed signs and their opposite
    # The greatest number of flips that may reach |T|: the last b with (b + extra) / (flips + extra) < 0.05.
    most = math.ceil(NAMED_BELOW * (len(null) + extra)) - 1 - extra
    return float(null[len(null) - 1 - most]) if most >= always and null[-1] > 0 else math.nan
