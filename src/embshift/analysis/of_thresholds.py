"""Which cosine means the same image, by the embeddings of one run folder."""

import numpy as np
import pyarrow.compute as pc

from embshift.analysis.embeddings.pairs import Pairs
from embshift.analysis.of_run import pair_views
from embshift.analysis.sampling.bootstrap import LEVEL
from embshift.analysis.thresholds.measure import RESAMPLES, measure_thresholds
from embshift.analysis.thresholds.near_duplicates import NearDuplicates, find_near_pairs
from embshift.analysis.thresholds.result import Thresholds
from embshift.runs.perceptual_hashes import read_perceptual_hashes
from embshift.runs.tables import RunTables

__all__ = ["analyse_thresholds", "find_near_duplicates"]


def analyse_thresholds(
    run: RunTables,
    *,
    images: int | None = None,
    queries: int | None = None,
    resamples: int = RESAMPLES,
    level: float = LEVEL,
    seed: int = 0,
) -> Thresholds:
    """Return which cosine tells views of an image from other images, for each transform and for all.

    Args:
        run: The run.
        images: Size of a seeded sample of the images; all where None. Equal images count once.
        queries: Number of these whose views are compared with all; where None all of up to 100,000, and 2,000
            of more.
        resamples: Number of resamples of the images.
        level: Coverage of the intervals.
        seed: Seed of samples and resamples.
    """
    pairs = pair_views(run, images=images, seed=seed)
    return measure_thresholds(
        pairs,
        near=find_near_duplicates(run, pairs),
        names=_read_names(run, pairs),
        queries=queries,
        resamples=resamples,
        level=level,
        seed=seed,
    )


def find_near_duplicates(run: RunTables, pairs: Pairs) -> NearDuplicates:
    """Find near-duplicates among originals by the perceptual hashes that the run holds.

    Args:
        run: The run.
        pairs: Its originals, all or a sample.
    """
    hashes = read_perceptual_hashes(run)
    kept = np.isin(hashes.rows, pairs.rows)
    near, distances = find_near_pairs(hashes.bits[kept])
    return NearDuplicates(
        pairs=np.searchsorted(pairs.rows, hashes.rows[kept])[near],
        distances=distances,
        compared=int(kept.sum()),
        plain=int(np.isin(hashes.plain, pairs.rows).sum()),
        unknown=int(np.isin(hashes.unknown, pairs.rows).sum()),
    )


def _read_names(run: RunTables, pairs: Pairs) -> list[str]:
    names = dict[int, str]()
    for chunk in run.chunks("images", ["row", "member"]):
        wanted = chunk.filter(pc.field("row").isin(pairs.rows.tolist()))
        names.update(zip(wanted["row"].to_pylist(), wanted["member"].to_pylist(), strict=True))
    return [names.get(row) or f"row {row}" for row in pairs.rows.tolist()]
