"""All pending chunks on this machine: workers make views, this process encodes, compares and commits."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import groupby
from operator import or_

from embshift.encoding import Encoder
from embshift.engines.workers import BuildRecipe, perturb_images
from embshift.metrics import Metric
from embshift.pipeline import Compared, Item, Perturbed, compare_views, encode_views
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
    """

    build: BuildRecipe
    encoder: Encoder
    metrics: Mapping[str, Metric]
    batch: int
    workers: int


def run_local(
    items: Sequence[Item],
    /,
    *,
    work: Work,
    sink: ParquetSink,
    see: Callable[[Perturbed], None],
    report: Callable[[Compared], None],
) -> None:
    """Measure and commit every chunk that the sink does not have.

    Args:
        items: The listing, in order.
        work: What is done.
        sink: Where chunks are committed.
        see: Called with every picture that has views, before the encoder.
        report: Called with every finished picture.
    """
    pending = [item for item in items if not sink.has(item.chunk)]
    stream = perturb_images(pending, build=work.build, workers=work.workers)
    for chunk, perturbed in groupby(stream, key=lambda one: one.item.chunk):
        results = list[Compared]()
        for result in _measure(_seen(perturbed, see), work):
            report(result)
            results.append(result)
        dim = work.encoder.spec.dim
        sink.write(chunk, tabulate(results, dim=dim, metadata={"fingerprint": sink.fingerprint}))


def _seen(stream: Iterator[Perturbed], see: Callable[[Perturbed], None]) -> Iterator[Perturbed]:
    for perturbed in stream:
        see(perturbed)
        yield perturbed


def _measure(perturbed: Iterator[Perturbed], work: Work) -> Iterator[Compared]:
    capture = reduce(or_, (metric.spec.needs for metric in work.metrics.values()), Capture.EMBEDDING)
    encoded = encode_views(perturbed, encoder=work.encoder, batch=work.batch, capture=capture)
    for one, encoding in encoded:
        yield compare_views(one, encoding, metrics=work.metrics)
