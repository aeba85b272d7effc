"""Starting a run folder, or going on in one: nothing is mixed that was not made alike."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from embshift.errors import ResumeError, ShiftError, UsageError
from embshift.plan import CHUNK, Plan
from embshift.plan_files import difference, plan_from_content
from embshift.provenance import versions
from embshift.sinks.files import read_json
from embshift.sinks.listing import (
    FrozenRow,
    ListingChange,
    compare_listing,
    freeze,
    listed_rows,
    read_listing,
    write_listing,
)
from embshift.types import ImageRecord

__all__ = [
    "check_code",
    "check_encoder",
    "continued_plan",
    "other_versions",
    "recorded",
    "save_listing",
    "settled_listing",
]

_NEW_FOLDER = "give another --out, or remove the folder to start again"


def recorded(folder: Path) -> dict[str, Any] | None:
    """What ``run.json`` says; None where the folder is new.

    Raises:
        UsageError: If the folder holds something that is no run.
        ResumeError: If ``run.json`` cannot be read.
    """
    path = folder / "run.json"
    if not path.exists():
        others = [name for name in os.listdir(folder) if not name.startswith(".")]
        if others:
            raise UsageError(
                f"{folder} is not empty and is no run folder (it holds {others[0]}); give another --out"
            )
        return None
    try:
        return read_json(path)
    except ValueError as error:
        raise ResumeError(f"{path} cannot be read: {error}; {_NEW_FOLDER}") from error


def continued_plan(asked: Plan, info: Mapping[str, Any] | None, *, update: bool = False) -> Plan:
    """The plan to work by: as asked, with what the run has recorded where nothing was asked.

    Raises:
        ResumeError: If the folder holds another plan's results or another version's; names every difference.
    """
    if info is None:
        return asked
    lines = other_versions(info.get("versions", {}))
    try:
        before = plan_from_content(info["plan"])
    except (KeyError, TypeError, ShiftError) as error:  # fields of another version, or no run's file
        listed = "\n  ".join([f"run.json holds a plan that this version does not know: {error}", *lines])
        raise ResumeError(f"the run folder cannot be continued:\n  {listed}\n{_NEW_FOLDER}") from error
    lines = difference(before, asked) + lines
    if lines:
        listed = "\n  ".join(lines)
        raise ResumeError(f"the run folder holds the results of another plan:\n  {listed}\n{_NEW_FOLDER}")
    return replace(
        asked,
        # What repeats the run is recorded: the listing is frozen, whatever is named now.
        sources=tuple(dict.fromkeys(before.sources + asked.sources)) if update else before.sources,
        preset=before.preset,
        batch=before.batch,
        threads=before.threads,
        device=_device(before, asked),
        precision=before.precision if asked.precision == "auto" else asked.precision,
    )


def _device(before: Plan, asked: Plan) -> str:
    return before.device if asked.device == "auto" else asked.device


def other_versions(before: Mapping[str, str]) -> list[str]:
    """What is installed in another version than the run was made with, one line each."""
    now = versions()
    return [
        f"{name}: {before.get(name, 'not recorded')} in the run, {now[name]} installed"
        for name in now
        if now[name] != before.get(name)
    ]


_ENCODER_FIELDS = ("digest", "config", "preprocessing", "embedding", "map_source", "dim", "precision")


def check_encoder(info: Mapping[str, Any] | None, encoder: Mapping[str, Any]) -> None:
    """Raise where the encoder is not what the run was started with: weights, config or preprocessing."""
    before = {} if info is None else info["encoder"]
    for name in _ENCODER_FIELDS:
        if name in before and before[name] != encoder[name]:
            raise ResumeError(
                f"the encoder is not that of the run: its {_ENCODER_WORDS.get(name, name)} was"
                f" {str(before[name])[:80]} and is {str(encoder[name])[:80]}; {_NEW_FOLDER}"
            )


_ENCODER_WORDS = {"digest": "weights' digest", "config": "config.json's digest"}


def check_code(info: Mapping[str, Any] | None, code: Mapping[str, str | None]) -> None:
    """Raise where a function of the user's has been changed since the run was started."""
    before = {} if info is None else info.get("code", {})
    changed = [name for name, digest in code.items() if name in before and before[name] != digest]
    if changed:
        raise ResumeError(f"the code of transform {', '.join(changed)} has been changed; {_NEW_FOLDER}")


def settled_listing(
    path: Path, records: Sequence[ImageRecord], *, plan: Plan, update: bool
) -> tuple[tuple[FrozenRow, ...], list[str]]:
    """The listing to work by, and what the user must be told about it.

    It is frozen when a run first starts. Later, new pictures are named and left out unless ``update`` appends
    them; changed and vanished ones are reported.

    Raises:
        ResumeError: If the sources share no picture with the frozen listing; or if it has been removed, and
            the sources do not give the rows of what is committed.
    """
    if not path.exists():
        first = freeze(records[: plan.limit], chunk=CHUNK, sample=plan.metric_sample, seed=plan.seed)
        _check_committed(path.parent, first)
        return first, []
    frozen = read_listing(path)
    change = compare_listing(frozen, records)
    if len(change.gone) == len(frozen):
        raise ResumeError(f"none of the run's {len(frozen):,} pictures is among the sources; {_NEW_FOLDER}")
    other = [row.record.row for row in change.changed if row.record.path is None]
    if other:
        raise ResumeError(f"the picture from memory in row {other[0]} is not the run's; {_NEW_FOLDER}")
    rows = _with_content(frozen, records)
    if plan.limit is not None:
        change = replace(change, new=())  # what a limit left out is not news
    if update and change.new:
        rows += freeze(change.new, chunk=CHUNK, sample=plan.metric_sample, seed=plan.seed, after=rows)
    return rows, _notes(change, update=update)


def _check_committed(folder: Path, rows: Sequence[FrozenRow]) -> None:
    """Chunks whose listing is gone are of use only where listing the sources again gives their rows."""
    for file in sorted((folder / "images").glob("chunk-[0-9]*.parquet")):
        chunk = int(file.stem.removeprefix("chunk-"))
        now = [(r.record.row, r.record.path, r.sampled) for r in rows if r.chunk == chunk]
        if listed_rows(pq.read_table(file)) != now:
            raise ResumeError(
                f"listing.parquet is gone, and the sources do not give the rows of {file.name} again;"
                f" {_NEW_FOLDER}"
            )


def _with_content(frozen: Sequence[FrozenRow], records: Sequence[ImageRecord]) -> tuple[FrozenRow, ...]:
    """Pictures handed over in memory are not in the file; they are handed over again."""
    held = {record.index: record for record in records if record.path is None}
    return tuple(
        row if row.record.path is not None else replace(row, record=held.get(row.record.index, row.record))
        for row in frozen
    )


def _notes(change: ListingChange, *, update: bool) -> list[str]:
    named = [record.member for record in change.new]
    new = "appended" if update else "left out (--update appends them)"
    notes = {
        f"{len(named):,} new pictures {new}": named,
        f"{len(change.changed):,} pictures have changed since the run was started": _members(change.changed),
        f"{len(change.gone):,} pictures of the run are no longer there": _members(change.gone),
    }
    return [f"{note}: {_some(members)}" for note, members in notes.items() if members]


def _members(rows: Sequence[FrozenRow]) -> list[str]:
    return [row.record.member for row in rows]


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - 3:,} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more


def save_listing(path: Path, rows: Sequence[FrozenRow]) -> None:
    """Write the listing if it is new or has grown."""
    if not path.exists() or len(read_listing(path)) != len(rows):
        write_listing(path, rows)
