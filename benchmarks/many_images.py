"""What statistics of very many images cost, on a synthetic run that holds shifts and no embeddings."""

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from benchmarks.comparing import watch_command
from benchmarks.setting import Setting
from benchmarks.timing import Figure
from embshift.core.types import MetricSpec
from embshift.measurement.plan.plan import DEFAULT_METRICS
from embshift.measurement.session.provenance import metric_content
from embshift.metrics import METRICS
from embshift.runs.chunks import ParquetSink
from embshift.runs.record import write_record_file
from embshift.runs.schema import SCHEMA_VERSION, TABLES

__all__ = ["STAGES", "measure_many", "write_shifts"]

TRANSFORMS = tuple(f"transform_{at}" for at in range(10))
CHUNK = 4096
"""Images of a chunk: with so many images, chunks of 64 would be files of a few kilobytes."""


def measure_many(setting: Setting) -> list[Figure]:
    """Measure the summary, the statistics and the report of a run of very many images."""
    folder = setting.folder / "many"
    if not folder.exists():
        write_shifts(folder, images=setting.many)
    way = f"{setting.many:,} images, {len(TRANSFORMS)} transforms, {len(DEFAULT_METRICS)} metrics"
    statistics = f"import embshift; embshift.open_run({str(folder)!r}).statistics()"
    commands = {
        "embshift summarise": ["-m", "embshift", "summarise", str(folder), "--quiet"],
        "Run.statistics": ["-c", statistics],
        "embshift report": ["-m", "embshift", "report", str(folder), "--quiet"],
    }
    return [
        figure
        for stage, command in commands.items()
        for figure in watch_command(
            stage, [sys.executable, *command], way=way, repetitions=setting.repetitions
        )
    ]


def write_shifts(
    folder: Path,
    *,
    images: int,
    transforms: tuple[str, ...] = TRANSFORMS,
    metrics: tuple[str, ...] = DEFAULT_METRICS,
    chunk: int = CHUNK,
    repeated: int = 0,
) -> None:
    """Write a finished run of images and shifts; the tables of embeddings and maps are empty.

    Args:
        folder: A new folder.
        images: Number of images.
        transforms: Names of the transforms.
        metrics: Names of registered metrics.
        chunk: Images of a chunk.
        repeated: Number of images, the last ones, that equal the first ones.
    """
    folder.mkdir(parents=True)
    specs = [METRICS[name].spec for name in metrics]
    sink, rng = ParquetSink(folder=folder, fingerprint="synthetic"), np.random.default_rng(0)
    for number, first in enumerate(range(0, images, chunk)):
        rows = np.arange(first, min(first + chunk, images))
        originals = np.where(rows >= images - repeated, rows - (images - repeated), rows)
        ids = [f"{row * 0x9E3779B97F4A7C15 % 2**128:032x}" for row in originals.tolist()]
        values = _draw_values(len(rows), len(transforms), specs=specs, rng=rng)
        columns = {
            "images": {"row": rows, "image_id": ids, "member": ids, "status": ["ok"] * len(rows)},
            "shifts": _list_shifts(rows, ids, values, transforms=transforms, metrics=metrics),
        }
        sink.write(number, {name: _make_table(name, columns.get(name, {})) for name in TABLES})
    write_record_file(folder, _make_record(transforms, specs, images=images, chunk=chunk))


def _draw_values(
    images: int, transforms: int, *, specs: list[MetricSpec], rng: np.random.Generator
) -> np.ndarray:
    """Draw skewed shifts; an image that one transform moves far, all of them do."""
    own = rng.gamma(3, 1 / 3, size=(images, 1, 1))
    size = 0.03 * (1 + np.arange(transforms))[:, None]
    moved = np.minimum(own * size * rng.gamma(4, 1 / 4, size=(images, transforms, len(specs))), 1)
    ends = np.array([spec.bounds[0] if np.isfinite(spec.bounds[1]) else 10.0 for spec in specs])
    identity = np.array([spec.identity for spec in specs])
    return identity + moved * (ends - identity)


def _list_shifts(
    rows: np.ndarray,
    ids: list[str],
    values: np.ndarray,
    *,
    transforms: tuple[str, ...],
    metrics: tuple[str, ...],
) -> dict[str, Any]:
    each, images = len(transforms) * len(metrics), len(rows)
    name = pa.array(ids).dictionary_encode()
    return {
        "row": np.repeat(rows, each),
        "image_id": name.take(pa.array(np.repeat(np.arange(images), each))).dictionary_decode(),
        "transform": _repeat(
            transforms, np.tile(np.repeat(np.arange(len(transforms)), len(metrics)), images)
        ),
        "draw": np.zeros(images * each, np.int32),
        "metric": _repeat(metrics, np.tile(np.arange(len(metrics)), images * len(transforms))),
        "value": values.ravel(),
    }


def _repeat(names: tuple[str, ...], codes: np.ndarray) -> pa.Array:
    return pa.DictionaryArray.from_arrays(pa.array(codes, pa.int32()), pa.array(names)).dictionary_decode()


def _make_table(name: str, columns: Mapping[str, Any]) -> pa.Table:
    schema = TABLES[name].arrow(dim=1)
    length = len(columns["row"]) if columns else 0
    arrays = [
        pa.array(columns[field.name], field.type) if field.name in columns else pa.nulls(length, field.type)
        for field in schema
    ]
    return pa.Table.from_arrays(arrays, schema=schema)


def _make_record(
    transforms: tuple[str, ...], specs: list[MetricSpec], *, images: int, chunk: int
) -> dict[str, Any]:
    return {
        "schema": SCHEMA_VERSION,
        "state": "finished",
        "fingerprint": "synthetic",
        "plan": {
            "transforms": [{"name": name, "kind": "registered", "target": name} for name in transforms],
            "draws": 1,
            "seed": 0,
            "chunk": chunk,
        },
        "strengths": {},
        "encoder": {"name": "synthetic", "dim": 1, "map_name": "attention map"},
        "metrics": [metric_content(spec) for spec in specs],
        "counts": {"images": images, "failed": 0},
    }


STAGES: Mapping[str, Callable[[Setting], list[Figure]]] = {"many": measure_many}
"""Stages of very many images, by their name for ``--only``."""
