"""From sources to a run folder: plan checked, listing frozen, and what is left measured.

A finished run is answered from here without torch and without the encoder's weights.
"""

import importlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from embshift.encoder_files import same_files
from embshift.images import list_sources
from embshift.plan import Plan
from embshift.provenance import code_content
from embshift.reporting import Reporter
from embshift.resume import check_code, continued_plan, recorded, settled_listing
from embshift.run import Run, open_run
from embshift.sinks.folder import locked
from embshift.sinks.listing import FrozenRow
from embshift.sinks.parquet import ParquetSink

__all__ = ["carry_out", "default_folder"]


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
        finished = info is not None and _is_finished(info, rows=rows, out=out)
        if info is None or not finished or not same_files(plan.encoder, info.get("encoder_files")):
            # Measuring is a layer of its own, which imports torch.
            stretch = importlib.import_module("embshift.stretch")
            start = stretch.start(
                plan, info=info, rows=rows, out=out, objects=objects or {}, note=reporter.note
            )
            if not finished:
                stretch.work_on(start, reporter)
        else:
            check_code(info, code_content(plan, objects=objects or {}))
        if finished:
            reporter.note("nothing left to do: the run is finished")
    return open_run(out)


def _is_finished(info: Mapping[str, Any], *, rows: Sequence[FrozenRow], out: Path) -> bool:
    """Whether the run says so, and every chunk is there."""
    if info["state"] != "finished" or len(rows) != info["counts"]["images"]:
        return False
    sink = ParquetSink(folder=out, fingerprint=info["fingerprint"])
    return all(sink.has(chunk) for chunk in {row.chunk for row in rows})
