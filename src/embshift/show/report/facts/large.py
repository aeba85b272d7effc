"""The distance between images of runs with many of them, chunk by chunk."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pyarrow.compute as pc
from jaxtyping import Float64, Int64

from embshift.analysis.shifts.separation import ALL_PAIRS, Separation, compute_separation
from embshift.core.types import ORIGINAL
from embshift.runs.arrow import as_array
from embshift.runs.tables import RunTables, to_matrix

__all__ = ["separate_images"]


def separate_images(
    run: RunTables, *, skip: Int64[np.ndarray, " rows"] | None = None, seed: int = 0
) -> Separation:
    """Return the mean distance between different images, one chunk of originals at a time.

    Args:
        run: The run.
        skip: What `RunTables.repeated_rows` returns, where it is known.
        seed: Seed of the sample that the mean L2 distance is over.
    """
    rng, sample, keys = np.random.default_rng(seed), list[np.ndarray](), list[np.ndarray]()
    total, squares, n, left_out = np.zeros(0), 0.0, 0, 0
    for vectors in _read_originals(run, skip=run.repeated_rows() if skip is None else skip):
        norms = np.linalg.norm(vectors, axis=1)
        usable = np.isfinite(norms) & (norms > 0)
        units = vectors[usable] / norms[usable, None]
        total = units.sum(axis=0) + (total if total.size else 0.0)
        squares, n = squares + float((units**2).sum()), n + len(units)
        left_out += int((~usable).sum())
        keys.append(rng.random(len(units)))
        sample.append(vectors[usable])
        _keep_least(keys, sample)
    few = compute_separation(np.concatenate(sample) if sample else np.empty((0, 1)), seed=seed)
    cosine = 1 - (float((total**2).sum()) - squares) / (n * (n - 1)) if n > 1 else float("nan")
    pairs = n * (n - 1) // 2
    return replace(few, cosine=cosine, cosine_pairs=pairs, images=n, left_out=left_out)


def _keep_least(keys: list[np.ndarray], sample: list[np.ndarray]) -> None:
    """Keep the vectors with the least random keys, as many as all pairs are taken of."""
    key, vectors = np.concatenate(keys), np.concatenate(sample)
    kept = np.sort(np.argsort(key, kind="stable")[:ALL_PAIRS])
    keys[:], sample[:] = [key[kept]], [vectors[kept]]


def _read_originals(
    run: RunTables, *, skip: Int64[np.ndarray, " rows"]
) -> Iterator[Float64[np.ndarray, "images dim"]]:
    for chunk in run.chunks("embeddings", ["row", "transform", "status", "embedding"]):
        kept = chunk.filter((pc.field("transform") == ORIGINAL) & (pc.field("status") == "ok"))
        fresh = ~np.isin(as_array(kept["row"]), skip)
        yield to_matrix(kept["embedding"])[fresh].astype(np.float64)
