"""Synthetic run folders: random numbers for any number of transforms, images and metrics."""

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa

import embshift
from embshift.core.types import ORIGINAL
from embshift.metrics import METRICS
from embshift.runs.chunks import ParquetSink
from embshift.runs.schema import SCHEMA_VERSION, TABLES
from embshift.runs.view_files import view_path, write_view
from tests.explained_views import write_explanation, write_words

PAPER = ("cosine", "l2", "attention_similarity", "patch_similarity", "edge_similarity", "detail_similarity")
NINE = (
    "noise",
    "blur",
    "color_jitter",
    "shift_scale_rotate",
    "horizontal_flip",
    "elastic",
    "perspective",
    "random_brightness_contrast",
    "coarse_dropout",
)
_MORE = (
    "jpeg",
    "fog",
    "posterize",
    "motion_blur",
    "an_uncommonly_long_name_that_somebody_gave_to_a_transform",
)
THIRTY = NINE + tuple(f"{_MORE[at % 5]}_{at // 5 + 1}" for at in range(21))


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """Contents of a synthetic run folder.

    Attributes:
        transforms: Names of the transforms.
        images: Number of images, all readable.
        metrics: Names of registered metrics.
        draws: Number of draws.
        undefined: Pairs (transform, metric) whose values are NaN; None stands for all transforms or metrics.
        missing: Transforms whose views all failed.
        partly: Transforms whose views of the first four images failed.
        constant_map: The transform whose maps are constant; empty for none.
        views: Whether views were kept.
        maps: Whether there are maps.
        size: Height and width of the views.
        encoder: Name of the encoder.
        map_name: What the maps are.
        same: Whether every image has the same values.
        uneven: Whether the distances of one transform lie much closer together than those of another.
        dim: Length of an embedding.
        seed: Seed of all numbers.
        explained: Whether the run holds an explanation.
        swept: The registered transform of which all transforms are severities; empty for one each.
        members: Names of the first images; the others get a name of their own.
        pixels: How images are prepared: other values stand for other pixels of all originals and views.
    """

    transforms: tuple[str, ...] = NINE
    images: int = 12
    metrics: tuple[str, ...] = PAPER
    draws: int = 1
    undefined: tuple[tuple[str | None, str | None], ...] = ()
    missing: tuple[str, ...] = ()
    partly: tuple[str, ...] = ()
    views: bool = True
    maps: bool = True
    size: tuple[int, int] = (40, 40)
    map_name: str = "attention map"
    encoder: str = "synthetic"
    same: bool = False
    uneven: bool = False
    constant_map: str = ""
    dim: int = 8
    seed: int = 0
    swept: str = ""
    explained: bool = False
    members: tuple[str, ...] = field(default=())
    pixels: str = ""


def make_run(folder: Path, wanted: Wanted) -> embshift.Run:
    """Write the folder and open it."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(wanted.seed)
    tables = {"images": _images(wanted), "embeddings": [], "shifts": [], "attention": []}
    for row in range(wanted.images):
        own = np.random.default_rng(1) if wanted.same else rng
        tables["embeddings"] += _embeddings(wanted, row, own)
        tables["shifts"] += _shifts(wanted, row, own)
        tables["attention"] += _attention(wanted, row, own)
        if wanted.views:
            _views(wanted, row, folder, own)
    sink = ParquetSink(folder=folder, fingerprint="synthetic")
    sink.write(
        0,
        {
            name: pa.Table.from_pylist(rows, schema=TABLES[name].arrow(dim=wanted.dim))
            for name, rows in tables.items()
        },
    )
    (folder / "run.json").write_text(json.dumps(run_info(wanted)), encoding="utf-8")
    if wanted.explained:
        keys = [
            (_strength(wanted, at), key) for row in range(wanted.images) for at, key in _keys(wanted, row)
        ]
        write_explanation(folder, keys, images=wanted.images, size=wanted.size, seed=wanted.seed)
        write_words(folder, dim=wanted.dim, seed=wanted.seed, fingerprint="synthetic", images=wanted.images)
    return embshift.open_run(folder)


def _transform(wanted, at):
    """Return a transform of the plan: a severity of itself, or of the swept transform."""
    name = wanted.transforms[at]
    level = {"severity": at % 5 + 1, "strength": 2.0 * (at % 5 + 1)}
    return {"name": name, "kind": "registered", "target": wanted.swept or name} | level


def run_info(wanted):
    """Return the content of ``run.json``."""
    specs = [METRICS[name].spec for name in wanted.metrics]
    return {
        "schema": SCHEMA_VERSION,
        "state": "finished",
        "fingerprint": "synthetic",
        "plan": {
            "transforms": [_transform(wanted, at) for at in range(len(wanted.transforms))],
            "draws": wanted.draws,
            "seed": 0,
        },
        "strengths": {
            name: {"family": "blur", "meaning": "angle", "unit": "°", "zero": 0.0, "rising": True}
            for name in (*wanted.transforms, wanted.swept)
        },
        "encoder": {"name": wanted.encoder, "map_name": wanted.map_name, "map_source": "last block"},
        "metrics": [
            {
                "name": spec.name,
                "summary": spec.summary,
                "unit": spec.unit,
                "bounds": [None if abs(bound) == float("inf") else bound for bound in spec.bounds],
                "identity": spec.identity,
                "direction": str(spec.direction),
                "needs": spec.needs.value,
                "blind_to": spec.blind_to,
                "performance": spec.performance,
                "reference": spec.reference,
            }
            for spec in specs
        ],
        "counts": {"images": wanted.images, "failed": 0},
    }


def image_id(row):
    """Return the identifier of an image, 32 hexadecimal digits."""
    return hashlib.sha256(str(row).encode()).hexdigest()[:32]


def _images(wanted):
    return [
        {
            "row": row,
            "image_id": image_id(row),
            "member": wanted.members[row] if row < len(wanted.members) else f"folder/picture-{row}.jpg",
            "status": "ok",
        }
        for row in range(wanted.images)
    ]


def _keys(wanted, row):
    for at, name in enumerate(wanted.transforms):
        if name not in wanted.missing and not (name in wanted.partly and row < 4):
            for draw in range(wanted.draws):
                yield at, {"row": row, "image_id": image_id(row), "transform": name, "draw": draw}


def _strength(wanted, at):
    """Return how much a transform changes an image, from 0.0025 to 0.9; not in the order of the names."""
    return (0.05 + 0.9 * ((at * 7) % len(wanted.transforms)) / len(wanted.transforms)) ** 2


def _embeddings(wanted, row, rng):
    base = rng.normal(size=wanted.dim)
    made = {"row": row, "image_id": image_id(row), "status": "ok"}
    original = {"transform": ORIGINAL, "draw": 0, "pixels_digest": _digest(wanted, row, ORIGINAL, 0)}
    rows = [made | original | {"embedding": base.astype(np.float32)}]
    for at, key in _keys(wanted, row):
        direction = np.random.default_rng(at % 4).normal(size=wanted.dim)
        moved = base + _strength(wanted, at) * (direction + 0.3 * rng.normal(size=wanted.dim))
        seen = {"pixels_digest": _digest(wanted, row, key["transform"], key["draw"])}
        rows.append(key | seen | {"status": "ok", "embedding": moved.astype(np.float32)})
    return rows


def _digest(wanted, row, transform, draw):
    """Return the digest of a view's pixels, 64 hexadecimal digits."""
    return hashlib.sha256(f"{wanted.pixels} {row} {transform} {draw}".encode()).hexdigest()


def _shifts(wanted, row, rng):
    rows = []
    for at, key in _keys(wanted, row):
        strength = _strength(wanted, at)
        for place, metric in enumerate(wanted.metrics):
            moved = strength * rng.gamma(4, 0.25)
            distance = 10 * moved if wanted.uneven else (2 + 8 * strength**0.5) * rng.gamma(9, 1 / 9)
            spec = METRICS[metric].spec
            value = 1 - moved * (1.1, 1, 0.08, 0.2, 0.3, 0.6)[place % 6] if spec.identity == 1 else distance
            taken = [(key["transform"], metric), (None, metric), (key["transform"], None), (None, None)]
            if set(taken) & set(wanted.undefined):
                value = np.nan
            rows.append(key | {"metric": metric, "value": np.clip(value, *spec.bounds)})
    return rows


def _attention(wanted, row, rng):
    if not wanted.maps:
        return []
    grid = rng.random(9)
    shape = {"rows": 3, "columns": 3, "field": [2.0, 1.0, wanted.size[0] - 4.0, wanted.size[1] - 2.0]}
    rows = [{"row": row, "image_id": image_id(row), "transform": ORIGINAL, "draw": 0} | shape | {"map": grid}]
    for _, key in _keys(wanted, row):
        made = np.ones(9) if key["transform"] == wanted.constant_map else grid + 0.3 * rng.random(9)
        rows.append(key | shape | {"map": made})
    return rows


def _views(wanted, row, folder, rng):
    height, width = wanted.size
    base = np.add.outer(np.linspace(0, 200, height), np.linspace(0, 55, width))[:, :, None]
    picture = (base * rng.uniform(0.4, 1, 3)).astype(np.uint8)
    path = view_path(folder, image_id=image_id(row), transform=ORIGINAL, draw=0)
    write_view(path, picture)
    for _, key in _keys(wanted, row):
        shifted = np.clip(picture.astype(int) + rng.integers(-60, 60, 3), 0, 255).astype(np.uint8)
        made = view_path(folder, image_id=image_id(row), transform=key["transform"], draw=key["draw"])
        write_view(made, shifted)
