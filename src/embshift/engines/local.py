"""All pending chunks on this machine: workers make views, this process encodes, a thread commits.

The three go on at once: workers are ahead by some pictures, and a chunk is written while the next is encoded.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import reduce
from itertools import groupby
from operator import or_

from embshift.encoding import Encoder
from embshift.engines.serving import WorkerLimits
from embshift.engines.workers import LIMITS, BuildRecipe, perturb_images
from embshift.finishing import finish_views
from embshift.metrics import Metric
from embshift.pipeline import Compared, Item, Mishaps, Perturbed, compare_views, encode_views
from embshift.sinks.parquet import ParquetSink
from embshift.tabulate import tabulate
from embshift.types import Capture

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
    items: Sequence[Item],
    /,
    *,
    work: Work,
    sink: ParquetSink,
    see: Callable[[Perturbed], None],
    report: Callable[[Compared], None],
    mishaps: Mishaps | None = None,
) -> None:
    """Measure and commit every chunk that the sink does not have.

    Args:
        items: The listing, in order.
        work: What is done.
        sink: Where chunks are committed.
        see: Called with every picture that has views, before the encoder.
        report: Called with every finished picture.
        mishaps: Counted up; a chunk whose batches had to be halved says so in its footers.
    """
    pending = [item for item in items if not sink.has(item.chunk)]
    mishaps = mishaps or Mishaps()
    recipe = work.build()
    ahead = 2 * math.ceil(work.batch / recipe.views)
    stream = perturb_images(pending, build=work.build, workers=work.workers, limits=work.limits, ahead=ahead)
    stream = finish_views(
        stream, recipe=recipe, device=work.encoder.spec.device, pictures=math.ceil(work.batch / recipe.views)
    )
    dim = work.encoder.spec.dim
    with ThreadPoolExecutor(1, thread_name_prefix="embshift-commit") as thread:
        before: Future[None] | None = None
        for chunk, compared in groupby(
            _measure(_seen(stream, see), work, mishaps), lambda one: one.item.chunk
        ):
            results = list[Compared]()
            for result in compared:
                report(result)
                results.append(result)
            if before is not None:
                before.result()  # one chunk at a time is written; an error of the last ends the run here
            before = thread.submit(_commit, chunk, results, sink=sink, dim=dim, batch=mishaps.batch)
        if before is not None:
            before.result()


def _commit(
    chunk: int, results: Sequence[Compared], *, sink: ParquetSink, dim: int, batch: int | None
) -> None:
    halved = {} if batch is None else {"batch": str(batch)}
    sink.write(chunk, tabulate(results, dim=dim, metadata={"fingerprint": sink.fingerprint} | halved))


def _seen(stream: Iterator[Perturbed], see: Callable[[Perturbed], None]) -> Iterator[Perturbed]:
    for perturbed in stream:
        see(perturbed)
        yield perturbed


def _measure(perturbed: Iterator[Perturbed], work: Work, mishaps: Mishaps) -> Iterator[Compared]:
    capture = reduce(or_, (metric.spec.needs for metric in work.metrics.values()), Capture.EMBEDDING)
    encoded = encode_views(
        perturbed,
        encoder=work.encoder,
        batch=work.batch,
        capture=capture,
        plain=work.plain,
        mishaps=mishaps,
    )
    for one, encoding in encoded:
        yield compare_views(one, encoding, metrics=work.metrics)
