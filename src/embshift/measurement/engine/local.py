"""All pending chunks on this machine: workers make views, this process encodes, threads commit.

The three go on at once: workers are ahead by some pictures, and while a chunk is
compared and written the next one is encoded.
"""

import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import reduce
from itertools import groupby
from operator import or_

from embshift.core.encoding import Encoder, Encoding
from embshift.core.types import Capture
from embshift.measurement.engine.pool import LIMITS, BuildRecipe, perturb_images
from embshift.measurement.engine.worker import WorkerLimits
from embshift.measurement.pipeline.encode import (
    Item,
    Mishaps,
    Perturbed,
    Ready,
    Recipe,
    compare_views,
    encode_views,
)
from embshift.measurement.pipeline.gpu_views import finish_views
from embshift.measurement.pipeline.tabulate import tabulate
from embshift.metrics import Metric
from embshift.runs.chunks import ParquetSink

__all__ = ["Work", "run_local"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What an engine needs beside the items.

    Attributes:
        build: Makes the recipe, in every worker.
        encoder: The encoder.
        metrics: The metrics on encodings, by name.
        batch: Views in every encoder batch.
        workers: Processes beside this one.
        limits: What one picture may take of a worker.
        plain: Opens the encoder in float32, for what is not finite in its precision; None where it is.
    """

    build: BuildRecipe
    encoder: Encoder
    metrics: Mapping[str, Metric]
    batch: int
    workers: int
    limits: WorkerLimits = LIMITS
    plain: Callable[[], Encoder] | None = None


def run_local(
    items: Iterable[Item],
    /,
    *,
    work: Work,
    sink: ParquetSink,
    see: Callable[[Perturbed], None],
    report: Callable[[Perturbed], None],
    mishaps: Mishaps | None = None,
) -> None:
    """Measure and commit every chunk that the sink does not have.

    Args:
        items: The listing, in order.
        work: What is done.
        sink: Where chunks are committed.
        see: Called with every picture that has views, before the encoder.
        report: Called with every picture that is encoded.
        mishaps: Counted up; a chunk whose batches had to be halved says so in its footers.
    """
    mishaps = mishaps or Mishaps()
    with ThreadPoolExecutor(_COMMITS, thread_name_prefix="embshift-commit") as threads:
        writing = deque[Future[None]]()
        for chunk, encoded in groupby(
            _encoded(_pending(items, sink), work=work, see=see, mishaps=mishaps),
            lambda pair: pair[0].item.chunk,
        ):
            pairs = list[tuple[Perturbed, Encoding | None]]()
            for pair in encoded:
                report(pair[0])
                pairs.append(pair)
            while len(writing) >= _COMMITS or (writing and writing[0].done()):
                writing.popleft().result()  # what could not be written ends the run here
            writing.append(threads.submit(_commit, chunk, pairs, work=work, sink=sink, batch=mishaps.batch))
        for each in writing:
            each.result()


def _pending(items: Iterable[Item], sink: ParquetSink) -> Iterator[Item]:
    for chunk, members in groupby(items, lambda item: item.chunk):
        if not sink.has(chunk):
            yield from members


_COMMITS = 2  # chunks that are compared and written at once: a write waits for the disk most of the time


def _encoded(
    items: Iterable[Item], *, work: Work, see: Callable[[Perturbed], None], mishaps: Mishaps
) -> Iterator[tuple[Perturbed, Encoding | None]]:
    recipe, device = work.build(), work.encoder.spec.device
    in_batch = math.ceil(work.batch / recipe.views)
    stream = perturb_images(
        items, build=work.build, workers=work.workers, limits=work.limits, ahead=2 * in_batch
    )
    together = in_batch if device == "cpu" else _on_accelerator(recipe)
    stream = finish_views(stream, recipe=recipe, device=device, pictures=together)
    capture = reduce(or_, (metric.spec.needs for metric in work.metrics.values()), Capture.EMBEDDING)
    encoded = encode_views(
        _seen(stream, see),
        encoder=work.encoder,
        batch=work.batch,
        capture=capture,
        plain=work.plain,
        mishaps=mishaps,
    )
    for ready in encoded:
        yield from ready


def _on_accelerator(recipe: Recipe) -> int:
    """How many pictures' views are made together: enough that starting a kernel counts for little."""
    return max(1, _TOGETHER // (math.prod(recipe.size) * recipe.draws))


_TOGETHER = 128 * 224 * 224  # pixels of one transform's views: each takes a hundred bytes meanwhile


def _commit(chunk: int, ready: Ready, *, work: Work, sink: ParquetSink, batch: int | None) -> None:
    halved = {} if batch is None else {"batch": str(batch)}
    results = compare_views(ready, metrics=work.metrics)
    metadata = {"fingerprint": sink.fingerprint} | halved
    sink.write(chunk, tabulate(results, dim=work.encoder.spec.dim, metadata=metadata))


def _seen(stream: Iterator[Perturbed], see: Callable[[Perturbed], None]) -> Iterator[Perturbed]:
    for perturbed in stream:
        see(perturbed)
        yield perturbed
