"""Changes at the sources since a run's listing was frozen."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, pairwise, zip_longest
from typing import TypeAlias

from embshift.core.types import FrozenRow, ImageRecord
from embshift.core.words import show_name
from embshift.runs.listing import stat_record

__all__ = ["ListingChange", "NamedImages", "Records", "compare_listing", "new_records"]


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedImages:
    """A number of images, the first of them named.

    Attributes:
        count: How many images.
        first: The members of the first images.
    """

    count: int
    first: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ListingChange:
    """How the sources now differ from the frozen listing.

    Attributes:
        new: Images that were not listed then.
        gone: Images that are no longer there.
        changed: Images whose file has another size or modification time, or whose etag is another.
        altered: Row of the first image from memory that is now another image; None if there is none.
    """

    new: NamedImages
    gone: NamedImages
    changed: NamedImages
    altered: int | None


Records: TypeAlias = Callable[[], Iterable[ImageRecord]]
"""Lists the sources from the beginning on every call."""

_NAMED = 3


def compare_listing(frozen: Iterable[FrozenRow], records: Records) -> ListingChange:
    """Compare the frozen listing with the sources as they are now; no file content is read."""
    counts, names, altered = Counter[str](), defaultdict[str, list[str]](list), None
    for row, record in _side_by_side(frozen, records):
        if row is not None and record is not None:
            kind = "" if _is_same(row, record) else "changed"
            if kind and record.path is None and altered is None:
                altered = row.record.row
        else:
            kind = "new" if row is None else "gone"
        one = record if row is None else row.record
        counts[kind] += 1
        if one is not None and counts[kind] <= _NAMED:
            names[kind].append(show_name(one.member))
    new, gone, changed = (
        NamedImages(count=counts[kind], first=tuple(names[kind])) for kind in ("new", "gone", "changed")
    )
    return ListingChange(new=new, gone=gone, changed=changed, altered=altered)


def _is_same(row: FrozenRow, record: ImageRecord) -> bool:
    return (*stat_record(record), record.etag) == (row.size, row.mtime_ns, row.record.etag)


def new_records(frozen: Iterable[FrozenRow], records: Records) -> Iterator[ImageRecord]:
    """Return the records that are at the sources now and were not frozen."""
    for row, record in _side_by_side(frozen, records):
        if row is None and record is not None:
            yield record


Pair: TypeAlias = tuple[FrozenRow | None, ImageRecord | None]


def _side_by_side(frozen: Iterable[FrozenRow], records: Records) -> Iterator[Pair]:
    """Pair each frozen row with its current record; None stands for a missing side.

    Where the records begin with the frozen ones, as of a list that has grown, or where both are sorted, as
    for one folder, they are paired row by row. Otherwise the records are held in memory.
    """
    found = records()
    if isinstance(found, tuple):
        return _looked_up(frozen, found)
    if _begin_with(frozen, records()):
        return zip_longest(frozen, records())
    if _is_sorted(row.record for row in frozen) and _is_sorted(records()):
        return _merged(frozen, records())
    return _looked_up(frozen, records())


def _begin_with(frozen: Iterable[FrozenRow], records: Iterable[ImageRecord]) -> bool:
    found = iter(records)
    for row in frozen:
        record = next(found, None)
        if record is None or record.identity != row.record.identity:
            return False
    return True


def _is_sorted(records: Iterable[ImageRecord]) -> bool:
    return all(one < other for one, other in pairwise(record.identity for record in records))


def _merged(frozen: Iterable[FrozenRow], records: Iterable[ImageRecord]) -> Iterator[Pair]:
    left, right = iter(frozen), iter(records)
    row, record = next(left, None), next(right, None)
    while row is not None and record is not None:
        before, now = row.record.identity, record.identity
        yield (row if before <= now else None, record if now <= before else None)
        row = next(left, None) if before <= now else row
        record = next(right, None) if now <= before else record
    yield from ((each, None) for each in chain([row] if row else [], left))
    yield from ((None, each) for each in chain([record] if record else [], right))


def _looked_up(frozen: Iterable[FrozenRow], records: Iterable[ImageRecord]) -> Iterator[Pair]:
    now = {record.identity: record for record in records}
    for row in frozen:
        yield row, now.pop(row.record.identity, None)
    yield from ((None, record) for record in now.values())
