"""Text vectors and shifts as the tests of words take them: checked, and centred."""

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float64

from embshift.core.errors import PlanError

__all__ = ["STILL", "centre_texts", "check_names", "check_shifts", "check_units", "label_vectors"]

STILL = 1e-12
"""Squared length up to which a shift of unit embeddings is 0: float32 rounds by as much."""

_UNIT = 1e-3
"""Greatest difference from 1 of the length of a vector of length 1."""


def check_units(vectors: Float64[np.ndarray, "texts dim"], *, what: str, least: int = 1) -> None:
    """Check vectors of length 1.

    Args:
        vectors: The vectors.
        what: What they belong to, for the message, e.g. "word".
        least: Least number of them.

    Raises:
        PlanError: If they are too few, not finite, or not of length 1.
    """
    if vectors.ndim != 2 or len(vectors) < least:
        raise PlanError(
            f"{what} vectors have the shape {vectors.shape}; expected (texts, dim), with {least} or more"
        )
    lengths = np.linalg.norm(vectors, axis=1)
    wrong = np.flatnonzero(~(np.abs(lengths - 1) <= _UNIT))
    if len(wrong):
        raise PlanError(
            f"vector {wrong[0]} of the {what}s has the length {lengths[wrong[0]]:.4g}; expected 1: "
            "divide each vector by its length"
        )


def centre_texts(vectors: Float64[np.ndarray, "words dim"]) -> Float64[np.ndarray, "words dim"]:
    """Subtract the mean of all text vectors from each.

    Raises:
        PlanError: If there are fewer than two, or one is not finite or not of length 1.
    """
    check_units(vectors, what="word", least=2)
    return vectors - vectors.mean(axis=0)


def check_names(names: Sequence[str], *, words: int) -> None:
    """Check that every vector has one word, and every word one vector.

    Raises:
        PlanError: If not.
    """
    if len(names) != words:
        raise PlanError(f"{len(names)} words for {words} vectors; expected one vector for each word")
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise PlanError(f"the word '{twice[0]}' is there twice; give each word once")


def check_shifts(
    shifts: Mapping[str, Float64[np.ndarray, "_images _dim"]], *, dim: int
) -> dict[str, Float64[np.ndarray, "_images dim"]]:
    """Return shifts, checked to be of the same images and of the texts' dimension.

    Returns:
        A row of 0 for an image that has no view or did not move.

    Raises:
        PlanError: If not, or if a value is infinite.
    """
    found = {name: np.asarray(one, np.float64) for name, one in shifts.items()}
    images = {len(one) for one in found.values()}
    if len(images) > 1:
        raise PlanError(f"shifts of {' and '.join(map(str, sorted(images)))} images; expected the same ones")
    for name, one in found.items():
        if one.ndim != 2 or one.shape[1] != dim:
            raise PlanError(
                f"shifts of '{name}' have the shape {one.shape}, text vectors the dimension {dim}; "
                "expected (images, dim) of the same encoder"
            )
        if np.isinf(one).any():
            raise PlanError(f"shifts of '{name}' are infinite; expected numbers, or NaN without a view")
    return {name: _keep_moved(one) for name, one in found.items()}


def _keep_moved(shifts: Float64[np.ndarray, "images dim"]) -> Float64[np.ndarray, "images dim"]:
    squares = np.einsum("ij,ij->i", shifts, shifts)
    return np.where((squares > STILL)[:, None], shifts, 0.0)  # comparisons with NaN are false


def label_vectors(prompts: Float64[np.ndarray, "prompts labels dim"]) -> Float64[np.ndarray, "labels dim"]:
    """Return one vector of length 1 per label: the mean of its prompts' unit vectors, made unit again.

    Args:
        prompts: Text vector of every prompt with every label, of any length above 0.

    Raises:
        PlanError: If a vector is 0 or not finite, or the prompts of a label cancel each other.

    References:
        Radford et al. 2021 (arXiv 2103.00020), section 3.1.4.
    """
    if prompts.ndim != 3 or not prompts.shape[0]:
        raise PlanError(f"prompt vectors have the shape {prompts.shape}; expected (prompts, labels, dim)")
    mean = _make_unit(np.asarray(prompts, np.float64)).mean(axis=0)
    return _make_unit(mean)


def _make_unit(vectors: Float64[np.ndarray, "*some dim"]) -> Float64[np.ndarray, "*some dim"]:
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    if not (np.isfinite(lengths) & (lengths > 1e-9)).all():
        raise PlanError("a text vector is 0 or not finite; check the texts and the encoder")
    return vectors / lengths
