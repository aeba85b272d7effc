"""Tabulate: results become Arrow tables, as `schema` states them."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
from jaxtyping import Float32, Int64

from embshift.core.types import ORIGINAL
from embshift.measurement.pipeline.compare import Compared
from embshift.measurement.pipeline.perturb import Attempt
from embshift.runs.schema import TABLES

__all__ = ["tabulate"]

Columns: TypeAlias = dict[str, Any]
"""Lists and arrays by name, all of one length."""

Places: TypeAlias = Int64[np.ndarray, "..."]
"""Positions among all attempts of the chunk."""


def tabulate(
    results: Sequence[Compared], /, *, dim: int, metadata: Mapping[str, str], keep_embeddings: bool = True
) -> dict[str, pa.Table]:
    """Turn one chunk's results into the tables of the run folder.

    Args:
        results: The chunk's images, in the order of their rows.
        dim: Length of an embedding.
        metadata: Text for the footer of every file.
        keep_embeddings: Whether the column `embedding` is filled; null throughout otherwise.

    Returns:
        Tables by name.
    """
    attempts = _tabulate_attempts(results)
    keys = _tabulate_keys(results, attempts)
    vectors = (
        _gather_vectors(results, attempts, dim=dim)
        if keep_embeddings
        else pa.nulls(len(keys), pa.list_(pa.float32(), dim))
    )
    columns = {
        "images": _tabulate_images(results),
        "embeddings": _tabulate_embeddings(attempts, keys, vectors),
        "shifts": _tabulate_shifts(results, attempts, keys),
        "attention": _tabulate_attention(results, attempts, keys),
    }
    return {
        name: pa.table(found, schema=TABLES[name].arrow(metadata=metadata, dim=dim))
        for name, found in columns.items()
    }


def _tabulate_images(results: Sequence[Compared]) -> Columns:
    return _transpose(TABLES["images"].arrow().names, map(_image_row, results))


def _transpose(names: Sequence[str], rows: Iterable[tuple[Any, ...]]) -> Columns:
    columns = list(zip(*rows, strict=True))
    return dict(zip(names, columns or [()] * len(names), strict=True))


def _image_row(result: Compared) -> tuple[Any, ...]:
    record, decoded = result.listed.record, result.decoded
    path, path_bytes = _split_path(record.path)
    return (
        record.row,
        decoded.image_id,
        _replace_surrogates(record.source),
        _replace_surrogates(record.member),
        record.index,
        path,
        path_bytes,
        decoded.bytes,
        decoded.sha256,
        decoded.width,
        decoded.height,
        decoded.mode,
        decoded.flags,
        result.listed.sampled,
        decoded.status,
        decoded.error,
        decoded.perceptual_hash,
        record.offset or None,
        record.length if record.offset else None,
        _replace_surrogates(record.column) or None,
        record.source_id,
        record.caption,
        record.label,
    )


_SURROGATES = re.compile("[\ud800-\udfff]")
"""How Python holds the bytes of a name that is not text; Arrow refuses them."""


def _replace_surrogates(text: str) -> str:
    return _SURROGATES.sub("\ufffd", text)


def _split_path(path: str | None) -> tuple[str | None, bytes | None]:
    if path is None:
        return None, None
    shown = _replace_surrogates(path)
    return shown, None if shown == path else path.encode("utf-8", "surrogateescape")


def _tabulate_attempts(results: Sequence[Compared]) -> Columns:
    """Return all attempts of the chunk, by the fields of `Attempt`."""
    return _transpose(Attempt._fields, (attempt for result in results for attempt in result.attempts))


def _tabulate_keys(results: Sequence[Compared], attempts: Columns) -> pa.Table:
    """Return the key columns of all attempts, from which every table takes its own rows."""
    of = pa.array(np.repeat(np.arange(len(results)), [len(result.attempts) for result in results]))
    columns = {
        "row": pa.array([result.listed.record.row for result in results], pa.int64()).take(of),
        "image_id": pa.array([result.decoded.image_id for result in results], pa.string()).take(of),
        "transform": attempts["transform"],
        "severity": attempts["severity"],
        "strength": attempts["strength"],
        "draw": attempts["draw"],
    }
    schema = TABLES["shifts"].arrow()
    return pa.table(columns, schema=pa.schema([schema.field(name) for name in columns]))


def _place_encodings(results: Sequence[Compared], attempts: Columns) -> Iterator[tuple[Compared, Places]]:
    """Yield every result with the positions of its attempts that have an encoding."""
    there = np.array([status == "ok" for status in attempts["status"]], bool)
    start = 0
    for result in results:
        stop = start + len(result.attempts)
        yield result, start + np.flatnonzero(there[start:stop])
        start = stop


def _take_keys(keys: pa.Table, places: Sequence[Places], names: Sequence[str] | None = None) -> Columns:
    taken = keys.take(pa.array(np.concatenate([np.empty(0, np.int64), *places])))
    return {name: taken.column(name) for name in names or keys.column_names}


def _tabulate_embeddings(attempts: Columns, keys: pa.Table, vectors: pa.Array) -> Columns:
    return {name: keys.column(name) for name in keys.column_names} | {
        "status": attempts["status"],
        "error": [None if error is None else _replace_surrogates(error) for error in attempts["error"]],
        "parameters": attempts["parameters"],
        "pixels_digest": attempts["digest"],
        "embedding": vectors,
    }


def _gather_vectors(results: Sequence[Compared], attempts: Columns, *, dim: int) -> pa.Array:
    """Return the embedding of each attempt; null for one that has none."""
    lacking = np.array([status != "ok" for status in attempts["status"]], bool)
    embeddings = np.zeros((len(lacking), dim), np.float32)
    if not lacking.all():
        embeddings[~lacking] = np.concatenate(
            [result.encoding.embedding.numpy() for result in results if result.encoding is not None]
        )
    return pa.FixedSizeListArray.from_arrays(pa.array(embeddings.ravel()), dim, mask=pa.array(lacking))


def _tabulate_shifts(results: Sequence[Compared], attempts: Columns, keys: pa.Table) -> Columns:
    places, names, values = list[Places](), list[str](), [np.empty(0)]
    is_view = np.array([name != ORIGINAL for name in attempts["transform"]], bool)
    for result, own in _place_encodings(results, attempts):
        places += [own[is_view[own]]] * len(result.values)
        names += result.values
        values += result.values.values()
    of = np.repeat(np.arange(len(names)), [len(part) for part in places])
    metric = pa.array(names, pa.string()).take(pa.array(of))
    return _take_keys(keys, places) | {"metric": metric, "value": np.concatenate(values)}


def _tabulate_attention(results: Sequence[Compared], attempts: Columns, keys: pa.Table) -> Columns:
    places, frames = list[Places](), list[tuple[float, ...]]()
    maps = list[Float32[np.ndarray, "views patches"]]()
    for result, own in _place_encodings(results, attempts):
        encoding = result.encoding
        if not result.listed.sampled or encoding is None or encoding.attention is None:
            continue
        places.append(own)
        frames.append((*encoding.grid, *encoding.field))
        maps.append(encoding.attention.mean(dim=1).numpy())
    views = [len(part) for part in maps]
    frame = np.repeat(np.reshape(frames, (-1, 6)), views, axis=0)
    lengths = np.repeat([part.shape[1] for part in maps], views)
    ends = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
    return _take_keys(keys, places, ("row", "image_id", "transform", "draw")) | {
        "rows": frame[:, 0].astype(np.int32),
        "columns": frame[:, 1].astype(np.int32),
        "field": pa.FixedSizeListArray.from_arrays(pa.array(frame[:, 2:].astype(np.float32).ravel()), 4),
        "map": pa.ListArray.from_arrays(
            pa.array(ends), pa.array(np.concatenate([np.empty(0, np.float32), *map(np.ravel, maps)]))
        ),
    }
