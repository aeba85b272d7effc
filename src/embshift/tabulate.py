"""Results become Arrow tables, the last border: recorded is what `schema` says."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from embshift.pipeline import Attempt, Compared
from embshift.schema import TABLES
from embshift.types import ORIGINAL

__all__ = ["tabulate"]


def tabulate(results: Sequence[Compared], /, *, dim: int, metadata: Mapping[str, str]) -> dict[str, pa.Table]:
    """One chunk's results as the tables of the run folder.

    Args:
        results: The chunk's pictures, in the order of their rows.
        dim: Length of an embedding.
        metadata: Text for the footer of every file.

    Returns:
        Tables by name.
    """
    rows = {
        "images": [_image(result) for result in results],
        "embeddings": [row for result in results for row in _embeddings(result)],
        "shifts": [row for result in results for row in _shifts(result)],
        "attention": [row for result in results for row in _attention(result)],
    }
    return {
        name: pa.Table.from_pylist(found, schema=TABLES[name].arrow(metadata=metadata, dim=dim))
        for name, found in rows.items()
    }


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


def _key(result: Compared, attempt: Attempt) -> dict[str, Any]:
    return {
        "row": result.item.record.row,
        "image_id": result.decoded.image_id,
        "transform": attempt.transform,
        "severity": attempt.severity,
        "strength": attempt.strength,
        "draw": attempt.draw,
    }


def _encoded(result: Compared) -> Iterator[tuple[int, Attempt]]:
    """The attempts that have an encoding, with their position in it."""
    return enumerate(attempt for attempt in result.attempts if attempt.status == "ok")


def _embeddings(result: Compared) -> Iterable[dict[str, Any]]:
    found = np.empty((0, 0), np.float32) if result.encoding is None else result.encoding.embedding.numpy()
    at = {id(attempt): position for position, attempt in _encoded(result)}
    for attempt in result.attempts:
        yield _key(result, attempt) | {
            "status": attempt.status,
            "error": None if attempt.error is None else _printable(attempt.error),
            "parameters": attempt.parameters,
            "pixels_digest": attempt.digest,
            "embedding": found[at[id(attempt)]] if id(attempt) in at else None,
        }


def _shifts(result: Compared) -> Iterable[dict[str, Any]]:
    compared = [attempt for _, attempt in _encoded(result) if attempt.transform != ORIGINAL]
    for name, values in result.values.items():
        for attempt, value in zip(compared, values.tolist(), strict=True):
            yield _key(result, attempt) | {"metric": name, "value": value}


def _attention(result: Compared) -> Iterable[dict[str, Any]]:
    encoding = result.encoding
    if not result.item.sampled or encoding is None or encoding.attention is None:
        return
    maps = encoding.attention.mean(dim=1).numpy()  # views patches
    rows, columns = encoding.grid
    for position, attempt in _encoded(result):
        grid = {"rows": rows, "columns": columns, "field": list(encoding.field), "map": maps[position]}
        yield _key(result, attempt) | grid
