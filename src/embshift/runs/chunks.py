"""The run folder as a sink: a chunk is committed when its ``images`` file is renamed into place, last."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa

from embshift.runs.files import write_aside
from embshift.runs.places import (
    file_in,
    holds_file,
    list_chunks,
    list_files,
    list_in,
    list_views,
    release_files,
    remove_in,
)
from embshift.runs.schema import TABLES
from embshift.runs.seal import read_seal, write_sealed

__all__ = ["SEALS", "ParquetSink"]

SEALS = "seals"
"""Key in the footer of a chunk's ``images`` file: the seals of the chunk's other files, as JSON by table."""

_COMMIT = "images"
_DRAFTS = ".*.tmp"
_STREAMS = {"embeddings": ["embedding.list.element"], "shifts": ["value"], "attention": ["map.list.element"]}
_REPEATED = {
    "images": ["source", "mode", "flags", "status"],
    "embeddings": ["transform", "status"],
    "shifts": ["image_id", "transform", "metric"],
    "attention": ["transform"],
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ParquetSink:
    """Writes chunks as Parquet files below a folder.

    Attributes:
        folder: The run folder.
        fingerprint: Digest of everything that results depend on; stored in every footer.
    """

    folder: Path
    fingerprint: str
    _seen: set[str] = field(default_factory=set[str], init=False, repr=False, compare=False)

    def _path(self, table: str, chunk: int) -> Path:
        return file_in(self.folder, table, _name(chunk))

    def has(self, chunk: int) -> bool:
        """Return whether the chunk was committed and all of its files are there.

        With the first chunk that is, all are listed, and those are not looked for again: nobody removes a
        chunk while its run is measured, but others may write some meanwhile.
        """
        file = _name(chunk)
        if file in self._seen:
            return True
        found = all(holds_file(self.folder, name, file) for name in TABLES)
        if found and not self._seen:
            self._seen.update(self._list_whole())
        return found

    def _list_whole(self) -> set[str]:
        found = list_files(self.folder, _COMMIT)
        for name in TABLES:
            found &= list_files(self.folder, name)
        return found

    def write(self, chunk: int, tables: Mapping[str, pa.Table]) -> None:
        """Commit one chunk: write all tables, and last the committing one, which states the others' seals.

        Files of two writers of the same chunk can thus never pass for one chunk.
        """
        others = [name for name in tables if name != _COMMIT]
        for name in others:
            write_aside(self._path(name, chunk), partial(_write, name=name, table=tables[name]))
        seals = {name: read_seal(self._path(name, chunk)) for name in sorted(others)}
        committing = _add_metadata(tables[_COMMIT], {SEALS: json.dumps(seals)})
        write_aside(self._path(_COMMIT, chunk), partial(_write, name=_COMMIT, table=committing))
        release_files(self.folder, [(name, _name(chunk)) for name in tables])

    def discard_uncommitted(self) -> int:
        """Remove the files that an interruption left behind; return how many were removed."""
        committed = {path.name for path in list_chunks(self.folder, _COMMIT)}
        left = [
            path for name in TABLES for path in list_chunks(self.folder, name) if path.name not in committed
        ]
        left += list_in(self.folder, pattern=_DRAFTS) + list_views(self.folder, pattern=_DRAFTS)
        for name in (*TABLES, "views", "figures"):
            left += list_in(self.folder, name, pattern=_DRAFTS)
        return sum(remove_in(self.folder, *path.relative_to(self.folder).parts) for path in left)


def _name(chunk: int) -> str:
    return f"chunk-{chunk:06d}.parquet"


def _add_metadata(table: pa.Table, more: Mapping[str, str]) -> pa.Table:
    return table.replace_schema_metadata({**(table.schema.metadata or {}), **more})


def _write(path: Path, *, name: str, table: pa.Table) -> None:
    # Both options take lists of columns, but the library's annotations allow only booleans.
    options: dict[str, Any] = {
        "compression": "zstd",
        "use_dictionary": _REPEATED[name],
        "use_byte_stream_split": _STREAMS.get(name, False),
    }
    write_sealed(path, table, **options)
