"""Reading of written views: tables and PNG files, whatever the form; the file may come from anyone."""

import base64
import json
import os
import tarfile
from collections.abc import Generator, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast, final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from jaxtyping import Int64

from embshift.core.errors import ShiftError, UsageError
from embshift.core.text_files import parse_json, read_text
from embshift.core.types import Identity, ImageRecord
from embshift.measurement.exchange.layout import (
    ABOUT,
    IMAGE_SCHEMA,
    IMAGES,
    KEYS,
    PLAN,
    About,
    Form,
    key_schema,
    parse_about,
)
from embshift.measurement.exchange.packing import TAR_INDEX
from embshift.runs.arrow import as_array
from embshift.runs.places import file_in
from embshift.runs.record_columns import LATER, RECORD, make_record

__all__ = ["WrittenTables", "is_views", "open_views"]

_EXPECTED = "expected what 'embshift views' has written: a file .parquet or .tar, or a folder"
_MOST_GROUP = 2**30  # bytes of a row group that is read at once
_BLOCK = 512


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class WrittenTables:
    """The tables of written views, held open.

    Attributes:
        path: The file or folder.
        form: Its form.
        about: What is known of the views as a whole.
        images: The table of images.
        keys: The table of keys, in the order of the views.
    """

    path: Path
    form: Form
    about: About
    images: pq.ParquetFile
    keys: pq.ParquetFile

    def list_images(self) -> Iterator[dict[str, Any]]:
        """Yield every image's row."""
        for part in self._parts(self.images, IMAGE_SCHEMA.names):
            yield from part.to_pylist()

    def list_records(self) -> Iterator[ImageRecord]:
        """Yield every image as it was listed; one from memory is known by its digest alone."""
        for line in self.list_images():
            held = None if line["path"] is not None else np.frombuffer(str(line["sha256"]).encode(), np.uint8)
            yield replace(make_record(line), content=held)

    def list_files(self) -> Iterator[tuple[Identity, str, int, int]]:
        """Yield identity, etag, size and time of every image when it was read."""
        for part in self._parts(self.images, [*RECORD.names, "size", "mtime_ns"]):
            for line in part.to_pylist():
                record = make_record(line)
                yield record.identity, record.etag, line["size"], line["mtime_ns"]

    def list_keys(self, names: list[str]) -> Iterator[pa.Table]:
        """Yield some columns of the keys, part by part."""
        return self._parts(self.keys, names)

    def count(self) -> dict[str, int]:
        """Return how many images and views there are, and how many could not be used."""
        lines = list(self._parts(self.images, ["status", "failed"]))
        return {
            "images": self.about.images,
            "failed": sum(one != "ok" for part in lines for one in part["status"].to_pylist()),
            "views": self.about.views,
            "views_failed": sum(
                len(json.loads(text)) for part in lines for text in part["failed"].to_pylist()
            ),
        }

    def place_views(self) -> Int64[np.ndarray, " images"]:
        """Return the position of every image's first view among the keys."""
        parts = [as_array(part["first"]) for part in self._parts(self.images, ["first"])]
        return np.concatenate([np.empty(0, np.int64), *parts])

    def _parts(self, file: pq.ParquetFile, names: list[str]) -> Iterator[pa.Table]:
        there = [name for name in names if name in file.schema_arrow.names or name not in LATER]
        try:
            for group in range(file.num_row_groups):
                yield file.read_row_group(group, columns=there)
        except (OSError, ValueError, pa.ArrowException) as error:
            raise _damaged(self.path, error) from error


def is_views(path: Path, /) -> bool:
    """Return whether a path holds written views that can be read."""
    try:
        with open_views(path):
            return True
    except ShiftError:
        return False


@contextmanager
def open_views(path: Path, /) -> Generator[WrittenTables]:
    """Open the tables of written views.

    Raises:
        UsageError: If there are none, or they are damaged.
    """
    with ExitStack() as held:
        try:
            form, texts, images, keys = _OPENERS[_find_form(path)](path, held)
            about = parse_about(texts, where=path)
        except UsageError:
            raise
        except (OSError, ValueError, KeyError, TypeError, ShiftError, pa.ArrowException) as error:
            raise _damaged(path, error) from error
        tables = WrittenTables(path=path, form=form, about=about, images=images, keys=keys)
        _check(tables)
        yield tables


def _damaged(path: Path, error: object) -> UsageError:
    reason = " ".join(str(error).split())
    return UsageError(f"'{path}' cannot be read as views: {reason}; {_EXPECTED}")


def _find_form(path: Path) -> Form:
    if not os.path.exists(path):
        raise UsageError(f"'{path}' does not exist; {_EXPECTED}")
    if path.is_dir():
        return "folder"
    if not path.is_file():
        raise UsageError(f"'{path}' is not a regular file; {_EXPECTED}")
    with path.open("rb") as file:
        return "parquet" if file.read(4) == b"PAR1" else "tar"


_Opened = tuple[Form, str, pq.ParquetFile, pq.ParquetFile]


def _open_parquet(path: Path, held: ExitStack) -> _Opened:
    keys = held.enter_context(closing(pq.ParquetFile(path)))
    texts = keys.metadata.metadata or {}
    if not {IMAGES.encode(), ABOUT.encode()} <= {*texts}:
        raise ValueError(
            "its metadata names no images; a file that another program wrote again cannot be used"
        )
    listed = base64.b64decode(texts[IMAGES.encode()], validate=True)
    return "parquet", texts[ABOUT.encode()].decode(), _open_buffer(listed, held), keys


def _open_buffer(data: Any, held: ExitStack) -> pq.ParquetFile:
    return held.enter_context(closing(pq.ParquetFile(pa.BufferReader(data))))


def _open_folder(path: Path, held: ExitStack) -> _Opened:
    lacking = [name for name in (ABOUT, IMAGES, KEYS) if not os.path.lexists(path / name)]
    if lacking:
        raise ValueError(f"the folder has no {lacking[0]}")
    about = read_text(file_in(path, ABOUT))
    images, keys = (
        held.enter_context(closing(pq.ParquetFile(file_in(path, name)))) for name in (IMAGES, KEYS)
    )
    return "folder", about, images, keys


def _open_tar(path: Path, held: ExitStack) -> _Opened:
    whole = held.enter_context(pa.memory_map(str(path)))
    places = _read_index(whole)

    def read(name: str) -> pa.Buffer:
        start, size = places[name]
        if not 0 <= start <= start + size <= whole.size():
            raise ValueError(f"{name} does not lie within it")
        whole.seek(start)
        return whole.read_buffer(size)

    about = read(ABOUT).to_pybytes().decode()
    return "tar", about, _open_buffer(read(IMAGES), held), _open_buffer(read(KEYS), held)


def _read_index(whole: Any) -> Mapping[str, tuple[int, int]]:
    """Return where the tables stand in an archive."""
    head = whole.read(_BLOCK + TAR_INDEX)
    try:
        member = tarfile.TarInfo.frombuf(head[:_BLOCK].ljust(_BLOCK, b"\0"), "utf-8", "surrogateescape")
    except tarfile.TarError as error:
        raise ValueError(f"it is neither Parquet nor a tar archive ({error})") from None
    if (member.name, member.size) != ("index.json", TAR_INDEX):
        raise ValueError("its first member is not the index; an archive that was packed again cannot be used")
    places = cast(Mapping[str, Any], parse_json(head[_BLOCK:].decode()))
    return {name: (int(places[name][0]), int(places[name][1])) for name in (ABOUT, PLAN, IMAGES, KEYS)}


_OPENERS = {"parquet": _open_parquet, "folder": _open_folder, "tar": _open_tar}


def _check(tables: WrittenTables) -> None:
    """Check columns, counts and sizes, before anything is read by them."""
    wanted = {"images": (tables.images, IMAGE_SCHEMA), "keys": (tables.keys, key_schema(tables.form))}
    counts = {"images": tables.about.images, "keys": tables.about.views}
    for name, (file, schema) in wanted.items():
        lacking = LATER - set(file.schema_arrow.names) if name == "images" else ()
        if not file.schema_arrow.equals(pa.schema(one for one in schema if one.name not in lacking)):
            raise _damaged(tables.path, f"the table of {name} has other columns")
        if file.metadata.num_rows != counts[name]:
            raise _damaged(
                tables.path, f"it states {counts[name]:,} {name} and holds {file.metadata.num_rows:,}"
            )
        largest = max(
            (file.metadata.row_group(at).total_byte_size for at in range(file.num_row_groups)), default=0
        )
        if largest > _MOST_GROUP:
            raise _damaged(tables.path, f"{largest:,} bytes of {name} would be read at once")
