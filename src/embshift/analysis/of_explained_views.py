"""What the views of an explanation say beside shares: how far they moved, at which layers, and where.

Never imports torch.
"""

import numpy as np
import pyarrow as pa
from jaxtyping import Float64

from embshift.analysis.explained_rows import get_rows, read_own
from embshift.analysis.inside.by_image import ImageMeans, mean_over_images
from embshift.analysis.inside.shares import PooledShares, pool_shares
from embshift.analysis.sampling.bootstrap import LEVEL, RESAMPLES
from embshift.core.errors import RunError, UnknownNameError
from embshift.core.types import ORIGINAL
from embshift.runs.arrow import as_array
from embshift.runs.explained import ExplainedTables, read_lists
from embshift.runs.tables import RunTables

__all__ = [
    "PLACES",
    "average_contributions",
    "average_falls",
    "average_shifts",
    "count_changed_views",
    "pool_places",
]

PLACES = ("outside view", "not placed")
"""What a shift map does not show on the view's patches, in the order of `pool_places`."""


def average_shifts(
    found: ExplainedTables, transform: str, *, resamples: int = RESAMPLES, level: float = LEVEL, seed: int = 0
) -> ImageMeans:
    """Average the explained shifts of one transform: 1 − cosine, half of the squared shift; one column.

    Args:
        found: The explanation.
        transform: The transform.
        resamples: Number of resamples of the images.
        level: Coverage of the interval.
        seed: Seed of the resamples.

    Raises:
        UnknownNameError: If the explanation has no such transform.
    """
    own = read_own(found, "shares", transform, ("shift",))
    values = as_array(own["shift"]).astype(np.float64)[:, None] ** 2 / 2
    return mean_over_images(get_rows(own), values, resamples=resamples, level=level, seed=seed)


def average_falls(
    found: ExplainedTables, transform: str, *, resamples: int = RESAMPLES, level: float = LEVEL, seed: int = 0
) -> ImageMeans:
    """Average by how much each layer lowers the cosine of the token that is read, original against view.

    The first layer's fall is counted from 1: it holds what differs before the network as well. The falls of
    all layers sum to 1 minus the cosine after the last. Intervals hold for all layers together (Bonferroni).

    Args:
        found: The explanation.
        transform: The transform.
        resamples: Number of resamples of the images.
        level: Joint coverage of all intervals.
        seed: Seed of the resamples.

    Raises:
        UnknownNameError: If the explanation has no such transform.
    """
    own = read_own(found, "layers", transform, ("cosine",))
    cosine = read_lists(own["cosine"]).astype(np.float64)  # (views, layers)
    before = np.concatenate([np.ones((len(cosine), 1)), cosine[:, :-1]], axis=1)
    each = 1 - (1 - level) / max(cosine.shape[1], 1)
    return mean_over_images(get_rows(own), before - cosine, resamples=resamples, level=each, seed=seed)


def average_contributions(found: ExplainedTables, transform: str) -> Float64[np.ndarray, "components dim"]:
    """Average each component's part of z′ − z over all explained views of one transform.

    The parts sum to the mean shift of these views but for its change of length, which no component makes.

    Args:
        found: The explanation.
        transform: The transform.

    Raises:
        UnknownNameError: If the explanation has no such transform.
    """
    whole = found.read("means")
    names = whole["transform"].to_pylist()
    if transform not in names:
        raise UnknownNameError("transform", transform, list(dict.fromkeys(names)))
    own = whole.filter(pa.array([name == transform for name in names], pa.bool_()))
    total = read_lists(own["total"]).astype(np.float64)
    at = as_array(own["component"]).astype(np.int64)
    sums = np.zeros((int(at.max()) + 1, total.shape[1]))
    views = np.zeros(len(sums))
    np.add.at(sums, at, total)
    np.add.at(views, at, as_array(own["views"]))
    return sums / views[:, None]


def pool_places(
    found: ExplainedTables, transform: str, *, resamples: int = RESAMPLES, level: float = LEVEL, seed: int = 0
) -> PooledShares:
    """Pool what the shift maps of one transform do not show on the view's patches, as shares of the shift.

    Args:
        found: The explanation.
        transform: The transform.
        resamples: Number of resamples of the images.
        level: Coverage; the joint intervals hold for both numbers together.
        seed: Seed of the resamples.

    Returns:
        Shares of `PLACES`, which need not sum to 1.

    Raises:
        RunError: If maps and shares are not of the same views.
        UnknownNameError: If the explanation has no such transform.
    """
    maps = read_own(found, "maps", transform, ("left_picture", "not_placed"))
    shares = read_own(found, "shares", transform, ("shift",))
    if _list_keys(maps) != _list_keys(shares):
        raise RunError(f"maps and shares of {transform} are not of the same views; explain the run again")
    values = [as_array(maps[name]).astype(np.float64) for name in ("left_picture", "not_placed")]
    return pool_shares(
        transform,
        PLACES,
        rows=get_rows(maps),
        shift=as_array(shares["shift"]).astype(np.float64),
        share=np.stack(values, axis=1),
        resamples=resamples,
        level=level,
        seed=seed,
    )


def _list_keys(table: pa.Table) -> list[tuple[int, int]]:
    return list(zip(table["row"].to_pylist(), table["draw"].to_pylist(), strict=True))


def count_changed_views(run: RunTables, found: ExplainedTables) -> int:
    """Return how many measured views of explained images are not in the explanation: they changed since.

    Args:
        run: The run.
        found: Its explanation.
    """
    known = found.read("shares", ["row"])["row"].to_pylist()
    rows, measured = set(known), 0
    for chunk in run.chunks("embeddings", ["row", "transform", "status"]):
        columns = (chunk[name].to_pylist() for name in ("row", "transform", "status"))
        measured += sum(
            row in rows and transform != ORIGINAL and status == "ok"
            for row, transform, status in zip(*columns, strict=True)
        )
    return measured - len(known)
