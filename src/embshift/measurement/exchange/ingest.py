"""Runs of embeddings that were computed elsewhere, from views that `write_views` has written."""

import hashlib
import os
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from embshift.core.addresses import INGESTED
from embshift.core.errors import PlanError, UsageError
from embshift.core.paths import input_path
from embshift.core.progress import Reporter, Silent
from embshift.core.types import Capture
from embshift.measurement.exchange.ingested import IngestedEncoder, state_spec
from embshift.measurement.exchange.matching import Vectors, match_vectors
from embshift.measurement.exchange.reading import WrittenTables, open_views
from embshift.measurement.exchange.stored_views import StoredViews
from embshift.measurement.exchange.vectors import digest_file
from embshift.measurement.plan.plan import DEFAULT_METRICS, Plan, make_plan
from embshift.measurement.session.carry_out import carry_out, default_folder
from embshift.measurement.session.stored import Stored
from embshift.runs.addresses import output_run
from embshift.show.run import Run

__all__ = ["ingest"]


def ingest(
    views: str | Path,
    /,
    *,
    embeddings: str | Path,
    out: str | Path | None = None,
    metrics: Sequence[str] | None = None,
    metric_sample: int | None = None,
    chunk: int | None = None,
    keep_views: int | None = None,
    max_error_rate: float | None = None,
    workers: int | None = None,
    reporter: Reporter | None = None,
) -> Run:
    """Make a run of embeddings that were computed elsewhere; all that needs no encoder works on it.

    The same call on the same folder continues an interrupted run, and returns at once when it is finished.

    Args:
        views: What `write_views` has written.
        embeddings: A file ``.parquet`` or ``.csv`` with the key columns of the views (image_id, transform and
            draw; or file; or pixels_digest) and ``embedding`` or ``e0``, ``e1``, …, in any order; or ``.npy``
            with one row for each view, in the order of the keys. A view without a row gets the status
            "no_embedding".
        out: The run folder; ``runs/<time>-<name of the file>`` where None.
        metrics: Names of the metrics; the paper's, without those that need a map, where None.
        metric_sample: Images for which pixel metrics are computed.
        chunk: Images that are committed together; 64 where None.
        keep_views: Images whose views are written while the run goes on.
        max_error_rate: Failed fraction above which the command ends with exit code 1.
        workers: Processes that read views; chosen where None.
        reporter: Who is told about the progress; the module ``logging`` where None.

    Returns:
        The run, opened for reading.

    Raises:
        UsageError: If views or embeddings cannot be read or do not fit together, or the folder does not fit.
        StorageError: If results cannot be written.

    Example:
        >>> run = ingest("views.parquet", embeddings="mine.parquet", out="run")  # doctest: +SKIP
    """
    path, file = Path(os.path.abspath(input_path(views))), Path(input_path(embeddings))
    with open_views(path) as tables:
        _check_whole(tables)
        asked = make_plan(
            base=replace(_drop_choices(tables.about.plan), encoder=f"{INGESTED}{file.name}"),
            metrics=metrics,
            metric_sample=metric_sample,
            chunk=chunk,
            keep_views=keep_views,
            max_error_rate=max_error_rate,
            workers=workers,
        )
        _check_metrics(asked)
        folder = default_folder(asked) if out is None else output_run(out)
        digest = digest_file(file)
        told = reporter or Silent()
        told.note(f"{tables.about.views:,} views of {tables.about.images:,} images; embeddings from {file}")
        with closing(match_vectors(file, tables)) as vectors:
            stored = _make_stored(tables, vectors, file, digest=digest, plan=asked)
            return carry_out(asked, sources=asked.sources, out=folder, stored=stored, reporter=told)


def _drop_choices(plan: Plan) -> Plan:
    """Return the plan of views without what each run chooses for itself."""
    chosen = replace(plan, allow_pickle=False, threads=None, workers=None, worker_memory=None, timeout=None)
    return replace(chosen, keep_embeddings=True)


def _check_metrics(plan: Plan) -> None:
    from embshift.metrics import METRICS  # imports torch

    if plan.metrics == DEFAULT_METRICS:
        return
    needing = [name for name in plan.metrics if METRICS[name].kind == "aligned"]
    needing += [name for name in plan.metrics if Capture.COORDINATES in METRICS[name].spec.needs]
    if needing:
        raise PlanError(
            f"metric {', '.join(needing)} needs to know where each pixel comes from, which written views do"
            " not say; ask for other metrics"
        )


def _make_stored(tables: WrittenTables, vectors: Vectors, file: Path, *, digest: str, plan: Plan) -> Stored:
    spec = state_spec(file, dim=vectors.dim, digest=digest, views=_digest_views(tables))
    places = tables.place_views()
    encoder = IngestedEncoder(spec, vectors=vectors, places=places, size=plan.image_size)
    return Stored(
        records=tables.list_records,
        count=tables.about.images,
        read=StoredViews(tables.path, size=plan.image_size, most=1 + len(plan.transforms) * plan.draws),
        fill=encoder.fill,
        encoder=encoder,
        code=tables.about.code,
        about=_describe(tables, file),
    )


def _describe(tables: WrittenTables, file: Path) -> Mapping[str, object]:
    return {
        "views": tables.path.name,
        "embeddings": file.name,
        "versions": dict(tables.about.versions),
    }


def _digest_views(tables: WrittenTables) -> str:
    """Return a SHA-256 over the digests of all views: other views are another run."""
    digest = hashlib.sha256()
    for part in tables.list_keys(["pixels_digest"]):
        for one in part["pixels_digest"].to_pylist():
            digest.update(str(one).encode())
    return digest.hexdigest()


def _check_whole(tables: WrittenTables) -> None:
    if not tables.about.views:
        raise UsageError(f"'{tables.path}' holds no view: none of its images could be used")
