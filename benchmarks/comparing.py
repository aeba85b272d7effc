"""What comparing and thresholds cost: time and memory on synthetic runs of many images."""

import resource
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from benchmarks.memory import watch_memory
from benchmarks.setting import Setting
from benchmarks.timing import Figure, time_call
from embshift.core.types import ORIGINAL
from embshift.measurement.plan.plan import CHUNK
from embshift.runs.chunks import ParquetSink
from embshift.runs.record import write_record_file
from embshift.runs.schema import SCHEMA_VERSION, TABLES

__all__ = ["STAGES", "measure_compare", "measure_thresholds", "watch_command"]

RUNS, TRANSFORMS, DIM = 5, 10, 256
_DECAY, _OWN = 0.97, 0.05
"""How fast the axes of the images shorten, and the share of an encoder's own noise."""


def measure_compare(setting: Setting) -> list[Figure]:
    """Measure ``embshift compare`` on five runs of ten transforms."""
    folders = [_find_run(setting, number) for number in range(RUNS)]
    return _watch(
        "embshift compare",
        ["compare", *map(str, folders), "--quiet"],
        way=f"{RUNS} runs, {setting.finished:,} images, {TRANSFORMS} transforms",
        repetitions=setting.repetitions,
    )


def measure_thresholds(setting: Setting) -> list[Figure]:
    """Measure ``embshift summarise --show thresholds`` on one run of ten transforms."""
    return _watch(
        "thresholds",
        ["summarise", str(_find_run(setting, 0)), "--show", "thresholds", "--quiet"],
        way=f"{setting.finished:,} images, {TRANSFORMS} transforms",
        repetitions=setting.repetitions,
    )


def _watch(stage: str, arguments: list[str], *, way: str, repetitions: int) -> list[Figure]:
    command = [sys.executable, "-m", "embshift", *arguments]
    return watch_command(stage, command, way=way, repetitions=repetitions)


def watch_command(stage: str, command: list[str], *, way: str, repetitions: int) -> list[Figure]:
    """Measure a command: wall time, processor time of all cores, and peak memory."""
    peaks, spent, used = list[float](), list[float](), list[float]()
    for _ in range(repetitions):
        before = _read_processor_time()
        spent.append(time_call(lambda: peaks.append(watch_memory(command).main)))
        used.append(_read_processor_time() - before)
    return [
        Figure(stage=f"{stage}: time", way=way, unit="s", values=spent),
        Figure(stage=f"{stage}: processor time", way=way, unit="s", values=used),
        Figure(stage=f"{stage}: greatest memory", way=way, unit="MB", values=peaks),
    ]


def _read_processor_time() -> float:
    """Return the seconds that finished child processes have computed."""
    found = resource.getrusage(resource.RUSAGE_CHILDREN)
    return found.ru_utime + found.ru_stime


def _find_run(setting: Setting, number: int) -> Path:
    """Return a synthetic run, which is written on first use."""
    folder = setting.folder / f"compared-{number}"
    if not folder.exists():
        _write_run(folder, count=setting.finished, number=number)
    return folder


def _write_run(folder: Path, *, count: int, number: int) -> None:
    """Write a run: images and shifts are the same in all, each encoder turns and disturbs them in its way."""
    folder.mkdir()
    rng, own = np.random.default_rng(0), np.random.default_rng((1, number))
    axes = _DECAY ** np.arange(DIM)
    turn = np.linalg.qr(own.normal(size=(DIM, DIM)))[0]
    names = [f"transform_{at}" for at in range(TRANSFORMS)]
    sink = ParquetSink(folder=folder, fingerprint=f"synthetic {number}")
    for chunk in range(-(-count // CHUNK)):
        rows = np.arange(chunk * CHUNK, min((chunk + 1) * CHUNK, count))
        originals = rng.normal(size=(len(rows), DIM)) * axes
        seen = {ORIGINAL: originals}
        for at, name in enumerate(names):
            length = 0.15 * (at + 1) * rng.lognormal(sigma=0.5, size=(len(rows), 1))
            seen[name] = originals + length * rng.normal(size=originals.shape) * axes
        turned = {name: (one + _OWN * own.normal(size=one.shape) * axes) @ turn for name, one in seen.items()}
        sink.write(chunk, _make_tables(rows, turned))
    write_record_file(folder, _make_record(names, count=count, number=number))


def _make_tables(rows: np.ndarray, seen: Mapping[str, np.ndarray]) -> dict[str, pa.Table]:
    ids = [f"{row:032x}" for row in rows.tolist()]
    images: list[dict[str, Any]] = [
        {
            "row": row,
            "image_id": name,
            "member": f"{row}.jpg",
            "status": "ok",
            "perceptual_hash": np.random.default_rng(row).bytes(32),
        }
        for row, name in zip(rows.tolist(), ids, strict=True)
    ]
    views: list[dict[str, Any]] = [
        {
            "row": row,
            "image_id": name,
            "transform": transform,
            "draw": 0,
            "status": "ok",
            "pixels_digest": f"{name}{transform}".ljust(64, "0"),
            "embedding": vector,
        }
        for transform, vectors in seen.items()
        for row, name, vector in zip(rows.tolist(), ids, vectors.astype(np.float32), strict=True)
    ]
    content = {"images": images, "embeddings": views}
    return {
        name: pa.Table.from_pylist(content.get(name, []), schema=table.arrow(dim=DIM))
        for name, table in TABLES.items()
    }


def _make_record(names: list[str], *, count: int, number: int) -> dict[str, Any]:
    encoder = {"name": f"synthetic {number}", "dim": DIM, "digest": f"{number:064x}", "map_name": ""}
    return {
        "schema": SCHEMA_VERSION,
        "state": "finished",
        "fingerprint": f"synthetic {number}",
        "plan": {
            "transforms": [{"name": name, "kind": "registered", "target": name} for name in names],
            "draws": 1,
            "seed": 0,
        },
        "strengths": {},
        "encoder": encoder,
        "metrics": [],
        "counts": {"images": count, "failed": 0},
    }


STAGES: Mapping[str, Callable[[Setting], list[Figure]]] = {
    "compare": measure_compare,
    "thresholds": measure_thresholds,
}
"""Stages of comparisons, by their name for ``--only``."""
