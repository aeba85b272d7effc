"""Work on one run folder: open the encoder, measure what is missing, keep views, and finish the run."""

import hashlib
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from embshift.core.progress import Reporter
from embshift.core.words import count_noun
from embshift.measurement.engine.local import Work, measure_chunks
from embshift.measurement.pipeline.batches import Mishaps
from embshift.measurement.pipeline.encode import Encoded
from embshift.measurement.pipeline.perturb import Perturbed
from embshift.measurement.pipeline.precision_trial import settle_precision
from embshift.measurement.pipeline.recipe import (
    describe_slow_forms,
    without_drafts,
)
from embshift.measurement.plan.auto import Setting, choose
from embshift.measurement.plan.files import plan_to_toml
from embshift.measurement.plan.plan import Plan
from embshift.measurement.session.assignment import (
    explain_no_workers,
    plan_recipe,
    plan_work,
    select_metrics,
)
from embshift.measurement.session.frozen_listing import save_listing
from embshift.measurement.session.keep_views import choose_views, keep_views, write_views
from embshift.measurement.session.opening import describe_device, leave_out_metrics, open_encoder_of
from embshift.measurement.session.provenance import (
    code_content,
    encoder_content,
    fingerprint,
    peak_memory,
)
from embshift.measurement.session.resume import check_code, check_encoder
from embshift.measurement.session.run_json import count_run, describe_unrepeatable, start_record
from embshift.measurement.session.service_floor import measure_floor
from embshift.measurement.session.stored import Stored
from embshift.runs.chunks import ParquetSink
from embshift.runs.files import write_text
from embshift.runs.listing import Listing
from embshift.runs.places import file_in, list_views
from embshift.runs.record import write_record_file
from embshift.runs.seal import read_seal
from embshift.runs.tables import open_tables

__all__ = ["Session", "start_session", "work_on"]


def work_on(session: "Session", reporter: Reporter, /) -> None:
    """Measure what a run folder lacks, and finish it.

    Raises:
        StorageError: If results cannot be written.
    """
    _write_start(session)
    info = _measure(session, reporter)
    _finish(session, info, reporter)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Session:
    """One session of work on a run folder.

    Attributes:
        plan: The plan, with nothing left open.
        out: The run folder.
        rows: The listing.
        work: What the engine does.
        sink: Where chunks are committed.
        header: Comment at the top of ``plan.toml``.
        info: The content of ``run.json`` when the session starts.
        mishaps: Counted up while batches are encoded.
        started: When the session started, in seconds of the performance counter.
    """

    plan: Plan
    out: Path
    rows: Listing
    work: Work
    sink: ParquetSink
    header: str
    info: Mapping[str, Any]
    mishaps: Mishaps
    started: float


def start_session(
    asked: Plan,
    /,
    *,
    info: Mapping[str, Any] | None,
    rows: Listing,
    out: Path,
    objects: Mapping[str, Any],
    encoder: Any,
    stored: Stored | None = None,
    note: Callable[[str], None],
) -> Session:
    """Open the encoder, decide what the plan leaves open, and check that nothing has changed since.

    Args:
        asked: The plan, with what the run has recorded where nothing was asked.
        info: The content of ``run.json``; None for a new run.
        rows: The listing.
        out: The run folder, which is locked.
        objects: The transforms of a caller's own dictionary, by name.
        encoder: The encoder, where no name leads to it.
        stored: The views and embeddings, where both were made before.
        note: Tells the user one line.

    Raises:
        EncoderError: If the encoder cannot be opened.
        ResumeError: If the encoder, or a function of the user's, is not what the run was started with.
    """
    import torch

    torch.set_num_threads(asked.threads or torch.get_num_threads())
    reopen = partial(open_encoder_of, asked, encoder if stored is None else stored.encoder)
    opened = reopen(precision="float32" if asked.precision == "auto" else asked.precision)
    check_encoder(info, encoder_content(opened.spec))
    for line in describe_device(asked, opened.spec):
        note(line)
    asked = leave_out_metrics(asked, opened.spec, note=note)
    # The code of stored views is not imported: their file may come from anyone.
    code = code_content(asked, objects=objects) if stored is None else dict(stored.code)
    check_code(info, code)
    build, metrics = plan_recipe(asked, objects, stored), select_metrics(asked, "pair")
    build()  # every transform is built once before any work starts
    setting = Setting(
        device=opened.spec.device,
        threads=torch.get_num_threads(),
        count=len(rows),
        held=explain_no_workers(rows, build, objects),
    )
    plan, reasons = choose(asked, setting)
    torch.set_num_threads(plan.threads or setting.threads)
    opened, precision = settle_precision(
        plan, opened, info=info, reopen=reopen, rows=rows, build=build, metrics=metrics, note=note
    )
    plan = replace(plan, precision=opened.spec.precision)
    floor = measure_floor(opened, info=info, rows=rows, build=build, note=note)
    sink = ParquetSink(folder=out, fingerprint=fingerprint(plan, encoder=opened.spec, code=code))
    return Session(
        plan=plan,
        out=out,
        rows=rows,
        work=plan_work(
            plan,
            encoder=opened,
            build=build,
            metrics=metrics,
            reopen=reopen,
            fill=None if stored is None else stored.fill,
        ),
        sink=sink,
        header=describe_unrepeatable(plan, objects, encoder=encoder),
        info=start_record(plan, opened.spec, sink, before=info)
        | {"code": code, "precision": precision, "choices": reasons}
        | floor
        | ({} if stored is None else {"ingested": dict(stored.about)}),
        mishaps=Mishaps(),
        started=time.perf_counter(),
    )


def _write_start(session: Session) -> None:
    """Write what is known when work starts; ``run.json`` first, for it makes a folder a run folder."""
    write_record_file(session.out, session.info)
    write_text(file_in(session.out, "plan.toml"), session.header + plan_to_toml(session.plan))
    save_listing(file_in(session.out, "listing.parquet"))
    session.sink.discard_uncommitted()


def _measure(session: Session, reporter: Reporter) -> Mapping[str, Any]:
    """Measure what is missing; returns ``run.json`` with the timing of this session."""
    done = _count_committed(session)
    _announce(session, reporter)
    reporter.begin(total=len(session.rows), done=done)

    def keep_first(perturbed: Perturbed) -> None:
        if perturbed.listed.record.row < session.plan.keep_views:
            write_views(perturbed, folder=session.out)

    def advance(image: Encoded) -> None:
        reporter.advance(failed=image.decoded.status != "ok")

    try:
        measure_chunks(
            session.rows,
            work=session.work,
            sink=session.sink,
            on_perturbed=keep_first,
            on_encoded=advance,
            mishaps=session.mishaps,
        )
    finally:
        reporter.end()
        # Also for a session that was stopped, and before views are kept.
        info = _add_timing(session, done=done)
        write_record_file(session.out, info)
    return info


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
