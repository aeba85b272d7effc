"""The check of a run folder, from its record to what it was made from."""

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from itertools import groupby
from pathlib import Path
from typing import Any

from embshift.core.errors import RunError
from embshift.measurement.verify.chunks import check_chunk, committed_chunks, expected
from embshift.measurement.verify.inputs import check_encoder, check_inputs
from embshift.measurement.verify.record import (
    check_counts,
    check_listing,
    check_plan,
    check_record,
    notes_on_record,
)
from embshift.measurement.verify.repair import drop_broken
from embshift.measurement.verify.verdict import Fault, Verdict
from embshift.measurement.verify.views import check_views
from embshift.runs.files import read_json
from embshift.runs.listing import FrozenRow
from embshift.runs.lock import locked
from embshift.runs.schema import SCHEMA_VERSION, TABLES
from embshift.runs.tables import open_tables

__all__ = ["verify_run"]

_KEYS = {"schema", "state", "plan", "encoder", "metrics", "counts", "fingerprint", "code", "versions"}


def verify_run(folder: str | Path, *, repair: bool = False, inputs: bool = True) -> Verdict:
    """Hold a run folder against itself, against its inputs and against its encoder.

    Every file's seal (SHA-256 of its bytes), fingerprint, columns and rows; listing, counts and completeness;
    the pictures of views; and, of what is still there, the pictures and the encoder that it was made from.

    Args:
        folder: A run folder.
        repair: Whether what is broken and can be made again is removed, so that the next ``embshift run``
            makes it again. Results are never changed otherwise.
        inputs: Whether the pictures are hashed again, and the encoder is opened.

    Returns:
        What was found; print it for people.

    Raises:
        RunError: If it is no run folder, or was written by a later version.
        ResumeError: If it is to be repaired and another process is writing it.

    Example:
        >>> verify_run("run").sound  # doctest: +SKIP
        True
    """
    path = Path(folder)
    if not (path / "run.json").exists():
        open_tables(path)  # which says what is wanted
    with locked(path) if repair else nullcontext():
        return _verify(path, repair=repair, inputs=inputs)


@dataclass(slots=True, kw_only=True)
class _Findings:
    """What the checks have found so far."""

    faults: list[Fault] = field(default_factory=list[Fault])
    notes: list[str] = field(default_factory=list[str])


def _verify(folder: Path, *, repair: bool, inputs: bool) -> Verdict:
    found = _Findings()
    info = _record(folder, found)
    if info is None:
        return Verdict(folder=folder, faults=tuple(found.faults), notes=())
    rows, listing_faults = check_listing(folder)
    found.faults += [*check_plan(folder, info), *listing_faults]
    chunks = _chunks(folder, info, rows=rows, found=found)
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
    dropped = drop_broken(folder, info, faults=found.faults) if repair else None
    return replace(verdict, faults=tuple(found.faults), notes=tuple(found.notes), dropped=dropped)


def _record(folder: Path, found: _Findings) -> Mapping[str, Any] | None:
    """``run.json`` where it is sound; nothing else in the folder can be told without it."""
    try:
        info = read_json(folder / "run.json")
    except (OSError, ValueError) as error:
        text = f"run.json cannot be read ({error}), and without it nothing here can be told: measure again"
        found.faults.append(Fault(kind="record broken", message=text))
        return None
    if isinstance(info.get("schema"), int) and info["schema"] > SCHEMA_VERSION:
        raise RunError(f"{folder} has schema {info['schema']}, and {SCHEMA_VERSION} is the newest; upgrade")
    if not set(info) >= _KEYS:
        text = f"run.json lacks {', '.join(sorted(_KEYS - set(info)))}: it is not as the run wrote it"
        found.faults.append(Fault(kind="record broken", message=text))
        return None
    found.faults += check_record(info)
    return None if found.faults else info


def _chunks(
    folder: Path, info: Mapping[str, Any], *, rows: Sequence[FrozenRow], found: _Findings
) -> dict[int, bool]:
    """Every committed chunk, and whether it is sound; what is missing is told."""
    listed = {chunk: list(some) for chunk, some in groupby(rows, key=lambda row: row.chunk)}
    committed = committed_chunks(folder)
    wanted, sound = expected(info), dict[int, bool]()
    for chunk in sorted(committed if listed else ()):
        faults = [*check_chunk(folder, chunk, rows=listed.get(chunk, []), wanted=wanted)]
        found.faults += faults
        sound[chunk] = not faults
    missing = [chunk for chunk in listed if chunk not in committed]
    if info["state"] == "finished":
        found.faults += [_missing(chunk, rows=listed[chunk]) for chunk in missing]
    left = sum(len(listed[chunk]) for chunk in missing)
    found.notes += notes_on_record(info, rows=rows, missing=left)
    begun = {path.stem for name in TABLES for path in (folder / name).glob("chunk-*.parquet")}
    waste = len(begun) - len(committed)
    if waste:
        found.notes.append(f"files of {waste} chunks that were never committed; the next run removes them")
    return sound


def _missing(chunk: int, *, rows: Sequence[FrozenRow]) -> Fault:
    first, last = rows[0].record.row, rows[-1].record.row
    text = f"chunk {chunk} (rows {first} to {last}) is not there, and run.json says that the run is finished"
    return Fault(kind="chunk broken", message=text, chunk=chunk)
