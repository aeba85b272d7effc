"""One session of work on a run folder: the encoder is open, and what the plan left open is settled."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from embshift.measurement.engine.local import Work
from embshift.measurement.pipeline.batches import Mishaps
from embshift.measurement.pipeline.precision_trial import settle_precision
from embshift.measurement.plan.auto import Setting, choose
from embshift.measurement.plan.plan import Plan
from embshift.measurement.session.assignment import (
    explain_no_workers,
    plan_recipe,
    plan_work,
    select_metrics,
)
from embshift.measurement.session.opening import describe_device, leave_out_metrics, open_encoder_of
from embshift.measurement.session.probe import check_probe, measure_probe
from embshift.measurement.session.provenance import (
    code_content,
    encoder_content,
    fingerprint,
)
from embshift.measurement.session.resume import check_code, check_encoder
from embshift.measurement.session.run_json import describe_unrepeatable, start_record
from embshift.measurement.session.service_floor import measure_floor
from embshift.measurement.session.stored import Stored
from embshift.runs.chunks import ParquetSink
from embshift.runs.listing import Listing

__all__ = ["Session", "start_session"]


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
    probe, differs = check_probe(
        info and info.get("probe"),
        measure_probe(opened, plan=plan) if stored is None and (info is None or "probe" in info) else None,
        mixed=plan.mixed_hardware,
    )
    if differs:
        note(differs)
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
        | ({} if probe is None else {"probe": probe})
        | floor
        | ({} if stored is None else {"ingested": dict(stored.about)}),
        mishaps=Mishaps(),
        started=time.perf_counter(),
    )
