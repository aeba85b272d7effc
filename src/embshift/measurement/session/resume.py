"""Starting a run folder, or going on in one: nothing is mixed that was not made alike."""

import os
from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from itertools import accumulate, chain, islice
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from embshift.core.errors import ResumeError, ShiftError, UsageError
from embshift.core.types import ImageRecord
from embshift.measurement.plan.files import difference, plan_from_content
from embshift.measurement.plan.plan import CHUNK, Plan
from embshift.measurement.session.provenance import versions
from embshift.runs.files import put_in_place, read_json
from embshift.runs.listing import FrozenRow, Listing, freeze, listed_rows, write_listing
from embshift.runs.listing_changes import ListingChange, Named, Records, compare_listing, new_records

__all__ = [
    "check_code",
    "check_encoder",
    "continued_plan",
    "other_versions",
    "recorded",
    "save_listing",
    "settled_listing",
    "settling",
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
    path: Path,
    records: Records,
    *,
    count: int,
    content: Mapping[int, ImageRecord],
    plan: Plan,
    update: bool,
) -> tuple[Listing, list[str]]:
    """The listing to work by, and what the user must be told about it.

    It is frozen when a run first starts. Later, new pictures are named and left out unless ``update`` appends
    them; changed and vanished ones are reported. What is new stands beside the file until
    `save_listing`, within `settling`.

    Args:
        path: The run's ``listing.parquet``.
        records: Lists the sources.
        count: How many pictures they hold.
        content: Those that stand only in memory, by index.
        plan: The plan.
        update: Whether new pictures are appended.

    Raises:
        ResumeError: If the sources share no picture with the frozen listing; or if it has been removed, and
            the sources do not give the rows of what is committed.
    """
    chosen = partial(freeze, chunk=CHUNK, sample=plan.metric_sample, seed=plan.seed)
    if not path.exists():
        count = count if plan.limit is None else min(count, plan.limit)
        first = _written(path, chosen(islice(records(), plan.limit), count=count), content)
        _check_committed(path.parent, first)
        return first, []
    frozen = Listing(path, content=content)
    change = compare_listing(frozen, records)
    if change.gone.count == len(frozen):
        raise ResumeError(f"none of the run's {len(frozen):,} pictures is among the sources; {_NEW_FOLDER}")
    if change.altered is not None:
        raise ResumeError(f"the picture from memory in row {change.altered} is not the run's; {_NEW_FOLDER}")
    if plan.limit is not None:
        change = replace(change, new=Named(count=0, first=()))  # what a limit left out is not news
    if not (update and change.new.count):
        return frozen, _notes(change, update=update)
    added = chosen(new_records(frozen, records), count=change.new.count, after=frozen)
    return _written(path, chain(frozen, added), content), _notes(change, update=update)


def _beside(path: Path) -> Path:
    return path.with_name(f".{path.name}.new.tmp")


def _written(path: Path, rows: Iterable[FrozenRow], content: Mapping[int, ImageRecord]) -> Listing:
    write_listing(_beside(path), rows)
    return Listing(_beside(path), content=content)


def save_listing(path: Path) -> None:
    """Give the listing that was settled its name, where it is new or has grown."""
    if _beside(path).exists():
        put_in_place(_beside(path), path)


@contextmanager
def settling(path: Path) -> Generator[None]:
    """Within it a listing may be settled: what an earlier one left, and what gets no name, is removed."""
    _beside(path).unlink(missing_ok=True)
    try:
        yield
    finally:
        _beside(path).unlink(missing_ok=True)


def _check_committed(folder: Path, rows: Listing) -> None:
    """Chunks whose listing is gone are of use only where listing the sources again gives their rows."""
    starts = dict(zip(rows.chunks, accumulate(rows.chunks.values(), initial=0), strict=False))
    for file in sorted((folder / "images").glob("chunk-[0-9]*.parquet")):
        chunk = int(file.stem.removeprefix("chunk-"))
        start = starts.get(chunk, len(rows))
        now = rows[start : start + rows.chunks.get(chunk, 0)]
        if listed_rows(pq.read_table(file)) != [(r.record.row, r.record.path, r.sampled) for r in now]:
            raise ResumeError(
                f"listing.parquet is gone, and the sources do not give the rows of {file.name} again;"
                f" {_NEW_FOLDER}"
            )


def _notes(change: ListingChange, *, update: bool) -> list[str]:
    new = "appended" if update else "left out (--update appends them)"
    notes = {
        f"{change.new.count:,} new pictures {new}": change.new,
        f"{change.changed.count:,} pictures have changed since the run was started": change.changed,
        f"{change.gone.count:,} pictures of the run are no longer there": change.gone,
    }
    return [f"{note}: {_some(named)}" for note, named in notes.items() if named.count]


def _some(named: Named) -> str:
    left = named.count - len(named.first)
    return ", ".join(named.first) + (f" and {left:,} more" if left else "")
