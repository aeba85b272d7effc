"""Check of a run folder, from its record to its inputs and its encoder."""

import os
import stat
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from itertools import groupby
from pathlib import Path
from typing import Any

from embshift.core.errors import RunError
from embshift.core.types import FrozenRow
from embshift.core.words import count_noun
from embshift.measurement.session.trust import Trust
from embshift.measurement.verify.chunks import check_chunk, committed_chunks, read_expected
from embshift.measurement.verify.explained import check_explained
from embshift.measurement.verify.inputs import check_encoder, check_inputs
from embshift.measurement.verify.record import (
    LISTING,
    PLAN,
    check_counts,
    check_listing,
    check_match,
    check_metrics,
    check_plan,
    check_record,
    check_record_bytes,
    describe_record,
)
from embshift.measurement.verify.repair import drop_damaged
from embshift.measurement.verify.verdict import Fault, Verdict
from embshift.measurement.verify.views import check_views
from embshift.runs.addresses import run_path
from embshift.runs.lock import lock_folder
from embshift.runs.places import fetch_everything, file_in, find_misplaced, list_chunks
from embshift.runs.record import MATCH, RECORD, read_record_file
from embshift.runs.schema import SCHEMA_VERSION, TABLES
from embshift.runs.tables import open_tables

__all__ = ["verify_run"]


def verify_run(
    folder: str | Path,
    *,
    repair: bool = False,
    inputs: bool = True,
    allow_code: bool = False,
    allow_remote: bool = False,
    allow_private: bool = False,
) -> Verdict:
    """Check a run folder, its inputs and its encoder.

    Checked are every file's seal (SHA-256 of its bytes), fingerprint, columns and rows; listing, counts and
    completeness; the kept views; and, where they still exist, the input images and the encoder.

    Args:
        folder: A run folder, or its address in a store, all of which is then fetched.
        repair: Whether what is damaged and can be made again is removed, so that the next ``embshift run``
            makes it again. Results are never changed otherwise.
        inputs: Whether the input images are hashed again, and the encoder is opened.
        allow_code: Whether an encoder that the record names by its Python address is opened, too.
        allow_remote: Whether an encoder that is a service is asked, and images are read from other machines.
        allow_private: Whether images are also read from web addresses in private networks and on this one.

    Returns:
        The findings; ``print`` shows them.

    Raises:
        RunError: If it is not a run folder, or was written by a later version.
        ResumeError: If it is to be repaired and another process is writing it.

    Example:
        >>> verify_run("run").sound  # doctest: +SKIP
        True
    """
    path = run_path(folder, fresh=True)
    if not os.path.exists(file_in(path, RECORD)):
        open_tables(path)  # which says what was expected
    trust = Trust(code=allow_code, remote=allow_remote, private=allow_private) if inputs else None
    with lock_folder(path) if repair else nullcontext():
        fetch_everything(path)
        verdict = _check(path, trust=trust)
        return _repair(verdict) if repair else verdict


@dataclass(slots=True, kw_only=True)
class _Findings:
    """What the checks have found so far."""

    verdict: Verdict
    faults: list[Fault] = field(default_factory=list[Fault])
    notes: list[str] = field(default_factory=list[str])

    def close(self) -> Verdict:
        return replace(self.verdict, faults=tuple(self.faults), notes=tuple(self.notes))


def _repair(verdict: Verdict) -> Verdict:
    """Drop what is damaged, and check again, until nothing is left that can be dropped."""
    faults, latest, dropped = list(verdict.faults), verdict, None
    if any(fault.final for fault in faults):
        return verdict
    while any(fault.repairable for fault in latest.faults):
        dropped = (dropped or 0) + drop_damaged(verdict.folder, faults=latest.faults)
        before, latest = latest, _check(verdict.folder, trust=None)
        if set(latest.faults) >= {fault for fault in before.faults if fault.repairable}:
            break  # whatever is dropped comes back
        faults += [fault for fault in latest.faults if fault not in faults]
    return replace(verdict, faults=tuple(faults), dropped=dropped)


def _check(folder: Path, *, trust: Trust | None) -> Verdict:
    """Check a run folder; its inputs and its encoder, too, where it is said what is trusted."""
    found = _Findings(verdict=Verdict(folder=folder, faults=(), notes=()))
    found.faults += [_report_taken(*each) for each in find_misplaced(folder)]
    if found.faults:  # nothing is read where something else stands in a file's place
        found.notes.append("nothing else was checked; check again without these")
        return found.close()
    info = _read_record(folder, found)
    if info is not None:
        _check_files(folder, info, found=found, trust=trust)
    return found.close()


def _report_taken(path: Path, message: str) -> Fault:
    mode = path.lstat().st_mode
    # What is linked at the top is likely to be a table on another disk: it is not given up unasked.
    kept = stat.S_ISDIR(mode) or (stat.S_ISLNK(mode) and path.is_dir() and path.name in (*TABLES, "views"))
    needed = path.name in (RECORD, MATCH)
    return Fault(kind="place taken", message=message, files=() if kept or needed else (path,))


def _check_files(folder: Path, info: Mapping[str, Any], *, found: _Findings, trust: Trust | None) -> None:
    seal_faults, sealed = check_record_bytes(folder)
    rows, listing_faults = check_listing(folder, info)
    unfinished = info["state"] != "finished"
    for path, faults in ((PLAN, check_plan(folder, info)), (LISTING, listing_faults)):
        if unfinished and not (folder / path).exists():
            found.notes.append(f"{path} is missing; the next run writes it")
        else:
            found.faults += faults
    found.faults += check_match(folder, info)
    found.faults += check_explained(folder, info)
    chunks = _check_chunks(folder, info, rows=rows, found=found)
    _check_views(folder, info, rows=rows, chunks=chunks, found=found)
    if info["state"] == "finished" and not found.faults:
        found.faults += check_counts(folder, info)
    found.faults += [] if any(fault.recount for fault in found.faults) else seal_faults
    found.verdict = replace(found.verdict, chunks=len(chunks), images=len(rows), sealed=sealed)
    if trust is not None and rows:
        sound = [chunk for chunk, whole in chunks.items() if whole]
        hashed, changed, gone = check_inputs(folder, chunks=sound, rows=rows, trust=trust)
        others, said = check_encoder(info, trust)
        found.faults += [*changed, *others]
        found.notes += [*gone, *said]
        found.verdict = replace(found.verdict, inputs=hashed)


def _read_record(folder: Path, found: _Findings) -> Mapping[str, Any] | None:
    """Return the content of ``run.json`` where it is sound; nothing else can be checked without it."""
    try:
        info = read_record_file(folder)
    except (OSError, ValueError) as error:
        text = f"run.json cannot be read ({error}), and nothing else can be checked without it: measure again"
        found.faults.append(Fault(kind="record broken", message=text, final=True))
        return None
    if isinstance(info.get("schema"), int) and info["schema"] > SCHEMA_VERSION:
        raise RunError(
            f"'{folder}' has schema {info['schema']}, and this version reads up to {SCHEMA_VERSION}; upgrade"
        )
    found.faults += check_record(info)
    found.faults += check_metrics(info) if not found.faults else ()
    return None if found.faults else info


def _check_chunks(
    folder: Path, info: Mapping[str, Any], *, rows: Sequence[FrozenRow], found: _Findings
) -> dict[int, bool]:
    """Return every committed chunk, and whether it is sound; what is missing is reported."""
    listed = {chunk: list(some) for chunk, some in groupby(rows, key=lambda row: row.chunk)}
    committed = committed_chunks(folder)
    wanted, sound = read_expected(info), dict[int, bool]()
    for chunk in sorted(committed):
        own = listed.get(chunk, []) if listed else None
        faults = [*check_chunk(folder, chunk, rows=own, wanted=wanted)]
        found.faults += faults
        sound[chunk] = not faults
    missing = [chunk for chunk in listed if chunk not in committed]
    if info["state"] == "finished":
        found.faults += [_report_missing(chunk, rows=listed[chunk]) for chunk in missing]
    left = sum(len(listed[chunk]) for chunk in missing)
    found.notes += describe_record(info, rows=rows, missing=left)
    begun = {path.stem for name in TABLES for path in list_chunks(folder, name)}
    waste = len(begun) - len(committed)
    if waste:
        left = count_noun(waste, "chunk")
        found.notes.append(f"files of {left} never committed; the next run removes them")
    return sound


def _check_views(
    folder: Path,
    info: Mapping[str, Any],
    *,
    rows: Sequence[FrozenRow],
    chunks: Mapping[int, bool],
    found: _Findings,
) -> None:
    """Check the kept views. Those that cannot be told are dropped with the broken chunks, if these are."""
    complete = {row.chunk for row in rows} == set(chunks)
    views = check_views(folder, chunks=chunks, complete=complete, always=info["plan"].get("keep_views", 0))
    broken = next((at for at, fault in enumerate(found.faults) if fault.chunk is not None), None)
    if broken is not None:
        fault = found.faults[broken]
        found.faults[broken] = replace(fault, files=(*fault.files, *views.unknown))
    found.faults += views.faults
    found.verdict = replace(found.verdict, views=views.count)


def _report_missing(chunk: int, *, rows: Sequence[FrozenRow]) -> Fault:
    first, last = rows[0].record.row, rows[-1].record.row
    text = f"chunk {chunk} (rows {first} to {last}) is missing, although run.json marks the run as finished"
    return Fault(kind="chunk broken", message=text, chunk=chunk)
