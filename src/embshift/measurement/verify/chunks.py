"""Check committed chunks: every file whole, of this run, and with the rows and views that it must hold."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from embshift.core.types import ORIGINAL, Capture, FrozenRow
from embshift.measurement.verify.verdict import Fault
from embshift.runs.chunks import SEALS
from embshift.runs.listing import describe_row, list_rows
from embshift.runs.places import list_chunks, read_chunk_number
from embshift.runs.schema import TABLES
from embshift.runs.seal import BROKEN, UNSEALED, check_seal, read_seal

__all__ = ["Expected", "check_chunk", "committed_chunks", "read_expected"]

Tables = Mapping[str, pa.Table]

_OK = pc.field("status") == "ok"


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What every chunk of a run must hold.

    Attributes:
        fingerprint: The run's.
        dim: Length of an embedding.
        attempts: Transform and draw of an image's original and views, in order.
        metrics: Every metric of the plan.
        everywhere: Those that are computed for every image, not for the metric sample alone.
        embeddings: Whether embeddings are kept; null throughout otherwise.
        joined: Whether the ``images`` file of every chunk states the seals of the chunk's other files.
    """

    fingerprint: str
    dim: int
    attempts: tuple[tuple[str, int], ...]
    metrics: frozenset[str]
    everywhere: frozenset[str]
    embeddings: bool
    joined: bool


def read_expected(info: Mapping[str, Any]) -> Expected:
    """Return what every chunk must hold, by the record of the run."""
    draws = range(info["plan"]["draws"])
    views = [(each["name"], draw) for each in info["plan"]["transforms"] for draw in draws]
    needs = {each["name"]: each["needs"] for each in info["metrics"]}
    return Expected(
        fingerprint=info["fingerprint"],
        dim=info["encoder"]["dim"],
        attempts=((ORIGINAL, 0), *views),
        metrics=frozenset(needs),
        everywhere=frozenset(name for name, need in needs.items() if need == Capture.EMBEDDING.value),
        embeddings=info["plan"].get("keep_embeddings", True),
        joined=info["schema"] >= 2,
    )


def committed_chunks(folder: Path) -> set[int]:
    """Return the numbers of the committed chunks: those with a file in ``images/``."""
    return {read_chunk_number(path) for path in list_chunks(folder, "images")}


def check_chunk(
    folder: Path, chunk: int, *, rows: Sequence[FrozenRow] | None, wanted: Expected
) -> Iterator[Fault]:
    """Yield the faults of one chunk; its content is checked only where its files are whole.

    Args:
        folder: The run folder.
        chunk: Number of the chunk.
        rows: Its rows in the listing; None where there is no listing to compare with.
        wanted: What it must hold.
    """
    paths = {name: folder / name / f"chunk-{chunk:06d}.parquet" for name in TABLES}
    broken = [line for name, path in paths.items() for line in _check_file(path, name=name)]
    if not broken:
        broken = _check_content(paths, rows, wanted)
    for line in broken:
        yield Fault(kind="chunk broken", message=f"chunk {chunk}: {line}", chunk=chunk)


def _check_content(
    paths: Mapping[str, Path], rows: Sequence[FrozenRow] | None, wanted: Expected
) -> list[str]:
    try:
        tables = {name: pq.read_table(path) for name, path in paths.items()}
        listed = [] if rows is None else [*_check_images(tables, rows)]
        found = [*listed, *(line for check in _CHECKS for line in check(tables, wanted))]
        # What is wrong with a file says more than that it was not written with the others.
        return found or [*_check_seals(paths, tables["images"], wanted)]
    except (OSError, KeyError, TypeError, ValueError, pa.ArrowException) as error:
        # Sealed, and yet unreadable: another program has sealed it.
        return [f"its tables do not have the form that this version writes: {' '.join(str(error).split())}"]


def _check_file(path: Path, *, name: str) -> Iterator[str]:
    place = f"{name}/{path.name}"
    try:
        state = check_seal(path)
        if state == BROKEN:
            yield f"{place} has changed since it was written: its bytes do not match its seal"
        elif state == UNSEALED:
            yield f"{place} has no seal: it was written by another program or an earlier version"
        else:
            pq.read_metadata(path)
    except FileNotFoundError:
        yield f"{place} is missing"
    except (OSError, pa.ArrowException) as error:
        yield f"{place} cannot be read: {error}"


def _check_seals(paths: Mapping[str, Path], images: pa.Table, wanted: Expected) -> Iterator[str]:
    """Check that the files were written together: each may be whole, and of another writing of the chunk."""
    metadata: Mapping[bytes, bytes] = images.schema.metadata or {}
    stated = json.loads(metadata.get(SEALS.encode(), b"null"))
    if stated is None:
        if wanted.joined:
            yield "images does not state the seals of the other files"
        return
    for name, path in paths.items():
        if name != "images" and stated.get(name) != read_seal(path):
            yield f"{name} was written by another session or machine than images: the seals do not match"


def _check_footers(tables: Tables, wanted: Expected) -> Iterator[str]:
    for name, table in tables.items():
        metadata: Mapping[bytes, bytes] = table.schema.metadata or {}
        if metadata.get(b"fingerprint", b"").decode() != wanted.fingerprint:
            yield f"{name} was made with another plan, encoder or version (its fingerprint is not the run's)"
        lacking = TABLES[name].later - set(table.schema.names)  # a chunk of an earlier version
        if not table.schema.equals(TABLES[name].arrow(dim=wanted.dim, without=lacking), check_metadata=False):
            yield f"{name} has other columns than this version writes"


def _check_images(tables: Tables, rows: Sequence[FrozenRow]) -> Iterator[str]:
    found = list_rows(tables["images"])
    wanted = [describe_row(row) for row in rows]
    if [one[0] for one in found] != [one[0] for one in wanted]:
        yield f"images holds {len(found)} rows, which are not the {len(wanted)} rows of the listing"
        return
    for one, other in zip(found, wanted, strict=True):
        if one != other:
            yield (
                f"row {one.row} is {one.path} in images but {other.path} in the listing, or another part of"
                " it, or sampled in one alone"
            )


def _check_embeddings(tables: Tables, wanted: Expected) -> Iterator[str]:
    images, table = tables["images"], tables["embeddings"]
    usable = images.filter(_OK)["row"].to_pylist()
    keys = [(row, *attempt) for row in usable for attempt in wanted.attempts]
    if _keys(table, "transform", "draw") != keys:
        yield f"embeddings has {len(table)} rows, not the {len(keys)} originals and views of the plan"
    made, valued = len(table.filter(_OK)), pc.field("embedding").is_valid()
    if not wanted.embeddings:
        if len(table.filter(valued)):
            yield "embeddings holds embeddings, which a run with --no-embeddings does not keep"
        return
    if not made == len(table.filter(valued)) == len(table.filter(valued & _OK)):
        yield "embeddings and status disagree: an embedding under a failed status, or none under ok"
    values = table["embedding"].combine_chunks().drop_null().flatten().to_numpy(zero_copy_only=False)
    if not np.isfinite(values).all():
        yield "embeddings holds values that are not finite under status ok"


def _check_ids(tables: Tables, _: Expected) -> Iterator[str]:
    ids = dict(zip(*(tables["images"][name].to_pylist() for name in ("row", "image_id")), strict=True))
    for name in ("embeddings", "shifts", "attention"):
        pairs = set(_keys(tables[name], "image_id"))
        if any(ids.get(row) != image_id for row, image_id in pairs):
            yield f"{name} holds rows of another image than images does (image_id)"


def _check_shifts(tables: Tables, wanted: Expected) -> Iterator[str]:
    keys = _keys(tables["shifts"], "transform", "draw", "metric")
    if len(set(keys)) < len(keys):
        yield "shifts holds a value twice"
    made = _list_encoded(tables)
    if not {key[:3] for key in keys} <= made:
        yield "shifts holds values of views that have no embedding"
    if not {key[3] for key in keys} <= wanted.metrics:
        yield "shifts holds a metric that is not in the plan"
    originals = {row for row, transform, _ in made if transform == ORIGINAL}
    views = {key for key in made if key[1] != ORIGINAL and key[0] in originals}
    must = {(*view, metric) for view in views for metric in wanted.everywhere}
    if not must <= set(keys):
        yield f"shifts lacks {len(must - set(keys))} values of metrics on embeddings"
    yield from _check_even(keys, views)


def _check_even(keys: Sequence[tuple[Any, ...]], views: set[tuple[Any, ...]]) -> Iterator[str]:
    """Check that a metric computed for an image has a value for each of its views, defined or not."""
    taken = {(key[0], key[3]) for key in keys}
    wanted = {(*view, metric) for view in views for metric in {m for row, m in taken if row == view[0]}}
    lacking = wanted - set(keys)
    if lacking:
        yield f"shifts lacks {len(lacking)} values of views whose image has the metric"


def _check_attention(tables: Tables, _: Expected) -> Iterator[str]:
    table = tables["attention"]
    keys = _keys(table, "transform", "draw")
    sampled = set(tables["images"].filter(pc.field("sampled"))["row"].to_pylist())
    if (
        len(set(keys)) < len(keys)
        or not set(keys) <= _list_encoded(tables)
        or not {k[0] for k in keys} <= sampled
    ):
        yield "attention holds a map twice, or maps of views that have none"
    lengths = [len(one) for one in table["map"]]
    grids = zip(table["rows"].to_pylist(), table["columns"].to_pylist(), strict=True)
    if lengths != [rows * columns for rows, columns in grids]:
        yield "attention holds maps that do not fill their grid"


def _keys(table: pa.Table, *names: str) -> list[tuple[Any, ...]]:
    return list(zip(*(table[name].to_pylist() for name in ("row", *names)), strict=True))


def _list_encoded(tables: Tables) -> set[tuple[Any, ...]]:
    """Return row, transform and draw of everything that has an embedding."""
    table = tables["embeddings"]
    return set(_keys(table.filter(_OK), "transform", "draw"))


_CHECKS = (
    _check_footers,
    _check_embeddings,
    _check_ids,
    _check_shifts,
    _check_attention,
)
