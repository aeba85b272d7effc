"""Frozen listing: settled when a run starts, compared with the sources when it is continued."""

from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from itertools import accumulate, chain, islice
from pathlib import Path

import pyarrow as pa

from embshift.core.errors import ResumeError, RunError
from embshift.core.types import FrozenRow, ImageRecord
from embshift.core.words import count_noun
from embshift.measurement.plan.plan import Plan
from embshift.measurement.session.resume import NEW_FOLDER
from embshift.runs.arrow import describe_damage, read_columns
from embshift.runs.files import rename_into_place
from embshift.runs.listing import LISTED, Listing, describe_row, freeze_listing, list_rows, write_listing
from embshift.runs.listing_changes import ListingChange, NamedImages, Records, compare_listing, new_records
from embshift.runs.places import file_in, list_chunks, read_chunk_number, remove_in
from embshift.runs.schema import TABLES
from embshift.runs.seal import BROKEN, check_seal

__all__ = ["hold_draft", "open_listing", "save_listing", "settle_listing"]


def settle_listing(
    path: Path,
    records: Records,
    *,
    count: int,
    content: Mapping[int, ImageRecord],
    plan: Plan,
    update: bool,
) -> tuple[Listing, list[str]]:
    """Return the listing to work by, and what the user must be told about it.

    The listing is frozen when a run first starts. Later, new images are named and left out unless ``update``
    appends them; changed and missing ones are reported. A new listing is a draft beside the file until
    `save_listing`, within `hold_draft`.

    Args:
        path: The run's ``listing.parquet``.
        records: Lists the sources.
        count: How many images they hold.
        content: Those that exist only in memory, by index.
        plan: The plan.
        update: Whether new images are appended.

    Raises:
        ResumeError: If the sources share no image with the frozen listing; or if the listing was removed, and
            the sources do not give the rows of the committed chunks.
        RunError: If the listing is damaged, or a link or something else has its name.
    """
    chosen = partial(freeze_listing, chunk=plan.chunk, sample=plan.metric_sample, seed=plan.seed)
    if not file_in(path.parent, path.name).exists():
        count = count if plan.limit is None else min(count, plan.limit)
        first = _write_draft(path, chosen(islice(records(), plan.limit), count=count), content)
        _check_committed(path.parent, first)
        return first, []
    frozen = open_listing(path, content)
    change = compare_listing(frozen, records)
    if change.gone.count == len(frozen):
        raise ResumeError(f"the sources hold none of the run's {len(frozen):,} images; {NEW_FOLDER}")
    if change.altered is not None:
        raise ResumeError(f"the image from memory in row {change.altered} is not the run's; {NEW_FOLDER}")
    if plan.limit is not None:
        change = replace(change, new=NamedImages(count=0, first=()))  # what a limit left out is not news
    if not (update and change.new.count):
        return frozen, _describe_change(change, update=update)
    added = chosen(new_records(frozen, records), count=change.new.count, after=frozen)
    return _write_draft(path, chain(frozen, added), content), _describe_change(change, update=update)


def open_listing(path: Path, content: Mapping[int, ImageRecord] | None = None) -> Listing:
    """Open a frozen listing.

    Args:
        path: The run's ``listing.parquet``.
        content: Images that exist only in memory, by index.

    Raises:
        RunError: If it is missing or damaged, or a link or something else has its name.
    """
    file_in(path.parent, path.name)
    try:
        if check_seal(path) == BROKEN:
            raise RunError(describe_damage(path, "its bytes do not match its seal", run=path.parent))
        return Listing(path, content=content)
    except (OSError, ValueError, pa.ArrowException) as error:
        raise RunError(describe_damage(path, error, run=path.parent)) from error


def _draft_path(path: Path) -> Path:
    return path.with_name(f".{path.name}.new.tmp")


def _write_draft(path: Path, rows: Iterable[FrozenRow], content: Mapping[int, ImageRecord]) -> Listing:
    write_listing(_draft_path(path), rows)
    return Listing(_draft_path(path), content=content)


def save_listing(path: Path) -> None:
    """Rename the draft of a listing into place, where there is one."""
    if _draft_path(path).exists():
        rename_into_place(_draft_path(path), path)


@contextmanager
def hold_draft(path: Path) -> Generator[None]:
    """Let a listing be settled inside; the draft of an earlier session, or one not saved, is removed."""
    remove_in(path.parent, _draft_path(path).name)
    try:
        yield
    finally:
        remove_in(path.parent, _draft_path(path).name)


def _check_committed(folder: Path, rows: Listing) -> None:
    """Check that listing the sources again gives the rows of the committed chunks, whose listing is gone."""
    starts = dict(zip(rows.chunks, accumulate(rows.chunks.values(), initial=0), strict=False))
    for file in list_chunks(folder, "images"):
        images = read_columns(file_in(folder, "images", file.name), LISTED, later=TABLES["images"].later)
        chunk = read_chunk_number(file)
        start = starts.get(chunk, len(rows))
        now = rows[start : start + rows.chunks.get(chunk, 0)]
        if list_rows(images) != [describe_row(row) for row in now]:
            raise ResumeError(
                f"listing.parquet is missing, and the sources do not give the rows of {file.name} again;"
                f" {NEW_FOLDER}"
            )


def _describe_change(change: ListingChange, *, update: bool) -> list[str]:
    new = "appended" if update else "left out (--update appends them)"
    notes = {
        f"{count_noun(change.new.count, 'new image')} {new}": change.new,
        f"{count_noun(change.changed.count, 'image')} changed since the run was started": change.changed,
        f"{count_noun(change.gone.count, 'image')} of the run missing": change.gone,
    }
    return [f"{note}: {_name_some(named)}" for note, named in notes.items() if named.count]


def _name_some(named: NamedImages) -> str:
    left = named.count - len(named.first)
    return ", ".join(named.first) + (f" and {left:,} more" if left else "")
