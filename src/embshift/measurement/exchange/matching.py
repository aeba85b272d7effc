"""Matching of embeddings to views by their keys: every row is one view's, and none is taken twice."""

import hashlib
import os
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias, final

import numpy as np
import pyarrow as pa
from jaxtyping import Bool, Float32, Int64

from embshift.core.errors import UsageError
from embshift.measurement.exchange.reading import WrittenTables
from embshift.measurement.exchange.vectors import Part, open_matrix, read_parts
from embshift.runs.files import make_storage_error

__all__ = ["Vectors", "match_vectors"]

Codes: TypeAlias = Any
"""Digests of keys, 16 bytes each."""

_BY_VIEW = ("image_id", "transform", "draw")
_WAYS: tuple[tuple[str, ...], ...] = (_BY_VIEW, ("file",), ("pixels_digest",))
"""Columns that name a view, the first that a file of embeddings has."""

_STATED = ("severity", "strength", "pixels_digest")


@final
class Vectors:
    """Embeddings of views in the order of the keys, held on the disk.

    Args:
        numbers: One row for each view.
        given: Which views have an embedding; None for all.
        held: A file to be closed with them.
    """

    def __init__(self, numbers: Any, given: Any = None, *, held: Any = None) -> None:
        self._numbers, self._given, self._held = numbers, given, held
        self.dim = int(numbers.shape[1])

    def read(
        self, first: int, count: int
    ) -> tuple[Float32[np.ndarray, "views dim"], Bool[np.ndarray, " views"]]:
        """Return the embeddings of some views, NaN where there is none, and which have one."""
        with np.errstate(over="ignore"):
            found = np.array(self._numbers[first : first + count], np.float32)
        given = np.ones(len(found), bool) if self._given is None else self._given[first : first + count]
        found[~given] = np.nan
        return found, given

    def close(self) -> None:
        """Remove what was held on the disk."""
        if self._held is not None:
            self._held.close()


def match_vectors(path: Path, tables: WrittenTables, /) -> Vectors:
    """Read the embeddings of views from a file, in the order of the keys.

    Args:
        path: The file: ``.npy``, ``.parquet`` or ``.csv``.
        tables: The views.

    Raises:
        UsageError: If a row names no view, or one that another row names, or contradicts the keys.
        StorageError: If the disk for temporary files is full.
    """
    if path.suffix.lower() == ".npy":
        return Vectors(open_matrix(path, views=tables.about.views))
    parts = read_parts(path)
    first = next(parts, None)
    if first is None or not len(first.given):
        raise UsageError(f"'{path}' holds no embedding")
    known = {*tables.keys.schema_arrow.names}  # in Parquet no view has a file
    names = next((way for way in _WAYS if {*way} <= {*first.keys.column_names} & known), ())
    if not names:
        held = ", ".join(first.keys.column_names)
        raise UsageError(
            f"'{path}' has {f'only {held}' if held else 'none'} of the key columns; expected image_id,"
            f" transform and draw, or {'file, or ' * ('file' in known)}pixels_digest"
        )
    index = _Index(tables, names, stated=[name for name in _STATED if name in first.keys.column_names])
    ordered = _Ordered(path, index, views=tables.about.views)
    try:
        for part in _chain(first, parts):
            ordered.take(part)
        return ordered.finish()
    except OSError as error:
        ordered.close()
        raise make_storage_error(Path(tempfile.gettempdir()), error, written=0) from error
    except BaseException:
        ordered.close()
        raise


def _chain(first: Part, rest: Iterator[Part]) -> Iterator[Part]:
    yield first
    yield from rest


class _Index:
    """The views by what names them."""

    def __init__(self, tables: WrittenTables, names: Sequence[str], *, stated: Sequence[str]) -> None:
        self.names = names
        self._folder = os.path.abspath(tables.path)
        codes, kept = list[Codes](), list[pa.Table]()
        for part in tables.list_keys([*dict.fromkeys([*names, *stated])]):
            codes.append(_encode(_name_rows(part, names)))
            kept.append(part.select([name for name in stated if name not in names]))
        whole = np.concatenate([np.empty(0, "S16"), *codes])
        self._order = np.argsort(whole, kind="stable")
        self._codes = whole[self._order]
        self._stated = pa.concat_tables(kept) if kept else pa.table({})
        if names != ("pixels_digest",) and np.any(self._codes[1:] == self._codes[:-1]):
            raise UsageError(f"'{tables.path}' names a view twice; write the views again")

    def find(self, rows: Sequence[str]) -> tuple[Int64[np.ndarray, " rows"], Int64[np.ndarray, " rows"]]:
        """Return where the views of every name begin and end in `order`; equal pixels have several."""
        wanted = _encode(rows)
        return np.searchsorted(self._codes, wanted), np.searchsorted(self._codes, wanted, side="right")

    def at(self, place: int) -> int:
        """Return the position of a view among the keys."""
        return int(self._order[place])

    def check(self, part: Part, rows: Sequence[int], views: Sequence[int], *, path: Path) -> None:
        """Check what rows state beside what names them."""
        for name in self._stated.column_names:
            now, own = part.keys[name].take(pa.array(rows)), self._stated[name].take(pa.array(views))
            for row, said, known in zip(rows, now.to_pylist(), own.to_pylist(), strict=True):
                if not _agree(said, known):
                    raise UsageError(
                        f"row {part.start + row} of '{path}' (from 0) states {name} {said}, and the view has"
                        f" {known}; ingest the embeddings of these views"
                    )

    def name_rows(self, part: Part) -> list[str]:
        """Return what names the view of every row."""
        found = _name_rows(part.keys, self.names)
        return [self._shorten(name) for name in found] if self.names == ("file",) else found

    def _shorten(self, name: str) -> str:
        """Return the path of a file as the keys have it, below the folder."""
        near = os.path.normpath(name)
        inside = os.path.relpath(near, self._folder) if os.path.isabs(near) else near
        return inside.replace(os.sep, "/")


def _agree(said: Any, known: Any) -> bool:
    if isinstance(said, float) and isinstance(known, float | int):
        return abs(said - known) <= 1e-9 * abs(known)
    return said is None or said == known


def _name_rows(table: pa.Table, names: Sequence[str]) -> list[str]:
    columns = [table[name].to_pylist() for name in names]
    if names == _BY_VIEW:
        columns[2] = [
            int(draw) if isinstance(draw, float) and draw.is_integer() else draw for draw in columns[2]
        ]
    return ["\0".join(map(str, row)) for row in zip(*columns, strict=True)]


def _encode(names: Iterable[str]) -> Codes:
    # A code may end in zeros, which NumPy drops from both sides of a comparison.
    found = [hashlib.blake2b(name.encode("utf-8", "replace"), digest_size=16).digest() for name in names]
    return np.array(found, "S16")


class _Taken(NamedTuple):
    """The views that a part's rows name, and those rows."""

    rows: list[int]
    views: list[int]


class _Ordered:
    """Embeddings while they are put into the order of the keys, in a temporary file."""

    def __init__(self, path: Path, index: _Index, *, views: int) -> None:
        self._path, self._index, self._views, self._dim = path, index, views, 0
        self._from = np.full(views, -1, np.int64)  # the row of each view
        self._given = np.zeros(views, bool)
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `close`, or by who uses it

    def take(self, part: Part) -> None:
        """Put the rows of a part in their places."""
        self._dim = self._dim or part.vectors.shape[1]
        taken = self._place(part)
        self._index.check(part, taken.rows, taken.views, path=self._path)
        for row, view in zip(taken.rows, taken.views, strict=True):
            if self._from[view] >= 0:
                self._refuse_twice(part, row, view)
            self._from[view] = part.start + row
            if part.given[row]:
                self._file.seek(4 * self._dim * view)
                self._file.write(part.vectors[row].tobytes())
                self._given[view] = True

    def _place(self, part: Part) -> _Taken:
        names = self._index.name_rows(part)
        starts, ends = self._index.find(names)
        unknown = np.flatnonzero(starts == ends)
        if len(unknown):
            row = int(unknown[0])
            named = ", ".join(names[row].split("\0"))
            raise UsageError(
                f"row {part.start + row} of '{self._path}' (from 0) names no view: {named[:200]}; expected"
                f" {', '.join(self._index.names)} as in the views"
            )
        rows = np.repeat(np.arange(len(names)), ends - starts).tolist()
        places = [
            at for start, end in zip(starts.tolist(), ends.tolist(), strict=True) for at in range(start, end)
        ]
        return _Taken(rows, [self._index.at(place) for place in places])

    def _refuse_twice(self, part: Part, row: int, view: int) -> None:
        self._file.seek(4 * self._dim * view)
        same = self._file.read(4 * self._dim) == part.vectors[row].tobytes()
        how = "with the same embedding" if same else "with different embeddings"
        named = ", ".join(self._index.name_rows(part)[row].split("\0"))
        raise UsageError(
            f"rows {self._from[view]} and {part.start + row} of '{self._path}' (from 0) are of one view,"
            f" {how}: {named}; leave one of them out"
        )

    def finish(self) -> Vectors:
        """Return the embeddings."""
        if not self._given.any():
            raise UsageError(f"'{self._path}' holds no embedding")
        self._file.truncate(4 * self._dim * self._views)
        self._file.flush()
        numbers = np.memmap(self._file, np.float32, "r", shape=(self._views, self._dim))
        return Vectors(numbers, self._given, held=self._file)

    def close(self) -> None:
        """Remove the temporary file."""
        self._file.close()
