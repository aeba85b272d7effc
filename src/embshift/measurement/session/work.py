"""One stretch of work on a run folder: encoder opened, chunks measured and committed, pictures kept."""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from embshift.core.encoding import Encoder
from embshift.core.progress import Reporter
from embshift.core.types import Capture
from embshift.measurement.engine.local import Work, run_local
from embshift.measurement.engine.worker import WorkerLimits
from embshift.measurement.pipeline.encode import Item, Mishaps, Perturbed, Recipe
from embshift.measurement.pipeline.precision_trial import settle_precision
from embshift.measurement.pipeline.recipe import build_recipe, undivided, unformed
from embshift.measurement.plan.auto import Setting, choose, is_portable
from embshift.measurement.plan.files import plan_to_toml
from embshift.measurement.plan.plan import Plan
from embshift.measurement.session.keep_views import choose_views, keep_views, keep_while_running
from embshift.measurement.session.provenance import (
    code_content,
    encoder_content,
    fingerprint,
    peak_memory,
)
from embshift.measurement.session.resume import check_code, check_encoder, save_listing
from embshift.measurement.session.run_json import counted, repeatable, started_record
from embshift.metrics import METRICS, Metric
from embshift.runs.chunks import ParquetSink
from embshift.runs.files import write_json, write_text
from embshift.runs.listing import FrozenRow, Listing
from embshift.runs.tables import open_tables
from embshift.transforms.build import describe

__all__ = ["Session", "start", "work_on"]


def work_on(session: "Session", reporter: Reporter, /) -> None:
    """Measure what a run folder lacks, and finish it."""
    _record(session)
    _work(session, reporter)
    _finish(session, reporter)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Session:
    """One stretch of work on a run folder."""

    plan: Plan
    out: Path
    rows: Listing
    work: Work
    sink: ParquetSink
    header: str
    info: Mapping[str, Any]
    mishaps: Mishaps
    started: float

    @property
    def items(self) -> Iterator[Item]:
        """What the listing holds, in its order."""
        return map(_item, self.rows)


def start(
    asked: Plan,
    /,
    *,
    info: Mapping[str, Any] | None,
    rows: Listing,
    out: Path,
    objects: Mapping[str, Any],
    note: Callable[[str], None],
) -> Session:
    """Open what a stretch of work needs, and check that it is what the run was begun with.

    Args:
        asked: What to work by, with what the run has recorded where nothing was asked.
        info: What ``run.json`` holds; None for a new run.
        rows: The listing.
        out: The run folder, which is locked.
        objects: The transforms of a caller's own dictionary, by name.
        note: Tells the user.

    Raises:
        EncoderError: If the encoder cannot be opened.
        ResumeError: If it, or a function of the user's, is not what the run was begun with.
    """
    import torch

    from embshift.encoders.open import open_encoder

    torch.set_num_threads(asked.threads or torch.get_num_threads())
    reopen = partial(
        open_encoder,
        asked.encoder,
        device=asked.device,
        allow_pickle=asked.allow_pickle,
        runtime=asked.runtime,
    )
    encoder = reopen(precision="float32" if asked.precision == "auto" else asked.precision)
    check_encoder(info, encoder_content(encoder.spec))
    code = code_content(asked, objects=objects)
    check_code(info, code)
    chosen = {name: METRICS[name] for name in asked.metrics}
    pixel, pair = _by_need(chosen)
    recipe = partial(build_recipe, asked, metrics=pixel, objects=objects, **_aligned(chosen))
    recipe()  # every transform is built once before any work starts
    setting = Setting(
        device=encoder.spec.device,
        threads=torch.get_num_threads(),
        count=len(rows),
        held=_held(rows, recipe, objects),
    )
    plan, reasons = choose(asked, setting)
    torch.set_num_threads(plan.threads or setting.threads)
    encoder, precision = settle_precision(
        plan,
        encoder,
        info=info,
        reopen=reopen,
        items=map(_item, rows),
        recipe=recipe,
        metrics=pair,
        note=note,
    )
    plan = replace(plan, precision=encoder.spec.precision)
    work = _planned_work(plan, encoder=encoder, build=recipe, metrics=pair, reopen=reopen)
    sink = ParquetSink(folder=out, fingerprint=fingerprint(plan, encoder=encoder.spec, code=code))
    return Session(
        plan=plan,
        out=out,
        rows=rows,
        work=work,
        sink=sink,
        header=repeatable(plan, objects),
        info=started_record(plan, encoder.spec, sink, before=info)
        | {"code": code, "precision": precision, "choices": reasons},
        mishaps=Mishaps(),
        started=time.perf_counter(),
    )


def _item(row: FrozenRow) -> Item:
    return Item(record=row.record, sampled=row.sampled, chunk=row.chunk)


def _held(rows: Listing, build: Callable[[], Recipe], objects: Mapping[str, Any]) -> str:
    """Why workers cannot do the work; empty where they can."""
    if not is_portable(build) or any(describe(name, thing) is None for name, thing in objects.items()):
        return "a transform or a metric lives in this process alone"
    if rows.in_memory:
        return "pictures are in the memory of this process"
    return ""


def _planned_work(
    plan: Plan,
    *,
    encoder: Encoder,
    build: Callable[[], Recipe],
    metrics: Mapping[str, Metric],
    reopen: Callable[..., Encoder],
) -> Work:
    memory, seconds = plan.worker_memory or 0, plan.timeout or 0
    return Work(
        build=build,
        encoder=encoder,
        metrics=metrics,
        batch=plan.batch or 1,
        workers=plan.workers or 0,
        limits=WorkerLimits(memory=memory * 2**20, seconds=seconds),
        plain=None if encoder.spec.precision == "float32" else partial(reopen, precision="float32"),
    )


def _record(session: Session) -> None:
    """What is known when work starts; ``run.json`` first, for it makes a folder a run folder."""
    write_json(session.out / "run.json", session.info)
    write_text(session.out / "plan.toml", session.header + plan_to_toml(session.plan))
    save_listing(session.out / "listing.parquet")
    session.sink.discard_uncommitted()


def _by_need(metrics: Mapping[str, Metric]) -> tuple[dict[str, Any], dict[str, Metric]]:
    """Metrics on pixels, which workers take, and metrics on encodings."""
    pixel = {name: metric.compute for name, metric in metrics.items() if metric.spec.needs == Capture.PIXELS}
    aligned = _aligned(metrics)["aligned"]
    return pixel, {name: metric for name, metric in metrics.items() if name not in {*pixel, *aligned}}


def _aligned(metrics: Mapping[str, Metric]) -> dict[str, Any]:
    """Metrics that take the views' maps: those on pixels, and whether there are any on encodings."""
    taking = {name: metric for name, metric in metrics.items() if Capture.COORDINATES in metric.spec.needs}
    pixel = {n: metric.compute for n, metric in taking.items() if metric.spec.needs == Capture.COORDINATES}
    return {"aligned": pixel, "mapped": len(pixel) < len(taking)}


def _work(session: Session, reporter: Reporter) -> None:
    done = _committed(session)
    plan = session.plan
    reporter.note(
        f"encoder {plan.encoder} on {plan.device}, {plan.threads} threads, batches of {plan.batch} views,"
        f" {plan.workers} workers"
    )
    for name, reason in session.info["choices"].items():
        if reason != "as given":
            reporter.note(f"  {name.replace('_', '-')} {getattr(plan, name):,}: {reason}")
    for line in unformed(plan.views, session.work.build().transforms):
        reporter.note(line)
    reporter.begin(total=len(session.rows), done=done)

    def see(perturbed: Perturbed) -> None:
        if perturbed.item.record.row < plan.keep_views:
            keep_while_running(perturbed, folder=session.out)

    def report(perturbed: Perturbed) -> None:
        reporter.advance(failed=perturbed.decoded.status != "ok")

    try:
        run_local(
            session.items,
            work=session.work,
            sink=session.sink,
            see=see,
            report=report,
            mishaps=session.mishaps,
        )
    finally:
        reporter.end()
        _record_stretch(session, done=done)


def _committed(session: Session) -> int:
    """Pictures whose chunk is committed."""
    return sum(count for chunk, count in session.rows.chunks.items() if session.sink.has(chunk))


def _record_stretch(session: Session, *, done: int) -> None:
    """Timing of this stretch, also of one that was stopped, before the pictures are kept."""
    seconds = time.perf_counter() - session.started
    images = _committed(session) - done
    rate = images / seconds if seconds > 0 else 0.0
    stretch = {
        "images": images,
        "seconds": round(seconds, 3),
        "images_per_second": round(rate, 4),
        "peak_memory_bytes": peak_memory(),
        "batch_halved_to": session.mishaps.batch,
        "encoded_again_in_float32": session.mishaps.plain,
    }
    session.info["sessions"].append(stretch)
    write_json(session.out / "run.json", session.info)


def _finish(session: Session, reporter: Reporter) -> None:
    """Keep pictures, count, and say that the run is finished, in this order."""
    run = open_tables(session.out)
    reporter.note("keeping pictures of views")
    recipe = undivided(session.work.build())
    wanted = choose_views(run, seed=session.plan.seed)
    changed = keep_views(run, wanted, item=lambda row: _item(session.rows[row]), recipe=recipe)
    if changed:
        reporter.note(f"{len(changed):,} pictures could not be made again as they were measured")
    counts, failures = counted(run)
    finished = {
        **session.info,
        "state": "finished",
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "counts": counts
        | {
            "views_kept": sum(1 for _ in (session.out / "views").glob("*/*.png")),
            "views_changed": len(changed),
        },
        "failures": failures,
    }
    write_json(session.out / "run.json", finished)
