"""Carry out an explanation: chunk by chunk, from its start or from where it was stopped."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from embshift.core.errors import MissingTokenizerError, NoTextSideError, RunError
from embshift.core.progress import Reporter, Silent
from embshift.core.remote import grant_access
from embshift.core.version import __version__
from embshift.core.words import count_noun
from embshift.encoders.inside import Inside, open_inside
from embshift.measurement.pipeline.recipe import Recipe, build_recipe, without_drafts
from embshift.measurement.plan.files import plan_from_content
from embshift.measurement.session.provenance import code_content, encoder_content
from embshift.measurement.session.resume import check_code, check_encoder
from embshift.measurement.session.trust import NO_TRUST, Trust, check_remote_images, check_trust
from embshift.measurement.studies.explain.checks import check_network, check_options, check_sources
from embshift.measurement.studies.explain.measured import MeasuredImage, count_views, measure_image
from embshift.measurement.studies.explain.options import ExplainOptions, make_options
from embshift.measurement.studies.explain.remade import Digests, read_digests, remake_image
from embshift.measurement.studies.explain.sample import StudyImages, choose_images
from embshift.measurement.studies.explain.tabulate import tabulate
from embshift.measurement.studies.explain.texts import TextRequest, store_texts
from embshift.runs.explained import (
    ExplainedSink,
    ExplainedTables,
    find_explained,
    is_complete,
    open_explained,
    read_explained_record,
    write_explained_record,
)
from embshift.runs.listing import Listing
from embshift.runs.lock import lock_folder
from embshift.runs.places import file_in
from embshift.runs.tables import RunTables, open_tables

__all__ = ["explain_run"]


def explain_run(
    run: RunTables | str | Path,
    /,
    *,
    texts: TextRequest | None = None,
    trust: Trust = NO_TRUST,
    reporter: Reporter | None = None,
    **options: Any,
) -> ExplainedTables:
    """Explain a finished run: where in its encoder's network the shifts arise.

    Views are made again from their seeds, and each is held to the digest of what the run measured. Nothing of
    the run itself is changed.

    Args:
        run: The run, or its folder.
        texts: Words, labels and captions to store with it; None for the words that ship, where the encoder
            has a text side.
        trust: Whether code that the run's record names may run, and images be read from other machines.
        reporter: Who is told about the progress; nobody where None.
        **options: Fields of `ExplainOptions`; where None, those of the stored explanation, or else the
            defaults.

    Returns:
        The explanation, opened for reading.

    Raises:
        EncoderError: If the encoder is not the run's, or its network cannot be explained.
        ResumeError: If the folder holds an explanation with other options.
        RunError: If the run is not finished, or its images cannot be read again.
        StorageError: If results cannot be written.
        UsageError: If the record names code or images on other machines, and that is not allowed.
    """
    tables = run if isinstance(run, RunTables) else open_tables(run)
    make_options(**options)  # what is out of range is told first
    told = reporter or Silent()
    if not tables.finished:
        raise RunError(f"{tables.folder} is not finished; finish the run, then explain it")
    with lock_folder(tables.folder):
        before = read_explained_record(tables.folder) if find_explained(tables.folder) else None
        asked = make_options(before.get("plan") if before else None, **options)
        check_options(before, asked, run=tables)
        done = before is not None and is_complete(tables.folder, before)
        study = None if done else _open_study(tables, asked, trust=trust)
        # Texts come first: a file that cannot be used is told before the network runs for hours.
        _store_texts(tables, texts or TextRequest(), reporter=told)
        if study is None:
            told.note("nothing left to do: the run is explained")
        else:
            with grant_access(trust.access()):
                _explain(study, reporter=told)
    return open_explained(tables.folder, fingerprint=tables.info["fingerprint"])


def _store_texts(run: RunTables, request: TextRequest, *, reporter: Reporter) -> None:
    """Store texts; where none are asked for, an encoder that cannot read them costs a line."""
    if not run.keeps_embeddings:  # which texts are compared with
        if request.asked or request.prompts:
            run.check_embeddings()
        return
    try:
        store_texts(run, request, reporter=reporter)
    except (NoTextSideError, MissingTokenizerError) as error:
        if request.asked:
            raise
        reporter.note(f"no words: {error}")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Study:
    """An explanation that is under way.

    Attributes:
        run: The run.
        options: What is asked for.
        inside: The network.
        at_once: Views in one pass of it, beside the original.
        images: The images of the explanation.
        listing: The run's listing.
        recipe: What its views are made with.
        sink: Where chunks are committed.
    """

    run: RunTables
    options: ExplainOptions
    inside: Inside[Any]
    at_once: int
    images: StudyImages
    listing: Listing
    recipe: Recipe
    sink: ExplainedSink


def _explain(study: _Study, *, reporter: Reporter) -> None:
    run = study.run
    reporter.note(
        f"explaining {count_noun(len(study.images.rows), 'image')} of {run.folder}, read-out"
        f" {study.inside.readout}, {count_noun(len(study.inside.components), 'component')}"
    )
    write_explained_record(run.folder, _make_record(study, state="running"))
    study.sink.discard_drafts()
    chunks = study.images.chunks
    done = sum(len(rows) for at, rows in enumerate(chunks) if study.sink.has(at))
    reporter.begin(total=len(study.images.rows), done=done)
    try:
        for at, rows in enumerate(chunks):
            if not study.sink.has(at):
                study.sink.write(at, tabulate(_measure_chunk(study, rows, reporter)))
    finally:
        reporter.end()
    counted = _count(study)
    if not counted["counts"]["images"]:
        study.sink.discard_chunks()  # so that the same command measures them once the images are back
        raise RunError(
            f"none of {count_noun(len(study.images.rows), 'image')} of {run.folder} could be made again: the"
            " files are missing, or have changed since the run; put them back, then explain again"
        )
    write_explained_record(run.folder, _make_record(study, state="finished") | counted)


def _open_study(run: RunTables, options: ExplainOptions, *, trust: Trust) -> _Study:
    from embshift.encoders.open import open_encoder

    plan = plan_from_content(run.info["plan"])
    check_network(run, plan)
    check_trust(plan, trust, where=str(run.folder))
    check_sources(run, plan)
    encoder = open_encoder(
        plan.encoder,
        device=plan.device,
        allow_pickle=plan.allow_pickle,
        precision=run.info["encoder"]["precision"],
        runtime=run.info["encoder"].get("runtime", "torch"),
    )
    inside = open_inside(encoder)
    check_encoder(run.info, encoder_content(encoder.spec))
    check_code(run.info, code_content(plan, objects={}))
    images = choose_images(run, options)
    if not images.rows:
        raise RunError(f"{run.folder} has no image that could be used, so nothing can be explained")
    recipe = without_drafts(build_recipe(plan, metrics={}, objects={}, mapped=True))
    study = _Study(
        run=run,
        options=options,
        inside=inside,
        at_once=count_views(inside, plan.image_size),
        images=images,
        listing=Listing(file_in(run.folder, "listing.parquet")),
        recipe=recipe,
        sink=ExplainedSink(run=run.folder, fingerprint=""),
    )
    rows = map(study.listing.__getitem__, images.rows)
    check_remote_images(rows, trust, where=str(run.folder))
    return replace(study, sink=ExplainedSink(run=run.folder, fingerprint=_digest(study)))


def _digest(study: _Study) -> str:
    """Return the digest of everything that the explanation depends on."""
    content = {
        "fingerprint": study.run.info["fingerprint"],
        "version": __version__,
        "plan": study.options.content(),
        "components": study.inside.components,
        "rows": study.images.rows,
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _measure_chunk(study: _Study, rows: Sequence[int], reporter: Reporter) -> list[MeasuredImage]:
    digests = read_digests(study.run, rows)
    found = list[MeasuredImage]()
    for row in rows:
        own = _measure_row(study, row, digests[row])
        found += own
        reporter.advance(failed=not own)
    return found


def _measure_row(study: _Study, row: int, digests: Digests) -> list[MeasuredImage]:
    image = remake_image(study.listing[row], digests, recipe=study.recipe)
    if image is None or not image.keys:
        return []
    patched = row in study.images.patched
    kinds = ["direct", *(["class"] if study.options.patch != "direct" and study.inside.followed else [])]
    full = ""
    if row in study.images.full and study.inside.followed:
        full = "all" if study.options.patch == "full" else "largest"
    return list(
        measure_image(
            study.inside,
            image,
            at_once=study.at_once,
            kinds=kinds if patched else ["direct"],
            full=full,
        )
    )


def _make_record(study: _Study, *, state: str) -> dict[str, Any]:
    return {
        "schema": 1,
        "version": __version__,
        "state": state,
        "written": datetime.now(UTC).isoformat(timespec="seconds"),
        "fingerprint": study.run.info["fingerprint"],
        "digest": study.sink.fingerprint,
        "plan": study.options.content(),
        "readout": study.inside.readout,
        "components": list(study.inside.components),
        "followed": list(study.inside.followed),
        "layers": study.inside.layers,
        "heads": study.inside.heads,
        "gauge": study.inside.gauge,
        "chunks": len(study.images.chunks),
        "images": len(study.images.rows),
    }


def _count(study: _Study) -> dict[str, Any]:
    """Return what the finished tables hold, counted from the tables themselves."""
    record = _make_record(study, state="finished")
    found = ExplainedTables(run=study.run.folder, record=record)
    measured, views, residual, unmoved = set[int](), 0, 0.0, 0
    for chunk in found.chunks("shares", ["row", "share"]):
        measured |= set(chunk["row"].to_pylist())
        views += len(chunk)
        sums = np.array([np.sum(one, dtype=np.float64) for one in chunk["share"].to_pylist()])
        unmoved += int(np.isnan(sums).sum())
        residual = max(residual, float(np.nanmax(np.abs(sums - 1), initial=0.0)))
    return {
        "counts": {
            "images": len(measured),
            "left_out": len(study.images.rows) - len(measured),
            "views": views,
            "without_shift": unmoved,
        },
        "greatest_residual": residual,
    }
