"""Reading ahead: many small objects are fetched at once, and the members of an archive by few ranges."""

import queue
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from contextvars import copy_context
from functools import partial
from itertools import chain
from typing import TypeAlias, final

from embshift.core.errors import ImageError
from embshift.core.remote import is_remote_address, read_address
from embshift.core.types import FrozenRow, ImageRecord
from embshift.images.contents import BLOCK, Facts, has_tag, is_tagged, read_content

__all__ = ["HELD", "ReadAhead", "flatten_groups", "group_rows", "is_remote"]

HELD = 64 * 2**20
"""Bytes that are held at most, of all that was read and not taken yet."""

_THREADS = 8
_UNKNOWN = (
    4 * 2**20
)  # bytes that an object whose size is not known may have; a larger one is read in its turn
_RANGE, _GAP = 8 * 2**20, 2**17  # bytes of one range for several images, and between two of them

_Fetched: TypeAlias = "Future[bytes | None]"


def is_remote(record: ImageRecord, /) -> bool:
    """Return whether an image is on another machine, and read by itself: no cell of a table."""
    return record.path is not None and not record.column and is_remote_address(record.path)


def group_rows(rows: Iterable[FrozenRow], /, *, most: int) -> Iterator[list[FrozenRow]]:
    """Yield rows in groups to be read together: up to some that follow each other and are remote, else one.

    Args:
        rows: Rows of the listing.
        most: Rows of a group at most.
    """
    group = list[FrozenRow]()
    for row in rows:
        if is_remote(row.record):
            group.append(row)
        if group and (len(group) == most or not is_remote(row.record)):
            yield group
            group = []
        if not is_remote(row.record):
            yield [row]
    if group:
        yield group


@final
class ReadAhead:
    """Reads images ahead in threads; what is not read ahead is read when it is asked for.

    Args:
        most: Bytes that an image may have.
    """

    def __init__(self, *, most: int) -> None:
        self._most, self._held = most, 0
        self._found = dict[int, tuple[_Fetched, int]]()  # by row; and bytes that are counted as held
        self._asked: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._threads = list[threading.Thread]()
        self._lock = threading.Lock()

    def open(self) -> None:
        """Start the threads, unless they run."""
        while len(self._threads) < _THREADS:
            # A thread starts without access: it gets that of whoever reads.
            run = partial(copy_context().run, _serve, self._asked)
            # A daemon, so that the end of the program waits for no server.
            self._threads.append(threading.Thread(target=run, daemon=True, name="embshift-ahead"))
            self._threads[-1].start()

    def close(self) -> None:
        """Let the threads end, without waiting for them."""
        for _ in self._threads:
            self._asked.put(None)
        self._threads.clear()
        self._found.clear()

    def start(self, records: Iterable[ImageRecord], /) -> None:
        """Begin to read images, as far as memory allows; local ones, and those begun, are left alone."""
        wanted = [record for record in records if is_remote(record) and record.row not in self._found]
        for part in _join_neighbours(wanted):
            size = _measure(part)
            with self._lock:
                if self._held + size > HELD:
                    return
                self._held += size
            self.open()
            fetched: list[_Fetched] = [Future() for _ in part]
            with self._lock:
                shares = [size // len(part)] * len(part)
                for record, future, share in zip(part, fetched, shares, strict=True):
                    self._found[record.row] = (future, share)
                self._held += sum(shares) - size
            self._asked.put(partial(_fetch, part, fetched, most=self._most))

    def prepare(self, record: ImageRecord, /) -> None:
        """Wait until an image is read, whatever the outcome; read it here if nobody has begun to."""
        if not is_remote(record):
            return
        with self._lock:
            held = self._found.get(record.row)
        if held is not None and _has_content(held[0]):
            return
        future: _Fetched = Future()
        _settle(future, lambda: read_content(record, most=self._most))
        self._take(record.row)
        with self._lock:
            self._found[record.row] = (future, 0)

    def read(self, record: ImageRecord, /, *, most: int, facts: Facts | None = None) -> bytes:
        """Return the bytes of an image as `read_content` does, from what was read ahead where there is any.

        Raises:
            ImageError: As `read_content`.
        """
        future = self._take(record.row) if is_remote(record) else None
        data = None if future is None else future.result()
        if data is None:
            return read_content(record, most=most, facts=facts)
        if facts is not None:
            facts |= {"bytes": len(data)}
        return data

    def _take(self, row: int) -> "_Fetched | None":
        with self._lock:
            future, size = self._found.pop(row, (None, 0))
            self._held -= size
        return future


def _has_content(future: _Fetched) -> bool:
    return future.exception() is not None or future.result() is not None


def _serve(asked: "queue.SimpleQueue[Callable[[], None] | None]") -> None:
    while (job := asked.get()) is not None:
        job()


def _settle(future: _Fetched, read: Callable[[], bytes | None]) -> None:
    try:
        future.set_result(read())
    except BaseException as error:  # noqa: BLE001 - raised again where the image is wanted
        future.set_exception(error)


def _join_neighbours(records: Sequence[ImageRecord]) -> Iterator[list[ImageRecord]]:
    """Yield records in parts to be read by one request: neighbours in one file, and all others alone."""
    part = list[ImageRecord]()
    for record in records:
        if part and not _is_neighbour(part, record):
            yield part
            part = []
        part.append(record)
    if part:
        yield part


def _is_neighbour(part: Sequence[ImageRecord], record: ImageRecord) -> bool:
    first, last = part[0], part[-1]
    named = record.etag == last.etag or (is_tagged(record) and is_tagged(last))
    within = record.is_part and last.is_part and record.path == last.path and named
    gap = record.offset - last.offset - last.length
    return within and 0 <= gap <= _GAP and record.offset + record.length - first.offset <= _RANGE


def _measure(part: Sequence[ImageRecord]) -> int:
    """Return the bytes that are held for a part."""
    if len(part) == 1 and part[0].length < 0:
        return _UNKNOWN
    return part[-1].offset + part[-1].length - part[0].offset


def _fetch(part: Sequence[ImageRecord], fetched: Sequence[_Fetched], *, most: int) -> None:
    if len(part) == 1:
        _settle(fetched[0], partial(_read_alone, part[0], most=most))
        return
    try:
        slices = _read_together(part)
    except BaseException:  # noqa: BLE001 - each is read by itself in its turn, and says what is wrong
        slices = [None] * len(part)
    for future, data in zip(fetched, slices, strict=True):
        future.set_result(data)


def _read_alone(record: ImageRecord, *, most: int) -> bytes | None:
    known = record.length >= 0
    try:
        return read_content(record, most=most if known else min(most, _UNKNOWN))
    except ImageError as error:
        if error.status == "too_large" and not known:
            return None
        raise


def _read_together(part: Sequence[ImageRecord]) -> list[bytes | None]:
    first, tagged = part[0], is_tagged(part[0])
    start, length = first.offset - BLOCK * tagged, _measure(part) + BLOCK * tagged
    etag = "" if tagged else first.etag
    data = read_address(str(first.path), offset=start, length=length, etag=etag, most=length)
    return [_cut(data, one, start=start) for one in part]


def _cut(data: bytes, record: ImageRecord, *, start: int) -> bytes | None:
    """Return a member; None, which has it read alone, where the archive no longer is the listed one."""
    at = record.offset - start
    if is_tagged(record) and not has_tag(data[at - BLOCK : at], record):
        return None
    return data[at : at + record.length]


def flatten_groups(
    groups: Iterable[Sequence[FrozenRow]], /
) -> Iterator[tuple[FrozenRow, Sequence[ImageRecord] | None]]:
    """Yield the rows of groups, the first of each with the records of its group, the others with None."""
    for group in groups:
        yield from chain([(group[0], [row.record for row in group])], ((row, None) for row in group[1:]))
