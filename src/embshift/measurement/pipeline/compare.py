"""Compare: encodings of views beside that of their original become the values of the metrics."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float64, Int64

from embshift.core.encoding import Encoding, concatenate
from embshift.core.types import Capture, Coordinates, FrozenRow
from embshift.images import Decoded
from embshift.measurement.pipeline.encode import Encoded
from embshift.measurement.pipeline.perturb import Attempt, PixelValues
from embshift.metrics import Metric

__all__ = ["Compared", "compare_views"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Compared:
    """An image's results, ready for the tables.

    Attributes:
        listed: Its row of the listing.
        decoded: What was read.
        attempts: As in `Perturbed`, with "non_finite" where the encoder gave NaN or infinity,
            and "no_embedding" where no embedding was given.
        encoding: Of the attempts that have one, in their order; None for an image without views.
        values: Every metric of every view with status "ok", in the order of the attempts.
    """

    listed: FrozenRow
    decoded: Decoded
    attempts: tuple[Attempt, ...]
    encoding: Encoding | None
    values: Mapping[str, Float64[np.ndarray, " views"]]


def compare_views(images: Sequence[Encoded], /, *, metrics: Mapping[str, Metric]) -> list[Compared]:
    """Compare images' views with their originals; undefined values stay NaN.

    A value follows from its own two encodings: which images are compared at once changes no bit of it.

    Args:
        images: Images with the encodings of their originals and views.
        metrics: Metrics on encodings, by name; outside the metric sample only those that need embeddings
            alone are computed.
    """
    kept = [_keep_finite(image) for image in images]
    found = [PixelValues() for _ in kept]
    for sampled in (True, False):
        places = [
            at
            for at, one in enumerate(kept)
            if one.result.listed.sampled is sampled and len(one.places) > 1 and one.places[0] == 0
        ]
        wanted = {n: m for n, m in metrics.items() if sampled or m.spec.needs == Capture.EMBEDDING}
        if places:
            for at, values in zip(places, _compare_pairs([kept[at] for at in places], wanted), strict=True):
                found[at] = {**values, **kept[at].values}
    return [replace(one.result, values=values) for one, values in zip(kept, found, strict=True)]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Kept:
    """An image without the views that have no finite embedding.

    Attributes:
        result: Without values.
        places: Which of the views that were made are left, the original being 0.
        values: The pixel metrics of those.
        maps: Their coordinate maps; empty where no metric takes them.
    """

    result: Compared
    places: Int64[np.ndarray, " kept"]
    values: Mapping[str, Float64[np.ndarray, " views"]]
    maps: Sequence[Coordinates | None]


def _keep_finite(image: Encoded) -> _Kept:
    attempts, places, values = image.attempts, np.empty(0, np.int64), image.values
    maps: Sequence[Coordinates | None] = ()
    encoding = image.encoding
    if encoding is not None:
        finite = np.asarray(np.isfinite(encoding.embedding.numpy()).all(axis=1))
        places = np.flatnonzero(finite)
        if len(places) < len(encoding):
            attempts, encoding = _mark_lost(attempts, finite, image.lacking), encoding.select(places.tolist())
            values = {name: column[places[places > 0] - 1] for name, column in values.items()}
        maps = [image.coordinates[at - 1] for at in places.tolist() if at] if image.coordinates else ()
    result = Compared(
        listed=image.listed, decoded=image.decoded, attempts=attempts, encoding=encoding, values={}
    )
    return _Kept(result=result, places=places, values=values, maps=maps)


def _compare_pairs(kept: Sequence[_Kept], metrics: Mapping[str, Metric]) -> list[PixelValues]:
    """Compute every metric of every view, by image: all images at once."""
    whole = concatenate([one.result.encoding for one in kept if one.result.encoding is not None])
    counts = np.array([len(one.places) for one in kept])
    starts = np.cumsum(counts) - counts
    is_view = np.ones(len(whole), bool)
    is_view[starts] = False
    before, after = np.repeat(starts, counts - 1), np.flatnonzero(is_view)
    reference, shifted = whole.select(before.tolist()), whole.select(after.tolist())
    maps, ends = [each for one in kept for each in one.maps], np.cumsum(counts - 1)[:-1]
    columns = {
        name: np.split(np.asarray(metric.compute(reference, shifted, **_select_maps(metric, maps))), ends)
        for name, metric in metrics.items()
    }
    return [{name: parts[at] for name, parts in columns.items()} for at in range(len(kept))]


def _select_maps(
    metric: Metric, maps: Sequence[Coordinates | None]
) -> dict[str, Sequence[Coordinates | None]]:
    return {"coordinates": maps} if Capture.COORDINATES in metric.spec.needs else {}


_LOST = {"non_finite": "the encoder gave NaN or infinity", "no_embedding": "no embedding was given"}


def _mark_lost(
    attempts: tuple[Attempt, ...],
    finite: Bool[np.ndarray, " views"],
    lacking: Bool[np.ndarray, " views"] | None,
) -> tuple[Attempt, ...]:
    """Return the attempts with the status of those that have no finite embedding."""
    absent = np.zeros_like(finite) if lacking is None else lacking
    statuses = iter(np.where(finite, "ok", np.where(absent, "no_embedding", "non_finite")).tolist())
    return tuple(
        attempt._replace(status=status, error=_LOST.get(status))
        if attempt.status == "ok" and (status := next(statuses)) != "ok"
        else attempt
        for attempt in attempts
    )
