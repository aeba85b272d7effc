"""Work on one run folder: measure what is missing, keep views, and finish the run."""

import hashlib
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeAlias

from embshift.core.progress import Reporter
from embshift.core.types import FrozenRow
from embshift.core.words import count_noun
from embshift.measurement.engine.local import measure_chunks
from embshift.measurement.pipeline.encode import Encoded
from embshift.measurement.pipeline.perturb import Perturbed
from embshift.measurement.pipeline.recipe import (
    describe_slow_forms,
    without_drafts,
)
from embshift.measurement.plan.files import plan_to_toml
from embshift.measurement.session.frozen_listing import save_listing
from embshift.measurement.session.keep_views import choose_views, keep_views, write_views
from embshift.measurement.session.provenance import (
    peak_memory,
)
from embshift.measurement.session.run_json import count_run
from embshift.measurement.session.session import Session
from embshift.runs.files import write_text
from embshift.runs.places import file_in, list_views
from embshift.runs.record import write_record_file
from embshift.runs.seal import read_seal
from embshift.runs.tables import open_tables

__all__ = ["Engine", "finish_session", "measure_part", "measure_rows", "prepare_session", "work_on"]

Engine: TypeAlias = Callable[[Session, Reporter], None]
"""Measures all chunks that a session lacks, and tells the reporter of every image."""


def work_on(session: Session, reporter: Reporter, /, *, engine: Engine | None = None) -> None:
    """Measure what a run folder lacks, and finish it.

    Args:
        session: The session.
        reporter: Who is told about the progress.
        engine: What measures; None for this process and its workers.

    Raises:
        StorageError: If results cannot be written.
    """
    prepare_session(session)
    info = _measure(session, reporter, engine or _measure_here)
    _finish(session, info, reporter)


def measure_part(session: Session, wanted: Callable[[int], bool], reporter: Reporter, /) -> int:
    """Measure those of some chunks that are missing, write nothing else, and return how many they were.

    Args:
        session: The session; others may write chunks of the same run.
        wanted: Whether a chunk belongs to the part.
        reporter: Who is told about the progress.

    Raises:
        EncoderError: If the encoder fails, or a batch does not fit into memory.
        StorageError: If results cannot be written.
    """
    part = {chunk: count for chunk, count in session.rows.chunks.items() if wanted(chunk)}
    done = {chunk: count for chunk, count in part.items() if session.sink.has(chunk)}
    _announce(session, reporter)
    reporter.begin(total=sum(part.values()), done=sum(done.values()))
    try:
        measure_rows(session, (row for row in session.rows if row.chunk in part), reporter)
    finally:
        reporter.end()
    return len(part) - len(done)


def finish_session(session: Session, reporter: Reporter, /) -> None:
    """Finish a run whose chunks are all there.

    Raises:
        StorageError: If results cannot be written.
    """
    prepare_session(session)
    _finish(session, session.info, reporter)


def prepare_session(session: Session, /) -> None:
    """Write what is known when work starts; ``run.json`` first, for it makes a folder a run folder."""
    write_record_file(session.out, session.info)
    write_text(file_in(session.out, "plan.toml"), session.header + plan_to_toml(session.plan))
    save_listing(file_in(session.out, "listing.parquet"))
    session.sink.discard_uncommitted()


def _measure(session: Session, reporter: Reporter, engine: Engine) -> Mapping[str, Any]:
    """Measure what is missing; returns ``run.json`` with the timing of this session."""
    done = _count_committed(session)
    _announce(session, reporter)
    reporter.begin(total=len(session.rows), done=done)
    try:
        engine(session, reporter)
    finally:
        reporter.end()
        # Also for a session that was stopped, and before views are kept.
        info = _add_timing(session, done=done)
        write_record_file(session.out, info)
    return info


def _measure_here(session: Session, reporter: Reporter) -> None:
    measure_rows(session, session.rows, reporter)


def measure_rows(session: Session, rows: Iterable[FrozenRow], reporter: Reporter) -> None:
    """Measure those of some chunks that are missing.

    Args:
        session: The session.
        rows: Their rows of the listing, in order.
        reporter: Who is told of every image.

    Raises:
        EncoderError: If the encoder fails, or a batch does not fit into memory.
        StorageError: If results cannot be written.
    """

    def keep_first(perturbed: Perturbed) -> None:
        if perturbed.listed.record.row < session.plan.keep_views:
            write_views(perturbed, folder=session.out)

    def advance(image: Encoded) -> None:
        reporter.advance(failed=image.decoded.status != "ok")

    measure_chunks(
        rows,
        work=session.work,
        sink=session.sink,
        on_perturbed=keep_first,
        on_encoded=advance,
        mishaps=session.mishaps,
    )


def _announce(session: Session, reporter: Reporter) -> None:
    plan = session.plan
    workers = count_noun(plan.workers or 0, "worker process", "worker processes")
    reporter.note(
        f"encoder {plan.encoder} on {plan.device}, {plan.threads} threads, batches of {plan.batch} views,"
        f" {workers}"
    )
    for name, reason in session.info["choices"].items():
        if reason != "as given":
            reporter.note(f"  {name.replace('_', '-')} {getattr(plan, name):,}: {reason}")
    recipe = session.work.build()
    for line in describe_slow_forms(plan.views, recipe.transforms) if recipe.stored is None else ():
        reporter.note(line)


def _count_committed(session: Session) -> int:
    """Return the number of images whose chunk is committed."""
    return sum(count for chunk, count in session.rows.chunks.items() if session.sink.has(chunk))


def _add_timing(session: Session, *, done: int) -> dict[str, Any]:
    """Return ``run.json`` with this session's timing."""
    seconds = time.perf_counter() - session.started
    images = _count_committed(session) - done
    rate = images / seconds if seconds > 0 else 0.0
    timing = {
        "images": images,
        "seconds": round(seconds, 3),
        "images_per_second": round(rate, 4),
        "peak_memory_bytes": peak_memory(),
        "batch_halved_to": session.mishaps.batch,
        "encoded_again_in_float32": session.mishaps.float32,
    }
    return {**session.info, "sessions": [*session.info["sessions"], timing]}


def _finish(session: Session, info: Mapping[str, Any], reporter: Reporter) -> None:
    """Keep views, count, and mark the run as finished, in this order."""
    run = open_tables(session.out)
    reporter.note("keeping views")
    recipe = without_drafts(session.work.build())
    wanted = choose_views(run, seed=session.plan.seed)
    changed = keep_views(run, wanted, rows=session.rows, recipe=recipe)
    if changed:
        reporter.note(
            f"{len(changed):,} images have views that could not be made again as they were measured"
        )
    counts, failures = count_run(run)
    kept = {
        "views_kept": len(list_views(session.out)),
        "views_changed": len(changed),
    }
    finished = {
        **info,
        "state": "finished",
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "counts": counts | kept,
        "failures": failures,
        "files": {**_digest_files(session.out), "chunks": len(run.chunk_names())},
    }
    write_record_file(session.out, finished)


def _digest_files(folder: Path) -> dict[str, str | None]:
    """Return digests of the files beside ``run.json`` that belong to the run."""
    plan, listing = file_in(folder, "plan.toml"), file_in(folder, "listing.parquet")
    return {
        plan.name: hashlib.sha256(plan.read_bytes()).hexdigest(),
        listing.name: read_seal(listing),
    }
