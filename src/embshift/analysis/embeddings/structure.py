"""Structure: whether images keep their arrangement, whatever happened to the space: CKA, Procrustes, RSA."""

import numpy as np
import scipy
from jaxtyping import Float64, Int64

from embshift.analysis.embeddings.catalogue import STRUCTURE
from embshift.analysis.embeddings.measures import Measured, without_intervals
from embshift.analysis.embeddings.pairs import DrawViews, Pairs
from embshift.core.errors import PlanError

__all__ = [
    "linear_cka",
    "measure_structure",
    "procrustes",
    "rsa",
    "unbiased_cka",
]

PERMUTATIONS = 20
"""Number of permutations of the baselines by default."""

RSA_IMAGES = 2_000
"""Number of images up to which all distances are compared; of more, a seeded sample of this size is used."""

_NAN = float("nan")


def linear_cka(
    one: Float64[np.ndarray, "images dim"], other: Float64[np.ndarray, "images width"], /
) -> float:
    """Return ‖XᵀY‖² / (‖XᵀX‖ ‖YᵀY‖), Frobenius norms of centred X and Y.

    Returns:
        From 0 to 1; NaN if either has no spread.
    """
    one, other = _centred(one), _centred(other)
    return _quotient(_square(one, other), np.sqrt(_square(one, one) * _square(other, other)))


def unbiased_cka(
    one: Float64[np.ndarray, "images dim"], other: Float64[np.ndarray, "images width"], /
) -> float:
    """Return linear CKA with HSIC₁ in place of each squared norm, which is unbiased for finite N.

    HSIC₁(K, L) = [tr K̃L̃ + 1ᵀK̃1 · 1ᵀL̃1 / ((N − 1)(N − 2)) − 2 · 1ᵀK̃L̃1 / (N − 2)] / (N (N − 3)), K̃ being
    XXᵀ with a zero diagonal. No N × N matrix is computed.

    Returns:
        About 0 for unrelated X and Y, 1 for equal ones; NaN for fewer than four images, or if the estimate of
        either's own spread is not above 0.
    """
    if len(one) < 4:
        return _NAN
    one, other = _centred(one), _centred(other)
    spread = _hsic(one, one), _hsic(other, other)
    return _quotient(_hsic(one, other), np.sqrt(max(spread[0], 0.0) * max(spread[1], 0.0)))


def _centred(vectors: Float64[np.ndarray, "images dim"]) -> Float64[np.ndarray, "images dim"]:
    """Centre vectors about their mean; exactly 0 where only rounding is left."""
    found = vectors - vectors.mean(axis=0)
    size = float(np.abs(vectors).max(initial=0.0))
    return np.where(np.abs(found) <= 1e-14 * size, 0.0, found)


def _square(one: Float64[np.ndarray, "images dim"], other: Float64[np.ndarray, "images width"]) -> float:
    return float((np.asarray(one.T @ other) ** 2).sum())


def _quotient(value: float, scale: float) -> float:
    return value / scale if scale > 0 else _NAN


def _hsic(one: Float64[np.ndarray, "images dim"], other: Float64[np.ndarray, "images width"]) -> float:
    n = len(one)
    first, second = np.einsum("ij,ij->i", one, one), np.einsum("ij,ij->i", other, other)
    # Row sums of the kernels are X (Xᵀ1), without their diagonals.
    rows = one @ one.sum(axis=0) - first, other @ other.sum(axis=0) - second
    trace = _square(one, other) - float(first @ second)
    both = float(rows[0].sum()) * float(rows[1].sum()) / ((n - 1) * (n - 2))
    return (trace + both - 2 * float(rows[0] @ rows[1]) / (n - 2)) / (n * (n - 3))


def procrustes(
    one: Float64[np.ndarray, "images dim"], other: Float64[np.ndarray, "images width"], /
) -> float:
    """Return √(2 − 2‖XᵀY‖*), X and Y centred and of Frobenius norm 1, ‖·‖* the sum of singular values.

    Returns:
        From 0 to √2; NaN if either has no spread.
    """
    first, second = _scaled(one), _scaled(other)
    return _left_over(first, second)


def _scaled(vectors: Float64[np.ndarray, "images dim"]) -> Float64[np.ndarray, "images dim"]:
    found = _centred(vectors)
    length = float(np.linalg.norm(found))
    return found / length if length > 0 else np.full(found.shape, np.nan)


def _left_over(one: Float64[np.ndarray, "images dim"], other: Float64[np.ndarray, "images width"]) -> float:
    product = np.asarray(one.T @ other)
    if np.isnan(product).any():
        return _NAN
    sizes = np.asarray(scipy.linalg.svdvals(product, check_finite=False))
    return float(np.sqrt(max(2 - 2 * float(sizes.sum()), 0.0)))


def rsa(one: Float64[np.ndarray, "images dim"], other: Float64[np.ndarray, "images width"], /) -> float:
    """Return the Spearman correlation of the cosine distances between all images, before and after.

    Args:
        one: Unit vectors.
        other: Unit vectors of the same images.

    Returns:
        From −1 to 1, ties at their mean rank; NaN for fewer than three images or distances without spread.
    """
    first, second = _distance_ranks(one), _distance_ranks(other)
    upper = np.triu_indices(len(first), 1)
    return _correlation(first[upper], second[upper])


def _distance_ranks(units: Float64[np.ndarray, "images dim"]) -> Float64[np.ndarray, "images images"]:
    """Rank the distances between images, about the mean rank: symmetric, with a zero diagonal."""
    from scipy.stats import rankdata  # half a second to import, and seldom asked for

    n = len(units)
    upper = np.triu_indices(n, 1)
    # Twelve digits: equal distances of a regular arrangement must tie.
    distances = np.round(1 - np.asarray(units @ units.T)[upper], 12)
    ranks = rankdata(distances) if len(distances) else distances
    found = np.zeros((n, n))
    found[upper] = ranks - (len(ranks) + 1) / 2
    return found + found.T


def _correlation(one: Float64[np.ndarray, " values"], other: Float64[np.ndarray, " values"]) -> float:
    if len(one) < 3:
        return _NAN
    return _quotient(float(one @ other), float(np.sqrt((one @ one) * (other @ other))))


def measure_structure(pairs: Pairs, *, permutations: int = PERMUTATIONS, seed: int = 0) -> Measured:
    """Measure the structure of originals and views of every transform, and what chance alone would give.

    Draws are measured separately and averaged. If there are no more images than dimensions, a rotation aligns
    almost anything, so Procrustes and RSA are given with their mean over permutations of the views.

    Args:
        pairs: Originals and views.
        permutations: Number of permutations of the baselines, 1 or more.
        seed: Seed of the permutations, and of the sample for RSA beyond 2,000 images.

    Raises:
        PlanError: If `permutations` is out of range.
    """
    if permutations < 1:
        raise PlanError(f"permutations is {permutations}; expected 1 or more, e.g. {PERMUTATIONS}")
    shape = (len(pairs.transforms), len(STRUCTURE))
    found, n, undefined = np.full(shape, np.nan), np.zeros(shape, np.int64), np.zeros(shape, np.int64)
    for at, transform in enumerate(pairs.transforms):
        draws, recorded = pairs.views(transform)
        measured = [_draw(pairs, draw, permutations=permutations, seed=seed) for draw in draws]
        behind = max((len(draw.at) for draw in draws), default=0)
        if measured:
            table = np.stack(measured)
            known = ~np.isnan(table)
            total = np.where(known, table, 0.0).sum(axis=0)
            found[at] = np.divide(total, known.sum(axis=0), out=found[at].copy(), where=known.any(axis=0))
        n[at] = behind
        n[at, 4:] = min(behind, RSA_IMAGES)
        undefined[at] = recorded.sum() - behind
    return Measured(
        name="structure",
        measures=STRUCTURE,
        transforms=pairs.transforms,
        estimates=without_intervals(found, n),
        undefined=undefined,
        images=len(pairs),
        left_out=pairs.left_out,
        notes=_notes(pairs, permutations=permutations),
        level=_NAN,
    )


def _draw(pairs: Pairs, draw: DrawViews, *, permutations: int, seed: int) -> Float64[np.ndarray, " measures"]:
    if not len(draw.at):
        return np.full(len(STRUCTURE), np.nan)
    originals, rng = pairs.units[draw.at], np.random.default_rng(seed)
    orders = [rng.permutation(len(originals)) for _ in range(permutations)]
    turned = _procrustes_with_chance(originals, draw.units, orders=orders)
    ordered = _rsa_with_chance(originals, draw.units, permutations=permutations, seed=seed)
    return np.array(
        [linear_cka(originals, draw.units), unbiased_cka(originals, draw.units), *turned, *ordered]
    )


def _procrustes_with_chance(
    one: Float64[np.ndarray, "images dim"],
    other: Float64[np.ndarray, "images dim"],
    *,
    orders: list[Int64[np.ndarray, " images"]],
) -> tuple[float, float]:
    first, second = _scaled(one), _scaled(other)
    chance = [_left_over(first, second[order]) for order in orders]
    return _left_over(first, second), float(np.mean(chance))


def _rsa_with_chance(
    one: Float64[np.ndarray, "images dim"],
    other: Float64[np.ndarray, "images dim"],
    *,
    permutations: int,
    seed: int,
) -> tuple[float, float]:
    rng = np.random.default_rng((seed, 1))
    if len(one) > RSA_IMAGES:
        kept = np.sort(rng.choice(len(one), size=RSA_IMAGES, replace=False))
        one, other = one[kept], other[kept]
    first, second = _distance_ranks(one), _distance_ranks(other)
    upper = np.triu_indices(len(one), 1)
    chance = list[float]()
    for _ in range(permutations):
        order = rng.permutation(len(one))
        chance.append(_correlation(first[upper], second[np.ix_(order, order)][upper]))
    return _correlation(first[upper], second[upper]), float(np.mean(chance))


def _notes(pairs: Pairs, *, permutations: int) -> tuple[str, ...]:
    notes = [f"chance: mean over {permutations} permutations of the views"]
    if len(pairs) > RSA_IMAGES:
        notes.append(f"rsa uses a seeded sample of {RSA_IMAGES:,} images")
    dim = pairs.units.shape[1]
    if len(pairs) <= dim:
        notes.append(
            f"{len(pairs):,} images in {dim:,} dimensions: a rotation aligns almost anything; compare"
            " procrustes with its chance value"
        )
    return tuple(notes)
