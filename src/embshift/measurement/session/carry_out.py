"""Carry out a plan: sources listed, the listing frozen, and what is missing measured.

A finished run is answered from here without torch and without the encoder's weights.
"""

import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack, nullcontext
from dataclasses import replace
from datetime import datetime
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from embshift.core.progress import Reporter
from embshift.core.remote import grant_sources
from embshift.core.types import ImageRecord
from embshift.core.words import count_noun
from embshift.images import LeftOut, lead_elsewhere, stream_sources
from embshift.measurement.plan.plan import Plan
from embshift.measurement.session.dark_images import describe_dark_images
from embshift.measurement.session.encoder_files import same_files
from embshift.measurement.session.frozen_listing import hold_draft, settle_listing
from embshift.measurement.session.provenance import code_content
from embshift.measurement.session.resume import check_code, continue_plan, read_record
from embshift.runs.chunks import ParquetSink
from embshift.runs.listing import Listing
from embshift.runs.listing_changes import Records
from embshift.runs.lock import lock_folder
from embshift.runs.tables import open_tables
from embshift.show.run import Run, open_run

if TYPE_CHECKING:  # imports torch
    from embshift.measurement.session.session import Session
    from embshift.measurement.session.stored import Stored
    from embshift.measurement.session.work import Engine

__all__ = ["carry_out", "default_folder"]

_HELD = 2**16  # images: of more, the folder is listed again whenever its listing is needed


def default_folder(plan: Plan) -> Path:
    """Return ``runs/<local time>-<encoder>``."""
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
    encoder: Any = None,
    stored: "Stored | None" = None,
    update: bool = False,
    prepare: bool = False,
    engine: "Engine | None" = None,
) -> Run:
    """Carry out a plan into a run folder, from its start or from where it was stopped.

    Args:
        asked: The plan.
        sources: Its sources, including those that exist only in memory.
        out: The run folder.
        reporter: Who is told about the progress.
        objects: The transforms of a caller's own dictionary, by name.
        encoder: The encoder, where no name leads to it.
        stored: The views and embeddings, where both were made before; nothing is read from the sources then.
        update: Whether new images are appended.
        prepare: Whether plan and listing are written and nothing is measured, for parts that do.
        engine: What measures; None for this process and its workers.

    Returns:
        The run, opened for reading.

    Raises:
        EncoderError: If the encoder cannot be opened.
        ResumeError: If the folder holds the results of something else.
        SourceError: If there is no image.
        StorageError: If results cannot be written.
        UsageError: If the folder is not empty and not a run folder.
    """
    with grant_sources() if lead_elsewhere(sources) else nullcontext():
        return _carry_out(
            asked,
            sources=sources,
            out=out,
            reporter=reporter,
            objects=objects or {},
            encoder=encoder,
            stored=stored,
            update=update,
            prepare=prepare,
            engine=engine,
        )


def _carry_out(
    asked: Plan,
    *,
    sources: Sequence[Any],
    out: Path,
    reporter: Reporter,
    objects: Mapping[str, Any],
    encoder: Any,
    stored: "Stored | None",
    update: bool,
    prepare: bool,
    engine: "Engine | None",
) -> Run:
    records, count, left = _list_images(sources, stored)
    fewer = asked.limit is not None and asked.limit < count
    within = f", using the first {asked.limit:,}" if fewer else ""
    reporter.note(f"{count_noun(count, 'image')} found{within}; run folder: {out}")
    for line in left.lines():
        reporter.note(line)
    listing = out / "listing.parquet"
    with lock_folder(out), hold_draft(listing), ExitStack() as held:
        info = read_record(out)
        plan = continue_plan(asked, info, update=update)
        content = _index_content(sources, records())
        rows, notes = settle_listing(listing, records, count=count, content=content, plan=plan, update=update)
        held.callback(rows.close)
        for note in notes:
            reporter.note(note)
        finished = info is not None and _is_finished(info, rows=rows, out=out)
        if info is None or not finished or not same_files(plan.encoder, info.get("encoder_files")):
            # Measuring imports torch, which a finished run is answered without.
            from embshift.measurement.session.session import start_session

            session = start_session(
                plan,
                info=info,
                rows=rows,
                out=out,
                objects=objects,
                encoder=encoder,
                stored=stored,
                note=reporter.note,
            )
            if left_out := left.content():
                session = replace(session, info={**session.info, "left_out": left_out})
            if not finished:
                _work(session, reporter, prepare=prepare, engine=engine)
        else:
            check_code(info, code_content(plan, objects=objects))
        if finished:
            reporter.note("nothing left to do: the run is finished")
    return open_run(out)


def _work(session: "Session", reporter: Reporter, *, prepare: bool, engine: "Engine | None") -> None:
    from embshift.measurement.session.work import prepare_session, work_on  # imports torch

    if prepare:
        prepare_session(session)
        return
    work_on(session, reporter, engine=engine)
    if dark := describe_dark_images(open_tables(session.out)):
        reporter.note(dark)


def _list_images(sources: Sequence[Any], stored: "Stored | None") -> tuple[Records, int, LeftOut]:
    """Return what lists the sources, how many images they hold, and what is left out.

    A short listing is held in memory.
    """
    if stored is not None:
        return stored.records, stored.count, LeftOut()
    left = LeftOut()
    first = tuple(islice(stream_sources(sources, left=left), _HELD + 1))
    if len(first) <= _HELD:
        return (lambda: first), len(first), left
    left = LeftOut()
    return partial(stream_sources, sources), sum(1 for _ in stream_sources(sources, left=left)), left


def _index_content(sources: Sequence[Any], records: Iterable[ImageRecord]) -> dict[int, ImageRecord]:
    """Return the images that exist only in memory, by index."""
    if all(isinstance(source, (str, os.PathLike)) for source in sources):
        return {}
    return {record.index: record for record in records if record.path is None}


def _is_finished(info: Mapping[str, Any], *, rows: Listing, out: Path) -> bool:
    """Return whether the run is marked as finished, and every chunk is there."""
    if info["state"] != "finished" or len(rows) != info["counts"]["images"]:
        return False
    sink = ParquetSink(folder=out, fingerprint=info["fingerprint"])
    return all(sink.has(chunk) for chunk in rows.chunks)
