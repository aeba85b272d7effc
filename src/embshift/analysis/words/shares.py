"""How much of a transform's mean shift a few words explain, compared with as many random vectors."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import scipy
from jaxtyping import Float64, Int64

from embshift.analysis.words.directions import FEWEST_NAMED
from embshift.analysis.words.vectors import centre_texts, check_shifts
from embshift.core.errors import PlanError
from embshift.core.named import find_position

__all__ = ["BEST", "NULLS", "SPLITS", "WordShares", "share_of_words"]

BEST = 5
"""Number of words that are chosen."""

SPLITS = 10
"""Random splits of the images into halves; every half chooses once for the other."""

NULLS = 99
"""Sets of random vectors."""

_RANGE = 0.95
"""Share of the sets of random vectors within the null's range."""

_NONE = 1e-12
"""Squared lengths up to this share of the greatest are 0: they differ from it by rounding."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class WordShares:
    """Shares of mean shifts that the best words explain.

    Attributes:
        transforms: The transforms, in the order given.
        share: Share of the squared mean shift of one half of the images that lies in the span of the words
            chosen on the other half, mean over splits, from 0 to 1; NaN for fewer than six moved images.
        null: Mean share of as many random vectors, chosen the same way from as many as there are words.
        null_low: Lower end of the range of 95 % of the sets of random vectors.
        null_high: Upper end.
        p: (b + 1) / (B + 1) for the b of B sets of random vectors that explain at least as much.
        images: Number of images that each transform moves.
        words: Number of words chosen.
    """

    transforms: tuple[str, ...]
    share: Float64[np.ndarray, " transforms"]
    null: Float64[np.ndarray, " transforms"]
    null_low: Float64[np.ndarray, " transforms"]
    null_high: Float64[np.ndarray, " transforms"]
    p: Float64[np.ndarray, " transforms"]
    images: Int64[np.ndarray, " transforms"]
    words: int

    def told(self, transform: str) -> str:
        """Return the result for a transform as one sentence.

        Raises:
            UnknownNameError: If there is no such transform.
        """
        at = find_position(self.transforms, transform, kind="transform")
        if np.isnan(self.share[at]):
            return f"{transform}: too few images moved to measure what words explain"
        return (
            f"{transform}: the best {self.words} words explain {100 * self.share[at]:.0f} % of the mean "
            f"shift of other images; of random vectors, as many explain {100 * self.null_low[at]:.0f} to "
            f"{100 * self.null_high[at]:.0f} %"
        )


def share_of_words(
    shifts: Mapping[str, Float64[np.ndarray, "_images _dim"]],
    vectors: Float64[np.ndarray, "words dim"],
    *,
    best: int = BEST,
    splits: int = SPLITS,
    nulls: int = NULLS,
    seed: int = 0,
) -> WordShares:
    """Measure how much of the mean shift the best words explain, and how much random vectors do.

    On one half of the images words are chosen one after another, each time the one whose centred vector has
    the greatest |cosine| with what the chosen ones leave of the mean shift (orthogonal matching pursuit). The
    share is ‖Pμ‖²/‖μ‖² for the mean shift μ of the other half and the projection P on the span of the chosen
    vectors. Random vectors are as many as words, normal, with the covariance of the centred texts; so a
    vocabulary explains more than they do only if its words point to the shift, not since texts lie in a few
    directions of the space.

    Args:
        shifts: As in `name_directions`.
        vectors: Text vectors of length 1.
        best: Number of words that are chosen.
        splits: Number of random splits into halves.
        nulls: Number of sets of random vectors.
        seed: Seed of the splits and of the random vectors.

    Raises:
        PlanError: If sizes do not fit, a vector is not of length 1, or there are fewer words than `best`.

    References:
        Pati, Rezaiifar & Krishnaprasad 1993, Orthogonal matching pursuit, Asilomar 27.
    """
    texts = centre_texts(vectors)
    if not 1 <= best <= len(texts):
        raise PlanError(f"{best} of {len(texts)} words are asked for; expected 1 to {len(texts)}")
    rows = check_shifts(shifts, dim=vectors.shape[1])
    moved = np.array([one.any(axis=1).sum() for one in rows.values()], np.int64)
    halves = [
        _split(one[one.any(axis=1)], splits=splits, seed=seed) if n >= FEWEST_NAMED else None
        for one, n in zip(rows.values(), moved, strict=True)
    ]
    measured = [at for at, one in enumerate(halves) if one is not None]
    found = np.full((1 + nulls, len(rows)), np.nan)
    if measured:
        means = np.concatenate([one for one in halves if one is not None])  # (transforms · 2 splits, 2, dim)
        found[:, measured] = (
            _measure(texts, means, best=best, nulls=nulls, seed=seed)
            .reshape(1 + nulls, len(measured), -1)
            .mean(axis=2)
        )
    low, high = np.quantile(found[1:], [(1 - _RANGE) / 2, (1 + _RANGE) / 2], axis=0)
    reached = (found[1:] >= found[0]).sum(axis=0)
    return WordShares(
        transforms=tuple(rows),
        share=found[0],
        null=found[1:].mean(axis=0),
        null_low=low,
        null_high=high,
        p=np.where(np.isnan(found[0]), np.nan, (reached + 1) / (nulls + 1)),
        images=moved,
        words=best,
    )


def _split(
    shifts: Float64[np.ndarray, "images dim"], *, splits: int, seed: int
) -> Float64[np.ndarray, "both two dim"]:
    """Return the mean shift of the half that chooses and of the other one, for every split both ways."""
    rng = np.random.default_rng((seed, 1))
    found = list[Float64[np.ndarray, "two dim"]]()
    for _ in range(splits):
        order = rng.permutation(len(shifts))
        first, second = (shifts[part].mean(axis=0) for part in np.array_split(order, 2))
        found += [np.stack([first, second]), np.stack([second, first])]
    return np.stack(found)


def _measure(
    texts: Float64[np.ndarray, "words dim"],
    means: Float64[np.ndarray, "sets two dim"],
    *,
    best: int,
    nulls: int,
    seed: int,
) -> Float64[np.ndarray, "trials sets"]:
    """Return the share of every split: of the words first, then of every set of random vectors."""
    _, sizes, axes = scipy.linalg.svd(texts, full_matrices=False, check_finite=False)
    kept = sizes > 1e-9 * max(float(sizes[0]), 1e-300)
    axes, sizes = axes[kept], sizes[kept]
    # In the axes of the texts' span; what of a mean shift lies outside it counts in its length only.
    inside = means @ axes.T
    lengths = np.einsum("ij,ij->i", means[:, 1], means[:, 1])
    rng = np.random.default_rng((seed, 2))
    found = [_explain(texts @ axes.T, inside, best=best)]
    for _ in range(nulls):
        drawn = rng.normal(size=(len(texts), len(sizes))) * sizes / np.sqrt(len(texts))
        found.append(_explain(drawn, inside, best=best))
    return np.stack(found) / np.where(lengths > 0, lengths, np.inf)


def _explain(
    vectors: Float64[np.ndarray, "words axes"], means: Float64[np.ndarray, "sets two axes"], *, best: int
) -> Float64[np.ndarray, " sets"]:
    """Choose vectors on the first mean of every set; return ‖Pμ‖² of the second mean."""
    lengths = np.linalg.norm(vectors, axis=1)
    known = lengths > 1e-12
    units = vectors[known] / lengths[known, None]
    left, other = means[:, 0].copy(), means[:, 1].copy()
    explained, start = np.zeros(len(means)), np.einsum("ij,ij->i", means[:, 0], means[:, 0])
    spans = np.zeros((len(means), 0, vectors.shape[1]))
    for _ in range(best):
        chosen = np.abs(left @ units.T).argmax(axis=1)
        direction = units[chosen]
        for _ in range(2):  # twice, since once leaves rounding that a near repeat would raise to a direction
            direction = direction - np.einsum("ikj,ik->ij", spans, np.einsum("ikj,ij->ik", spans, direction))
        length = np.linalg.norm(direction, axis=1)
        ended = (np.einsum("ij,ij->i", left, left) <= _NONE * start) | (length <= 1e-9)
        direction = np.where(ended[:, None], 0.0, direction / np.where(ended, 1.0, length)[:, None])
        left -= np.einsum("ij,ij->i", left, direction)[:, None] * direction
        explained += np.einsum("ij,ij->i", other, direction) ** 2
        spans = np.concatenate([spans, direction[:, None]], axis=1)
    return explained
