"""Run folders of many images; ``python -m tests.unit.report.large_runs N`` measures a report."""

import json
import multiprocessing
import resource
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa

import embshift
from embshift.core.types import ORIGINAL
from embshift.runs.chunks import ParquetSink
from embshift.runs.schema import TABLES
from embshift.runs.view_files import view_path, write_view
from tests.synthetic_runs import NINE, Wanted, image_id, run_info

CHUNK = 20_000


def make_large_run(
    folder: Path,
    *,
    images: int,
    transforms: tuple[str, ...] = NINE,
    shown: int = 320,
    side: int = 224,
    grid: int = 16,
):
    """Write a run with six metrics; the views of the extreme images are noise, which compresses worst.

    Args:
        folder: The run folder.
        images: Number of images.
        transforms: Names of the transforms.
        shown: Number of images with views and maps; they are the most and the least shifted ones.
        side: Pixels of a side of a view.
        grid: Cells of a side of a map.
    """
    wanted = Wanted(images=images, transforms=transforms, dim=16)
    rng = np.random.default_rng(0)
    sink = ParquetSink(folder=folder, fingerprint="synthetic")
    for chunk, first in enumerate(range(0, images, CHUNK)):
        rows = np.arange(first, min(first + CHUNK, images))
        ids = np.array([f"{row:032x}" for row in rows])
        if first == 0:
            ids[:shown] = [image_id(row) for row in rows[:shown]]
        tables = {
            "images": _images(rows, ids),
            "embeddings": _embeddings(wanted, rows, ids, rng),
            "shifts": _shifts(wanted, rows, ids, rng, shown=shown),
            "attention": _maps(wanted, rows[rows < shown], ids, rng, grid=grid),
        }
        sink.write(chunk, {name: _table(name, columns, wanted) for name, columns in tables.items()})
    folder.joinpath("run.json").write_text(json.dumps(run_info(wanted)), encoding="utf-8")
    _views(folder, wanted, rng, shown=min(shown, images), side=side)
    return embshift.open_run(folder)


def _table(name, columns, wanted):
    schema = TABLES[name].arrow(dim=wanted.dim)
    length = len(next(iter(columns.values())))
    arrays = [
        pa.array(columns[field.name], field.type) if field.name in columns else pa.nulls(length, field.type)
        for field in schema
    ]
    return pa.Table.from_arrays(arrays, schema=schema)


def _images(rows, ids):
    names = np.char.add(np.char.add("folder/", ids), ".jpg")
    return {"row": rows, "image_id": ids, "member": names, "status": np.full(len(rows), "ok")}


def _lists(values, field_type):
    flat = pa.array(values.ravel().astype(np.float32))
    return pa.FixedSizeListArray.from_arrays(flat, type=field_type)


def _embeddings(wanted, rows, ids, rng):
    names = (ORIGINAL, *wanted.transforms)
    vectors = rng.normal(size=(len(rows) * len(names), wanted.dim))
    kind = TABLES["embeddings"].arrow(dim=wanted.dim).field("embedding").type
    return {
        "row": np.repeat(rows, len(names)),
        "image_id": np.repeat(ids, len(names)),
        "transform": np.tile(names, len(rows)),
        "draw": np.zeros(len(rows) * len(names), int),
        "status": np.full(len(rows) * len(names), "ok"),
        "embedding": _lists(vectors, kind),
    }


def _shifts(wanted, rows, ids, rng, *, shown):
    transforms, metrics = len(wanted.transforms), len(wanted.metrics)
    each = transforms * metrics
    moved = rng.gamma(4, 0.02, size=(len(rows), transforms, metrics)) * np.arange(1, transforms + 1)[:, None]
    # The images with views are the extremes, at both ends.
    out = rows < shown
    moved[out] *= np.where(rng.random((out.sum(), 1, 1)) < 0.5, 1e-3, 3)
    values = np.where(np.array(wanted.metrics) == "l2", 10 * moved, np.maximum(1 - moved / 3, -1))
    return {
        "row": np.repeat(rows, each),
        "image_id": np.repeat(ids, each),
        "transform": np.tile(np.repeat(wanted.transforms, metrics), len(rows)),
        "draw": np.zeros(len(rows) * each, int),
        "metric": np.tile(wanted.metrics, len(rows) * transforms),
        "value": values.ravel(),
    }


def _maps(wanted, rows, ids, rng, *, grid):
    names = (ORIGINAL, *wanted.transforms)
    length = len(rows) * len(names)
    return {
        "row": np.repeat(rows, len(names)),
        "image_id": np.repeat(ids[: len(rows)], len(names)),
        "transform": np.tile(names, len(rows)),
        "draw": np.zeros(length, int),
        "rows": np.full(length, grid),
        "columns": np.full(length, grid),
        "field": [[0.0, 0.0, 224.0, 224.0]] * length,
        "map": list(rng.random((length, grid * grid), np.float32)),
    }


def _views(folder, wanted, rng, *, shown, side):
    for row in range(shown):
        for name in (ORIGINAL, *wanted.transforms):
            path = view_path(folder, image_id=image_id(row), transform=name, draw=0)
            write_view(path, rng.integers(0, 256, (side, side, 3), np.uint8))


def measure(images: int) -> None:
    """Print processor time, peak memory and file size of the report of a run with a number of images."""
    with tempfile.TemporaryDirectory() as folder:
        # Each in its own process: the peak is that of the report alone.
        for step in (_make, _report):
            process = multiprocessing.get_context("spawn").Process(
                target=step, args=(Path(folder) / "run", images)
            )
            process.start()
            process.join()


def _make(folder: Path, images: int) -> None:
    make_large_run(folder, images=images)


def _report(folder: Path, images: int) -> None:
    before = time.process_time()
    size = embshift.open_run(folder).report().stat().st_size
    took = time.process_time() - before
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"{images:,} images: {size / 1e6:.2f} MB in {took:.0f} s of processor time, {peak:.2f} GiB at most")


if __name__ == "__main__":
    measure(int(sys.argv[1]))
