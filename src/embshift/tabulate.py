"""Results become Arrow tables, the last border: recorded is what `schema` says."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
from jaxtyping import Float32

from embshift.pipeline import Attempt, Compared
from embshift.schema import TABLES
from embshift.types import ORIGINAL, Field

__all__ = ["tabulate"]

Columns: TypeAlias = dict[str, Any]
"""Lists and arrays by name, all of one length."""

Viewed: TypeAlias = tuple[Compared, Attempt]
"""One view of a picture."""


def tabulate(results: Sequence[Compared], /, *, dim: int, metadata: Mapping[str, str]) -> dict[str, pa.Table]:
    """One chunk's results as the tables of the run folder.

    Args:
        results: The chunk's pictures, in the order of their rows.
        dim: Length of an embedding.
        metadata: Text for the footer of every file.

    Returns:
        Tables by name.
    """
    views = [(result, attempt) for result in results for attempt in result.attempts]
    keys = _keys(views)
    columns = {
        "images": _images(results),
        "embeddings": _embeddings(results, views, keys, dim=dim),
        "shifts": _shifts(results, keys),
        "attention": _attention(results, keys),
    }
    return {
        name: pa.table(found, schema=TABLES[name].arrow(metadata=metadata, dim=dim))
        for name, found in columns.items()
    }


def _images(results: Sequence[Compared]) -> Columns:
    rows = [_image(result) for result in results]
    return {name: [row[name] for row in rows] for name in TABLES["images"].arrow().names}


def _image(result: Compared) -> dict[str, Any]:
    record, decoded = result.item.record, result.decoded
    path, path_bytes = _lossless(record.path)
    return {
        "row": record.row,
        "image_id": decoded.image_id,
        "source": _printable(record.source),
        "member": _printable(record.member),
        "index": record.index,
        "path": path,
        "path_bytes": path_bytes,
        "bytes": decoded.bytes,
        "sha256": decoded.sha256,
        "width": decoded.width,
        "height": decoded.height,
        "mode": decoded.mode,
        "flags": decoded.flags,
        "sampled": result.item.sampled,
        "status": decoded.status,
        "error": decoded.error,
    }


_SURROGATES = re.compile("[\ud800-\udfff]")
"""How Python holds the bytes of a name that is no text; Arrow refuses them."""


def _printable(text: str) -> str:
    return _SURROGATES.sub("\ufffd", text)


def _lossless(path: str | None) -> tuple[str | None, bytes | None]:
    if path is None:
        return None, None
    shown = _printable(path)
    return shown, None if shown == path else path.encode("utf-8", "surrogateescape")


def _keys(views: Sequence[Viewed]) -> pa.Table:
    """What every table says first of a view; of all attempts, which the other tables take theirs from."""
    ids = {id(result): result.decoded.image_id for result, _ in views}
    columns = {
        "row": [result.item.record.row for result, _ in views],
        "image_id": [ids[id(result)] for result, _ in views],
        "transform": [attempt.transform for _, attempt in views],
        "severity": [attempt.severity for _, attempt in views],
        "strength": [attempt.strength for _, attempt in views],
        "draw": [attempt.draw for _, attempt in views],
    }
    schema = TABLES["shifts"].arrow()
    return pa.table(columns, schema=pa.schema([schema.field(name) for name in columns]))


def _encoded(results: Sequence[Compared]) -> Iterator[tuple[Compared, list[int]]]:
    """Every result with the places, among all attempts, of those that have an encoding."""
    start = 0
    for result in results:
        yield result, [start + at for at, each in enumerate(result.attempts) if each.status == "ok"]
        start += len(result.attempts)


def _named(keys: pa.Table, places: Sequence[int], names: Sequence[str] | None = None) -> Columns:
    taken = keys.take(pa.array(places, pa.int64()))
    return {name: taken.column(name) for name in names or keys.column_names}


def _embeddings(results: Sequence[Compared], views: Sequence[Viewed], keys: pa.Table, *, dim: int) -> Columns:
    attempts = [attempt for _, attempt in views]
    lacking = np.array([attempt.status != "ok" for attempt in attempts], dtype=bool)
    embeddings = np.zeros((len(views), dim), np.float32)
    if not lacking.all():
        embeddings[~lacking] = np.concatenate(
            [result.encoding.embedding.numpy() for result in results if result.encoding is not None]
        )
    return {name: keys.column(name) for name in keys.column_names} | {
        "status": [attempt.status for attempt in attempts],
        "error": [None if each.error is None else _printable(each.error) for each in attempts],
        "parameters": [attempt.parameters for attempt in attempts],
        "pixels_digest": [attempt.digest for attempt in attempts],
        "embedding": pa.FixedSizeListArray.from_arrays(
            pa.array(embeddings.ravel()), dim, mask=pa.array(lacking)
        ),
    }


def _shifts(results: Sequence[Compared], keys: pa.Table) -> Columns:
    places, names, values = list[int](), list[str](), [np.empty(0)]
    originals = {at for at, name in enumerate(keys.column("transform").to_pylist()) if name == ORIGINAL}
    for result, own in _encoded(results):
        compared = [at for at in own if at not in originals]
        for name, column in result.values.items():
            places += compared
            names += [name] * len(compared)
            values.append(column)
    return _named(keys, places) | {"metric": names, "value": np.concatenate(values)}


def _attention(results: Sequence[Compared], keys: pa.Table) -> Columns:
    places, frames = list[int](), list[tuple[tuple[int, int], Field]]()
    maps = list[Float32[np.ndarray, "views patches"]]()
    for result, own in _encoded(results):
        encoding = result.encoding
        if not result.item.sampled or encoding is None or encoding.attention is None:
            continue
        places += own
        frames += [(encoding.grid, encoding.field)] * len(own)
        maps.append(encoding.attention.mean(dim=1).numpy())
    lengths = np.repeat([part.shape[1] for part in maps], [len(part) for part in maps])
    ends = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
    return _named(keys, places, ("row", "image_id", "transform", "draw")) | {
        "rows": [rows for (rows, _), _ in frames],
        "columns": [columns for (_, columns), _ in frames],
        "field": [list(field) for _, field in frames],
        "map": pa.ListArray.from_arrays(
            pa.array(ends), pa.array(np.concatenate([np.empty(0, np.float32), *map(np.ravel, maps)]))
        ),
    }
