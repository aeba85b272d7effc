"""From sources to a run folder: plan checked, listing frozen, chunks measured and committed."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from embshift.engines.local import Work, run_local
from embshift.gallery import choose_views, keep_views, keep_while_running
from embshift.images import list_sources
from embshift.metrics import METRICS, Metric
from embshift.pipeline import Compared, Item, Perturbed, Recipe
from embshift.plan import Plan
from embshift.plan_files import plan_to_toml
from embshift.precision import settle_precision
from embshift.provenance import (
    code_content,
    encoder_content,
    fingerprint,
    machine,
    metric_content,
    peak_memory,
    plan_content,
    strength_content,
    versions,
)
from embshift.reporting import Reporter
from embshift.resume import check_code, check_encoder, continued_plan, recorded, save_listing, settled_listing
from embshift.run import Run, open_run
from embshift.schema import SCHEMA_VERSION
from embshift.sinks.files import write_json, write_text
from embshift.sinks.folder import locked
from embshift.sinks.listing import FrozenRow
from embshift.sinks.parquet import ParquetSink
from embshift.transforms.building import build, describe, wrap
from embshift.transforms.fast import hastened, slow_names
from embshift.types import Capture, EncoderSpec, Transform

__all__ = ["carry_out", "default_folder"]

_CPU_BATCH, _ACCELERATOR_BATCH = 32, 128
_FEW = 64  # pictures below which starting a worker takes longer than its help saves
_NAMED_FAILURES = 100


def default_folder(plan: Plan) -> Path:
    """``runs/<local time>-<encoder>``."""
    name = "".join(c if c.isalnum() or c in "-." else "-" for c in plan.encoder).strip("-.")[-60:]
    return Path("runs") / f"{datetime.now():%Y%m%d-%H%M%S}-{name}"


def carry_out(
    asked: Plan,
    /,
    *,
    sources: Sequence[Any],
    out: Path,
    reporter: Reporter,
    objects: Mapping[str, Any] | None = None,
    update: bool = False,
) -> Run:
    """Carry out a plan into a run folder, from its start or from where it was stopped.

    Args:
        asked: The plan.
        sources: Its sources, also those that stand only in memory.
        out: The run folder.
        reporter: Who is told how it goes.
        objects: The transforms of a caller's own dictionary, by name.
        update: Whether new pictures are appended.
    """
    records = list_sources(sources)
    count = len(records[: asked.limit])
    within = "" if count == len(records) else f", the first {count:,} are taken"
    reporter.note(f"{len(records):,} pictures found{within}; run folder: {out}")
    with locked(out):
        info = recorded(out)
        plan = continued_plan(asked, info, update=update)
        rows, notes = settled_listing(out / "listing.parquet", records, plan=plan, update=update)
        for note in notes:
            reporter.note(note)
        session = _start(plan, info=info, rows=rows, out=out, objects=objects or {}, reporter=reporter)
        if session.complete:
            reporter.note("nothing left to do: the run is finished")
            return open_run(out)
        _record(session)
        _work(session, reporter)
        _finish(session, reporter)
    return open_run(out)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Session:
    """One stretch of work on a run folder."""

    plan: Plan
    out: Path
    rows: Sequence[FrozenRow]
    work: Work
    sink: ParquetSink
    header: str
    info: Mapping[str, Any]
    complete: bool
    started: float

    @property
    def items(self) -> list[Item]:
        return [Item(record=row.record, sampled=row.sampled, chunk=row.chunk) for row in self.rows]


def _start(
    asked: Plan,
    *,
    info: Mapping[str, Any] | None,
    rows: Sequence[FrozenRow],
    out: Path,
    objects: Mapping[str, Any],
    reporter: Reporter,
) -> _Session:
    import torch

    from embshift.encoders.opening import open_encoder

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
    plan = _chosen(
        asked, spec=encoder.spec, threads=torch.get_num_threads(), count=len(rows), objects=objects
    )
    chosen = {name: METRICS[name] for name in plan.metrics}
    pixel, pair = _by_need(chosen)
    recipe = partial(build_recipe, plan, metrics=pixel, objects=objects, **_aligned(chosen))
    recipe()  # every transform is built once before any work starts
    batch, workers = plan.batch or 1, plan.workers or 0
    items = [Item(record=row.record, sampled=row.sampled, chunk=row.chunk) for row in rows]
    encoder, precision = settle_precision(
        plan, encoder, info=info, reopen=reopen, items=items, recipe=recipe, metrics=pair, note=reporter.note
    )
    plan = replace(plan, precision=encoder.spec.precision)
    work = Work(build=recipe, encoder=encoder, metrics=pair, batch=batch, workers=workers)
    sink = ParquetSink(folder=out, fingerprint=fingerprint(plan, encoder=encoder.spec, code=code))
    finished = info is not None and info["state"] == "finished" and len(rows) == info["counts"]["images"]
    return _Session(
        plan=plan,
        out=out,
        rows=rows,
        work=work,
        sink=sink,
        header=_repeatable(plan, objects),
        info=_content(plan, encoder.spec, sink, before=info) | {"code": code, "precision": precision},
        complete=finished and all(sink.has(chunk) for chunk in {row.chunk for row in rows}),
        started=time.perf_counter(),
    )


def _record(session: _Session) -> None:
    """What is known when work starts; ``run.json`` first, for it makes a folder a run folder."""
    write_json(session.out / "run.json", session.info)
    write_text(session.out / "plan.toml", session.header + plan_to_toml(session.plan))
    save_listing(session.out / "listing.parquet", session.rows)
    session.sink.discard_uncommitted()


def _repeatable(plan: Plan, objects: Mapping[str, Any]) -> str:
    """A comment for ``plan.toml`` where no file can repeat the run."""
    lost = [f"transform {name}" for name, thing in objects.items() if describe(name, thing) is None]
    lost += ["pictures from memory"] * ("memory" in plan.sources)
    return f"# Not repeatable from this file: {', '.join(lost)} lived in Python alone.\n" if lost else ""


def _chosen(plan: Plan, *, spec: EncoderSpec, threads: int, count: int, objects: Mapping[str, Any]) -> Plan:
    """The plan with everything decided that was left open."""
    batch = _CPU_BATCH if spec.device == "cpu" else _ACCELERATOR_BATCH
    workers = 0 if count < _FEW else min(8, max(1, (machine()["cores"] or 1) - 1))
    # What lives only in this process cannot be built in another.
    bound = any(describe(name, thing) is None for name, thing in objects.items())
    workers = 0 if bound else workers
    return replace(
        plan,
        batch=plan.batch or batch,
        threads=threads,
        device=spec.device,
        workers=workers if plan.workers is None or bound else plan.workers,
    )


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


def build_recipe(
    plan: Plan,
    *,
    metrics: Mapping[str, Any],
    objects: Mapping[str, Any],
    aligned: Mapping[str, Any] | None = None,
    mapped: bool = False,
) -> Recipe:
    """What happens to every picture before the encoder; called once in every worker."""
    transforms: dict[str, Transform] = {
        each.name: wrap(each.name, objects[each.name]) if each.name in objects else build(each)
        for each in plan.transforms
    }
    if plan.views == "fast":
        transforms = {name: hastened(transform) for name, transform in transforms.items()}
    return Recipe(
        limits=plan.limits,
        size=plan.image_size,
        rule=plan.resize,
        seed=plan.seed,
        draws=plan.draws,
        transforms=transforms,
        metrics=metrics,
        aligned=aligned or {},
        mapped=mapped,
    )


def _content(
    plan: Plan, spec: EncoderSpec, sink: ParquetSink, *, before: Mapping[str, Any] | None
) -> dict[str, Any]:
    """``run.json`` while the run goes on."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    return {
        "schema": SCHEMA_VERSION,
        "state": "running",
        "started": now if before is None else before["started"],
        "finished": None,
        "fingerprint": sink.fingerprint,
        "plan": plan_content(plan),
        "strengths": strength_content(plan),
        "encoder": encoder_content(spec),
        "metrics": [metric_content(METRICS[name].spec) for name in plan.metrics],
        "versions": versions(),
        "machine": machine(),
        "counts": {} if before is None else before["counts"],
        "failures": [] if before is None else before["failures"],
        "sessions": [] if before is None else before["sessions"],
    }


def _work(session: _Session, reporter: Reporter) -> None:
    done = sum(session.sink.has(row.chunk) for row in session.rows)
    plan = session.plan
    reporter.note(
        f"encoder {plan.encoder} on {plan.device}, {plan.threads} threads, batches of {plan.batch} views,"
        f" {plan.workers} workers"
    )
    slow = slow_names(session.work.build().transforms) if plan.views == "fast" else []
    if slow:
        reporter.note(f"views fast: {', '.join(slow)} have no fast form and are made as in 'reference'")
    reporter.begin(total=len(session.rows), done=done)

    def see(perturbed: Perturbed) -> None:
        if perturbed.item.record.row < plan.keep_views:
            keep_while_running(perturbed, folder=session.out)

    def report(result: Compared) -> None:
        reporter.advance(failed=result.decoded.status != "ok")

    try:
        run_local(session.items, work=session.work, sink=session.sink, see=see, report=report)
    finally:
        reporter.end()
        _record_stretch(session, done=done)


def _record_stretch(session: _Session, *, done: int) -> None:
    """Timing of this stretch, also of one that was stopped, before the pictures are kept."""
    seconds = time.perf_counter() - session.started
    images = sum(session.sink.has(row.chunk) for row in session.rows) - done
    rate = images / seconds if seconds > 0 else 0.0
    stretch = {
        "images": images,
        "seconds": round(seconds, 3),
        "images_per_second": round(rate, 4),
        "peak_memory_bytes": peak_memory(),
    }
    session.info["sessions"].append(stretch)
    write_json(session.out / "run.json", session.info)


def _finish(session: _Session, reporter: Reporter) -> None:
    """Keep pictures, count, and say that the run is finished, in this order."""
    run = open_run(session.out)
    reporter.note("keeping pictures of views")
    recipe = session.work.build()
    wanted = choose_views(run, seed=session.plan.seed)
    changed = keep_views(run, wanted, items=session.items, recipe=recipe)
    if changed:
        reporter.note(f"{len(changed):,} pictures could not be made again as they were measured")
    counts, failures = _counted(run)
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


def _counted(run: Run) -> tuple[dict[str, int], list[dict[str, Any]]]:
    images = run.images().select(["row", "member", "status", "error"]).to_pylist()
    failed = [image for image in images if image["status"] != "ok"]
    views, views_failed = run.count_views()
    counts = {
        "images": len(images),
        "failed": len(failed),
        "repeated": len(run.repeated()),
        "views": views,
        "views_failed": views_failed,
        "undefined": run.count_undefined(),
    }
    return counts, failed[:_NAMED_FAILURES]
