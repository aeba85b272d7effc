"""Engine on this machine: workers make views, this process encodes, threads compare and commit.

The three run at once: workers are some images ahead, and while a chunk is compared and written the next one
is encoded.
"""

import math
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Set
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import reduce
from itertools import chain, groupby
from operator import or_
from typing import cast

from embshift.core.encoding import Encoder
from embshift.core.errors import EncoderError
from embshift.core.types import Capture, FrozenRow
from embshift.images import Decoded
from embshift.measurement.engine.pool import LIMITS, Pool, open_pool, perturb_images
from embshift.measurement.engine.worker import WorkerLimits
from embshift.measurement.pipeline.batches import Mishaps
from embshift.measurement.pipeline.compare import compare_views
from embshift.measurement.pipeline.encode import Encoded, encode_views
from embshift.measurement.pipeline.gpu_views import render_drafts
from embshift.measurement.pipeline.perturb import Drafted, Perturbed
from embshift.measurement.pipeline.recipe import BuildRecipe, Recipe
from embshift.measurement.pipeline.tabulate import tabulate
from embshift.metrics import Metric
from embshift.runs.chunks import ParquetSink

__all__ = ["Work", "encode_images", "hold_workers", "measure_chunks"]

_COMMITS = 2  # chunks that are compared and written at once: a write waits for the disk most of the time
_DRAFTED_PIXELS = 128 * 224 * 224  # of one transform's views: each pixel takes a hundred bytes meanwhile


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What an engine needs beside the listing.

    Attributes:
        build: Builds the recipe, in every worker.
        encoder: The encoder.
        metrics: The metrics on encodings, by name.
        batch: Views in every encoder batch.
        workers: Processes beside this one.
        limits: Memory and time that one image may take in a worker.
        open_float32: Opens the encoder in float32, for what is not finite in its precision; None where it
            runs in float32.
        fill: Gives an image's views the embeddings that were computed elsewhere; None to encode them here.
        pool: The workers, where they are held open; None to start some for every call.
        deadly: Rows that are not tried, since they have ended the process that encodes them.
        keep_embeddings: Whether embeddings are written.
    """

    build: BuildRecipe
    encoder: Encoder
    metrics: Mapping[str, Metric]
    batch: int
    workers: int
    limits: WorkerLimits = LIMITS
    open_float32: Callable[[], Encoder] | None = None
    fill: Callable[[Perturbed], Encoded] | None = None
    pool: Pool | None = None
    deadly: Set[int] = frozenset()
    keep_embeddings: bool = True


@contextmanager
def hold_workers(work: Work) -> Generator[Work]:
    """Hold the workers of some work open, for several calls of `measure_chunks`."""
    if not work.workers:
        yield work
        return
    with open_pool(
        build=work.build, workers=work.workers, limits=work.limits, ahead=_count_ahead(work)
    ) as pool:
        yield replace(work, pool=pool)


def measure_chunks(
    rows: Iterable[FrozenRow],
    /,
    *,
    work: Work,
    sink: ParquetSink,
    on_perturbed: Callable[[Perturbed], None],
    on_encoded: Callable[[Encoded], None],
    mishaps: Mishaps | None = None,
) -> None:
    """Measure and commit every chunk that the sink does not have.

    Args:
        rows: The listing, in order.
        work: What is done.
        sink: Where chunks are committed.
        on_perturbed: Called with every image that has views, before the encoder.
        on_encoded: Called with every image after it.
        mishaps: Counted up; a chunk whose batches had to be halved says so in its footers.

    Raises:
        EncoderError: If the encoder fails; a chunk whose images are all encoded by then is committed.
        StorageError: If a chunk cannot be written.
    """
    mishaps, sizes = mishaps or Mishaps(), dict[int, int]()
    missing = _skip_committed(rows, sink, sizes)
    images = encode_images(missing, work=work, see=on_perturbed, mishaps=mishaps)
    with ThreadPoolExecutor(_COMMITS, thread_name_prefix="embshift-commit") as threads:
        writing = deque[Future[None]]()
        for chunk, encoded in groupby(images, lambda image: image.listed.chunk):
            members = list[Encoded]()
            try:
                for image in encoded:
                    on_encoded(image)
                    members.append(image)
            except EncoderError:
                # Raised by the next batch: whoever pays for embeddings does not pay for these again.
                if len(members) == sizes[chunk]:
                    _commit(chunk, members, work, sink, mishaps.batch)
                raise
            while len(writing) >= _COMMITS or (writing and writing[0].done()):
                writing.popleft().result()  # a chunk that could not be written ends the run here
            writing.append(threads.submit(_commit, chunk, members, work, sink, mishaps.batch))
        for each in writing:
            each.result()


def _skip_committed(
    rows: Iterable[FrozenRow], sink: ParquetSink, sizes: dict[int, int]
) -> Iterator[FrozenRow]:
    """Yield the rows of the chunks that the sink does not have, and note how many each of these holds."""
    for chunk, members in groupby(rows, lambda row: row.chunk):
        if not sink.has(chunk):
            listed = list(members)
            sizes[chunk] = len(listed)
            yield from listed


def encode_images(
    rows: Iterable[FrozenRow], *, work: Work, see: Callable[[Perturbed], None], mishaps: Mishaps
) -> Iterator[Encoded]:
    """Make and encode the views of every image, in order.

    Args:
        rows: Rows of the listing.
        work: What is done.
        see: Called with every image that has views, before the encoder.
        mishaps: Counted up.

    Raises:
        EncoderError: If the encoder fails.
    """
    recipe, device = work.build(), work.encoder.spec.device
    in_batch = math.ceil(work.batch / recipe.views)
    stream = _perturb(rows, work)
    if work.fill is not None:
        # Stored views are never drafts.
        return map(work.fill, _show_each(cast(Iterator[Perturbed], stream), see))
    together = in_batch if device == "cpu" else _count_together(recipe)
    perturbed = render_drafts(stream, recipe=recipe, device=device, images=together)
    encoded = encode_views(
        _show_each(perturbed, see),
        encoder=work.encoder,
        batch=work.batch,
        capture=reduce(or_, (metric.spec.needs for metric in work.metrics.values()), Capture.EMBEDDING),
        open_float32=work.open_float32,
        mishaps=mishaps,
    )
    return chain.from_iterable(encoded)


def _perturb(rows: Iterable[FrozenRow], work: Work) -> Iterator[Perturbed | Drafted]:
    for deadly, some in groupby(rows, lambda row: row.record.row in work.deadly):
        if deadly:
            yield from map(_report_deadly, some)
        elif work.pool is not None:
            yield from work.pool.perturb(some)
        else:
            yield from perturb_images(
                some, build=work.build, workers=work.workers, limits=work.limits, ahead=_count_ahead(work)
            )


def _count_ahead(work: Work) -> int:
    """Return how many images are made while a batch is encoded: those of two batches."""
    return 2 * math.ceil(work.batch / work.build().views)


def _report_deadly(listed: FrozenRow) -> Perturbed:
    error = "it ended the process that encodes it twice; the file may be made to do so"
    return Perturbed(listed=listed, decoded=Decoded(status="worker_died", error=error), values={})


def _count_together(recipe: Recipe) -> int:
    """Return how many images are rendered together: enough that starting a kernel costs little."""
    return max(1, _DRAFTED_PIXELS // (math.prod(recipe.size) * recipe.draws))


def _show_each(stream: Iterable[Perturbed], see: Callable[[Perturbed], None]) -> Iterator[Perturbed]:
    for perturbed in stream:
        see(perturbed)
        yield perturbed


def _commit(chunk: int, images: list[Encoded], work: Work, sink: ParquetSink, batch: int | None) -> None:
    compared = compare_views(images, metrics=work.metrics)
    halved = {} if batch is None else {"batch": str(batch)}
    metadata = {"fingerprint": sink.fingerprint} | halved
    dim, kept = work.encoder.spec.dim, work.keep_embeddings
    sink.write(chunk, tabulate(compared, dim=dim, metadata=metadata, keep_embeddings=kept))
