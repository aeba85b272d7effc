"""What ``embshift explain`` keeps below a run folder: a record and chunks of Parquet tables.

A chunk belongs to a part of the study's images. Its table ``shares`` is written last and commits it, as
``images`` does for a chunk of the run.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from jaxtyping import Float32

from embshift.core.errors import RunError
from embshift.runs.arrow import as_array, read_columns
from embshift.runs.explained_schema import EXPLAINED, FOLDER, LIST, RECORD, TEXTS, TEXTS_RECORD
from embshift.runs.files import write_aside
from embshift.runs.places import file_in, folder_in, holds_file, list_in, remove_in
from embshift.runs.record import read_record_file, write_record_file
from embshift.runs.seal import write_sealed

__all__ = [
    "ExplainedSink",
    "ExplainedTables",
    "find_explained",
    "has_texts",
    "is_complete",
    "open_explained",
    "read_explained_record",
    "read_lists",
    "read_texts",
    "read_texts_record",
    "write_explained_record",
    "write_texts",
    "write_texts_record",
]

_COMMIT = "shares"

_TEXT_SCHEMA = pa.schema(
    [("kind", pa.string()), ("text", pa.string()), ("key", pa.string()), ("vector", LIST)]
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExplainedSink:
    """Writes chunks of an explanation.

    Attributes:
        run: The run folder.
        fingerprint: Digest of everything that the explanation depends on; stored in every footer.
    """

    run: Path
    fingerprint: str

    def has(self, chunk: int) -> bool:
        """Return whether the chunk was committed and all of its files are still there."""
        return all(holds_file(self.run, FOLDER, name, f"chunk-{chunk:06d}.parquet") for name in EXPLAINED)

    def write(self, chunk: int, tables: Mapping[str, pa.Table]) -> None:
        """Commit one chunk: write all tables, and the committing one last."""
        for name in sorted(EXPLAINED, key=lambda name: name == _COMMIT):
            table = tables[name].replace_schema_metadata({"fingerprint": self.fingerprint})
            write_aside(_path(self.run, name, chunk), partial(_write, table=table))

    def discard_chunks(self) -> None:
        """Remove every chunk; the committing table goes first, so that none is half there."""
        for name in sorted(EXPLAINED, key=lambda name: name != _COMMIT):
            for path in list_in(self.run, FOLDER, name, pattern="chunk-*.parquet"):
                remove_in(self.run, FOLDER, name, path.name)

    def discard_drafts(self) -> None:
        """Remove the partial files that an interruption left behind."""
        for names in ((), *((name,) for name in EXPLAINED)):
            for path in list_in(self.run, FOLDER, *names, pattern=".*.tmp"):
                remove_in(self.run, FOLDER, *names, path.name)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ExplainedTables:
    """The committed tables of an explanation.

    Attributes:
        run: The run folder.
        record: The content of ``explain.json``.
    """

    run: Path
    record: Mapping[str, Any]

    def read(self, table: str, columns: Sequence[str] | None = None) -> pa.Table:
        """Read a table of all committed chunks.

        Args:
            table: A name in `EXPLAINED`.
            columns: Names of columns; all of them if None.

        Raises:
            RunError: If a file is missing or damaged, or belongs to another explanation.
        """
        parts = list(self.chunks(table, columns))
        schema = EXPLAINED[table].arrow()
        empty = schema.empty_table().select(list(columns or schema.names))
        return pa.concat_tables(parts) if parts else empty

    def chunks(self, table: str, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
        """Read a table chunk by chunk."""
        names = list(columns or EXPLAINED[table].arrow().names)
        for chunk in range(int(self.record["chunks"])):
            path = _path(self.run, table, chunk)
            yield read_columns(path, names, fingerprint=self.record["digest"]).replace_schema_metadata(None)

    def texts(self, kind: str) -> tuple[list[str], list[str], Float32[np.ndarray, "texts dim"]]:
        """Return texts of one kind, their keys, and their vectors; nothing if there are none.

        Args:
            kind: "word", "label", "caption", or "truth" for the true labels, whose keys are rows.
        """
        return read_texts(self.run, kind, fingerprint=self.record["fingerprint"])


def _write(aside: Path, *, table: pa.Table) -> None:
    write_sealed(aside, table, compression="zstd")


def has_texts(run: Path) -> bool:
    """Return whether texts are stored with an explanation."""
    return all(file_in(run, FOLDER, name).exists() for name in (TEXTS, TEXTS_RECORD))


def read_texts(
    run: Path, kind: str, *, fingerprint: str
) -> tuple[list[str], list[str], Float32[np.ndarray, "texts dim"]]:
    """Return stored texts of one kind, their keys, and their vectors; nothing if there are none.

    Args:
        run: The run folder, explained or not.
        kind: As for `ExplainedTables.texts`.
        fingerprint: The run's.

    Raises:
        RunError: If the file is damaged, or belongs to another run.
    """
    path = file_in(run, FOLDER, TEXTS)
    if not path.exists():
        return [], [], np.empty((0, 0), np.float32)
    table = read_columns(path, _TEXT_SCHEMA.names, fingerprint=fingerprint)
    own = table.filter(pa.array([one == kind for one in table["kind"].to_pylist()], pa.bool_()))
    return own["text"].to_pylist(), own["key"].to_pylist(), read_lists(own["vector"])


def write_texts_record(run: Path, content: Mapping[str, Any]) -> None:
    """Write what is known of the stored texts, sealed: scale and bias of the encoder's logits, prompts."""
    write_record_file(folder_in(run, FOLDER), content, name=TEXTS_RECORD)


def read_texts_record(run: Path) -> dict[str, Any]:
    """Return what is known of the stored texts.

    Raises:
        RunError: If no texts are stored, or the file cannot be read.
    """
    try:
        return read_record_file(folder_in(run, FOLDER), name=TEXTS_RECORD)
    except FileNotFoundError:
        raise RunError(
            f"{run} holds no words, labels or captions; store some with: embshift explain {run} --show words"
        ) from None
    except (OSError, ValueError) as error:
        raise RunError(f"{run / FOLDER / TEXTS_RECORD} cannot be read: {error}; explain again") from error


def write_texts(run: Path, table: pa.Table, *, fingerprint: str) -> None:
    """Write the vectors of texts: columns kind, text, key and vector.

    The record of the texts before is removed first, so that it never stands beside other vectors: texts
    without a record count as none.

    Args:
        run: The run folder.
        table: The texts.
        fingerprint: The run's; stored in the footer.
    """
    folder_in(run, FOLDER).mkdir(exist_ok=True)
    remove_in(run, FOLDER, TEXTS_RECORD)
    written = table.cast(_TEXT_SCHEMA).replace_schema_metadata({"fingerprint": fingerprint})
    write_aside(file_in(run, FOLDER, TEXTS), partial(_write, table=written))


def read_lists(column: pa.ChunkedArray) -> Float32[np.ndarray, "rows values"]:
    """Return a column of lists of one length as a matrix.

    Raises:
        RunError: If lengths differ.
    """
    whole = column.combine_chunks()
    if not len(whole):
        return np.empty((0, 0), np.float32)
    flat = as_array(whole.flatten())
    if len(flat) % len(whole) or len(set(whole.value_lengths().to_pylist())) != 1:
        raise RunError("a list of the explanation has another length than its neighbours: it was changed")
    return flat.reshape(len(whole), -1)


def find_explained(run: Path) -> bool:
    """Return whether a run folder holds an explanation."""
    return file_in(run, FOLDER, RECORD).exists()


def read_explained_record(run: Path) -> dict[str, Any]:
    """Return the content of ``explain.json``.

    Raises:
        RunError: If it is missing or cannot be read.
    """
    try:
        return read_record_file(folder_in(run, FOLDER), name=RECORD)
    except FileNotFoundError:
        raise RunError(f"{run} holds no explanation; make one with: embshift explain {run}") from None
    except (OSError, ValueError) as error:
        raise RunError(
            f"{run / FOLDER / RECORD} cannot be read: {error}; remove the folder and explain again"
        ) from error


def write_explained_record(run: Path, content: Mapping[str, Any]) -> None:
    """Write ``explain.json``, sealed, completely or not at all."""
    folder = folder_in(run, FOLDER)
    folder.mkdir(exist_ok=True)
    write_record_file(folder, content, name=RECORD)


def is_complete(run: Path, record: Mapping[str, Any]) -> bool:
    """Return whether an explanation is marked as finished, and every chunk is there.

    Args:
        run: The run folder.
        record: The content of ``explain.json``.
    """
    sink = ExplainedSink(run=run, fingerprint=str(record.get("digest")))
    return record.get("state") == "finished" and all(map(sink.has, range(int(record.get("chunks", 0)))))


def open_explained(run: Path, *, fingerprint: str) -> ExplainedTables:
    """Open the explanation of a run for reading.

    Args:
        run: The run folder.
        fingerprint: The run's.

    Raises:
        RunError: If there is none, if it is not finished, or if it is that of another run.
    """
    record = read_explained_record(run)
    if not set(record) >= _REQUIRED:
        raise RunError(f"{run / FOLDER / RECORD} does not describe an explanation; explain the run again")
    if record["fingerprint"] != fingerprint:
        raise RunError(f"{run / FOLDER} explains another run; remove that folder and explain again")
    if record["state"] != "finished":
        raise RunError(f"the explanation of {run} is not finished; go on with: embshift explain {run}")
    return ExplainedTables(run=run, record=record)


_REQUIRED = {"fingerprint", "digest", "state", "chunks", "components", "plan", "readout"}


def _path(run: Path, table: str, chunk: int) -> Path:
    return file_in(run, FOLDER, table, f"chunk-{chunk:06d}.parquet")
