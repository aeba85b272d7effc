"""Check of a run folder, from its record to its inputs and its encoder."""

import os
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from itertools import groupby
from pathlib import Path
from typing import Any

from embshift.core.errors import RunError
from embshift.core.paths import input_path
from embshift.core.types import FrozenRow
from embshift.core.words import count_noun
from embshift.measurement.verify.chunks import check_chunk, committed_chunks, read_expected
from embshift.measurement.verify.inputs import check_encoder, check_inputs
from embshift.measurement.verify.record import (
    check_counts,
    check_listing,
    check_plan,
    check_record,
    describe_record,
)
from embshift.measurement.verify.repair import drop_damaged
from embshift.measurement.verify.verdict import Fault, Verdict
from embshift.measurement.verify.views import check_views
from embshift.runs.files import read_json
from embshift.runs.lock import lock_folder
from embshift.runs.schema import SCHEMA_VERSION, TABLES
from embshift.runs.tables import open_tables

__all__ = ["verify_run"]

_KEYS = {"schema", "state", "plan", "encoder", "metrics", "counts", "fingerprint", "code", "versions"}


def verify_run(folder: str | Path, *, repair: bool = False, inputs: bool = True) -> Verdict:
    """Check a run folder, its inputs and its encoder.

    Checked are every file's seal (SHA-256 of its bytes), fingerprint, columns and rows; listing, counts and
    completeness; the kept views; and, where they still exist, the input images and the encoder.

    Args:
        folder: A run folder.
        repair: Whether what is damaged and can be made again is removed, so that the next ``embshift run``
            makes it again. Results are never changed otherwise.
        inputs: Whether the input images are hashed again, and the encoder is opened.

    Returns:
        The findings; ``print`` shows them.

    Raises:
        RunError: If it is not a run folder, or was written by a later version.
        ResumeError: If it is to be repaired and another process is writing it.

    Example:
        >>> verify_run("run").sound  # doctest: +SKIP
        True
    """
    path = Path(input_path(folder))
    if not os.path.exists(path / "run.json"):
        open_tables(path)  # which says what was expected
    with lock_folder(path) if repair else nullcontext():
        return _verify(path, repair=repair, inputs=inputs)


@dataclass(slots=True, kw_only=True)
class _Findings:
    """What the checks have found so far."""

    faults: list[Fault] = field(default_factory=list[Fault])
    notes: list[str] = field(default_factory=list[str])


def _verify(folder: Path, *, repair: bool, inputs: bool) -> Verdict:
    found = _Findings()
    info = _read_record(folder, found)
    if info is None:
        return Verdict(folder=folder, faults=tuple(found.faults), notes=())
    rows, listing_faults = check_listing(folder)
    found.faults += [*check_plan(folder, info), *listing_faults]
    chunks = _check_chunks(folder, info, rows=rows, found=found)
    complete = {row.chunk for row in rows} == set(chunks)
    always = info["plan"]["keep_views"]
    views, view_faults = check_views(folder, chunks=chunks, complete=complete, always=always)
    found.faults += view_faults
    sound = [chunk for chunk, whole in chunks.items() if whole]
    if info["state"] == "finished" and not found.faults:
        found.faults += check_counts(folder, info)
    verdict = Verdict(folder=folder, faults=(), notes=(), chunks=len(chunks), images=len(rows), views=views)
    if inputs and rows:
        hashed, changed, gone = check_inputs(folder, chunks=sound, rows=rows)
        others, said = check_encoder(info)
        found.faults += [*changed, *others]
        found.notes += [*gone, *said]
        verdict = replace(verdict, inputs=hashed)
    dropped = drop_damaged(folder, info, faults=found.faults) if repair else None
    return replace(verdict, faults=tuple(found.faults), notes=tuple(found.notes), dropped=dropped)


def _read_record(folder: Path, found: _Findings) -> Mapping[str, Any] | None:
    """Return the content of ``run.json`` where it is sound; nothing else can be checked without it."""
    try:
        info = read_json(folder / "run.json")
    except (OSError, ValueError) as error:
        text = f"run.json cannot be read ({error}), and nothing else can be checked without it: measure again"
        found.faults.append(Fault(kind="record broken", message=text))
        return None
    if isinstance(info.get("schema"), int) and info["schema"] > SCHEMA_VERSION:
        raise RunError(
            f"'{folder}' has schema {info['schema']}, and this version reads up to {SCHEMA_VERSION}; upgrade"
        )
    if not set(info) >= _KEYS:
        text = f"run.json lacks {', '.join(sorted(_KEYS - set(info)))}: it has changed since the run wrote it"
        found.faults.append(Fault(kind="record broken", message=text))
        return None
    found.faults += check_record(info)
    return None if found.faults else info


def _check_chunks(
    folder: Path, info: Mapping[str, Any], *, rows: Sequence[FrozenRow], found: _Findings
) -> dict[int, bool]:
    """Return every committed chunk, and whether it is sound; what is missing is reported."""
    listed = {chunk: list(some) for chunk, some in groupby(rows, key=lambda row: row.chunk)}
    committed = committed_chunks(folder)
    wanted, sound = read_expected(info), dict[int, bool]()
    for chunk in sorted(committed if listed else ()):
        faults = [*check_chunk(folder, chunk, rows=listed.get(chunk, []), wanted=wanted)]
        found.faults += faults
        sound[chunk] = not faults
    missing = [chunk for chunk in listed if chunk not in committed]
    if info["state"] == "finished":
        found.faults += [_report_missing(chunk, rows=listed[chunk]) for chunk in missing]
    left = sum(len(listed[chunk]) for chunk in missing)
    found.notes += describe_record(info, rows=rows, missing=left)
    begun = {path.stem for name in TABLES for path in (folder / name).glob("chunk-*.parquet")}
    waste = len(begun) - len(committed)
    if waste:
        left = count_noun(waste, "chunk")
        found.notes.append(f"files of {left} never committed; the next run removes them")
    return sound


def _report_missing(chunk: int, *, rows: Sequence[FrozenRow]) -> Fault:
    first, last = rows[0].record.row, rows[-1].record.row
    text = f"chunk {chunk} (rows {first} to {last}) is missing, although run.json marks the run as finished"
    return Fault(kind="chunk broken", message=text, chunk=chunk)
