"""Separation: the mean distance between different images, as a scale for shifts."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float64

from embshift.core.records import Record, list_fields, to_pandas, write_html

__all__ = ["Separation", "compute_separation"]

ALL_PAIRS = 5_000
"""Number of images up to which the L2 distance of every pair is computed; 12.5 million pairs."""

BLOCK = 512
"""Images whose distances to all others are computed at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Separation:
    """Mean distance between the embeddings of two different, unchanged images.

    Attributes:
        cosine: Mean of 1 − cosine over all pairs, from 0 to 2; NaN for fewer than two images.
        cosine_pairs: Number of pairs behind it: all of them.
        l2: Mean Euclidean distance between raw embeddings, in the encoder's unit.
        l2_pairs: Number of pairs behind it: all, or those among a seeded sample of images.
        images: Number of different images with a finite embedding that is not all zeros.
        left_out: Number of embeddings left out, since they are all zeros or not finite and have no angle.
    """

    cosine: float
    cosine_pairs: int
    l2: float
    l2_pairs: int
    images: int
    left_out: int

    def records(self) -> list[Record]:
        """Return the one row of the result."""
        return [list_fields(self, ("cosine", "cosine_pairs", "l2", "l2_pairs", "images", "left_out"))]

    to_pandas = to_pandas
    _repr_html_ = write_html


def compute_separation(embeddings: Float[np.ndarray, "images dim"], *, seed: int = 0) -> Separation:
    """Compute the mean distance between different images.

    The mean cosine distance needs no pairs: with unit vectors z, Σᵢⱼ zᵢ·zⱼ = ‖Σz‖², so over pairs i ≠ j it is
    1 − (‖Σz‖² − N) / (N (N − 1)), here in float64. The mean L2 distance has no such form; above 5,000 images
    it is computed on a seeded sample of 5,000. Neither shows how the distances spread.

    Args:
        embeddings: Raw embeddings of the originals, each image once.
        seed: Seed of the sample.
    """
    vectors = embeddings.astype(np.float64)
    norms = np.linalg.norm(vectors, axis=1)
    usable = np.isfinite(norms) & (norms > 0)
    vectors, norms = vectors[usable], norms[usable]
    n = len(vectors)
    sample = vectors
    if n > ALL_PAIRS:
        rows = np.random.default_rng(seed).choice(n, size=ALL_PAIRS, replace=False)
        sample = vectors[np.sort(rows)]
    return Separation(
        cosine=_mean_cosine_distance(vectors / norms[:, None]),
        cosine_pairs=n * (n - 1) // 2,
        l2=_mean_distance(sample),
        l2_pairs=len(sample) * (len(sample) - 1) // 2,
        images=n,
        left_out=int((~usable).sum()),
    )


def _mean_cosine_distance(units: Float64[np.ndarray, "images dim"]) -> float:
    n = len(units)
    if n < 2:
        return float("nan")
    return 1.0 - (float((units.sum(axis=0) ** 2).sum()) - float((units**2).sum())) / (n * (n - 1))


def _mean_distance(vectors: Float64[np.ndarray, "images dim"]) -> float:
    """Compute the mean over all pairs, block by block: ‖a − b‖² = ‖a‖² + ‖b‖² − 2 a·b, a matrix product."""
    n = len(vectors)
    if n < 2:
        return float("nan")
    centred = vectors - vectors.mean(axis=0)  # a common part would cancel and cost precision
    squares = (centred**2).sum(axis=1)
    total = 0.0
    for start in range(0, n, BLOCK):
        block = slice(start, start + BLOCK)
        apart = squares[block, None] + squares - 2.0 * (centred[block] @ centred.T)
        own = np.arange(len(apart))
        apart[own, start + own] = 0.0  # the distance of a vector to itself, exactly
        total += float(np.sqrt(np.maximum(apart, 0.0)).sum())
    return total / (n * (n - 1))
