"""A finished run of many images, made by repeating the chunk of a short run under other rows."""

import os
from collections.abc import Sequence
from itertools import cycle
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

import embshift
from embshift.core.types import FrozenRow
from embshift.images import list_sources
from embshift.measurement.plan.plan import CHUNK
from embshift.runs.chunks import ParquetSink
from embshift.runs.listing import freeze_listing, write_listing
from embshift.runs.record import read_record_file, write_record_file
from embshift.runs.schema import TABLES

__all__ = ["write_finished_run"]

_SIDE = 64


def write_finished_run(folder: Path, images: Sequence[Path], *, count: int) -> list[str]:
    """Write the run folder of a finished run of ``count`` images, and the images.

    One chunk is measured. The others repeat its numbers under other rows, names and digests.

    Args:
        folder: A new folder.
        images: Files that are linked under ``count`` names.
        count: Number of images, a multiple of the chunk size.

    Returns:
        The arguments of ``embshift run`` that ask for this run again.
    """
    (folder / "images").mkdir(parents=True)
    for number, path in zip(range(count), cycle(images), strict=False):
        os.link(path, folder / "images" / f"{number:06d}.jpg")
    source, out = str(folder / "images"), folder / "run"
    options: dict[str, Any] = {
        "encoder": "lite",
        "image_size": _SIDE,
        "views": "fast",
        "metric_sample": count,
    }
    embshift.measure(sorted(map(str, (folder / "images").iterdir()))[:CHUNK], out=out, **options)
    records = list_sources([source])
    rows = tuple(freeze_listing(records, count=len(records), chunk=CHUNK, sample=count, seed=0))
    _repeat_chunk(out, rows)
    write_listing(out / "listing.parquet", rows)
    _state_counts(out, source=source, count=count)
    chosen = [f"--{name.replace('_', '-')}={value}" for name, value in options.items()]
    return [source, "--out", str(out), *chosen]


def _repeat_chunk(out: Path, rows: Sequence[FrozenRow]) -> None:
    sink = ParquetSink(folder=out, fingerprint=read_record_file(out)["fingerprint"])
    first = {name: pq.read_table(out / name / "chunk-000000.parquet") for name in TABLES}
    for chunk in range(1, rows[-1].chunk + 1):
        own = list(rows[chunk * CHUNK : (chunk + 1) * CHUNK])
        tables = {name: _change_rows(table, chunk) for name, table in first.items()}
        sink.write(chunk, tables | {"images": _change_names(tables["images"], own)})


def _change_rows(table: pa.Table, chunk: int) -> pa.Table:
    """Return the table with other rows and other image digests; no two chunks are alike."""
    places = {name: table.schema.get_field_index(name) for name in ("row", "image_id")}
    row = pc.add(table["row"], pa.scalar(chunk * CHUNK, table.schema.field("row").type))
    digest = pc.binary_join_element_wise(
        f"{chunk:08x}", pc.utf8_slice_codeunits(table["image_id"], 8, 32), ""
    )
    table = table.set_column(places["row"], table.schema.field("row"), row)
    field = table.schema.field("image_id")
    return table.set_column(places["image_id"], field, pc.cast(digest, field.type))


def _change_names(images: pa.Table, rows: Sequence[FrozenRow]) -> pa.Table:
    for name in ("member", "path"):
        values = pa.array([getattr(row.record, name) for row in rows], images.schema.field(name).type)
        images = images.set_column(images.schema.get_field_index(name), images.schema.field(name), values)
    return images


def _state_counts(out: Path, *, source: str, count: int) -> None:
    info = read_record_file(out)
    del info["files"]  # another listing, and more chunks
    counts = {name: value * count // CHUNK for name, value in info["counts"].items() if "kept" not in name}
    info["counts"] |= counts
    info["plan"]["sources"] = [source]
    write_record_file(out, info)
