"""What explaining costs: each part beside the forward pass, and whole explanations with their memory."""

import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from benchmarks.memory import watch_memory
from benchmarks.setting import Setting
from benchmarks.timing import Figure, interleave, make_figures, time_call
from benchmarks.ways import VIT
from embshift.core.types import Capture, ImageRecord
from embshift.encoders.inside import open_inside
from embshift.encoders.open import open_encoder
from embshift.images import Limits, decode, resize
from embshift.measurement.api import measure

__all__ = ["FORWARD", "STAGES", "measure_parts", "measure_studies"]

VIEWS, SIDE = 10, 224
"""Views of an image including the original; side of an image in pixels."""

DIRECTION = "clean_into_view"

FORWARD = "forward pass of a run"
"""What the parts are measured against."""


def measure_parts(setting: Setting) -> list[Figure]:
    """Measure the forward pass of a run, and each part of an explanation, on the ten views of an image."""
    return [figure for network in (VIT, "lite") for figure in _measure_network(setting, network)]


def _measure_network(setting: Setting, network: str) -> list[Figure]:
    encoder = open_encoder(setting.source(network), device="cpu")
    inside = open_inside(encoder)
    batches = [_read_views(setting, repetition) for repetition in range(setting.repetitions)]

    def time_part(part: Callable[[Any, Any], object], repetition: int) -> float:
        seen = inside.observe(batches[repetition])
        clean, views = seen.between(0, 1), seen.between(1, VIEWS)
        part(clean, views)  # the first call of a shape allocates
        return 1e3 / VIEWS * time_call(lambda: part(clean, views))

    def time_pass(run: Callable[[Any], object], repetition: int) -> float:
        return 1e3 / VIEWS * time_call(lambda: run(batches[repetition]))

    nowhere: list[Any] = [None] * (VIEWS - 1)
    parts: dict[str, Callable[[Any, Any], object]] = {
        "shares": inside.compute_shares,
        "contributions": inside.compute_contributions,
        "direct patches": partial(inside.patch_directly, direction=DIRECTION),
        "maps": lambda clean, views: inside.map_sources(clean, views, nowhere),
        "layers": lambda clean, views: inside.compare_layers(clean, views, nowhere),
        "heads": lambda clean, views: inside.compare_attention(clean, views, nowhere),
    }
    if inside.followed:
        parts["class path"] = partial(inside.patch_class_path, direction=DIRECTION)
    ways: dict[str, Callable[[int], float]] = {
        FORWARD: partial(time_pass, lambda views: encoder.encode(views, capture=Capture.EMBEDDING)),
        "observed pass": partial(time_pass, inside.observe),
        **{name: partial(time_part, part) for name, part in parts.items()},
    }
    taken = interleave(ways, repetitions=setting.repetitions)
    return make_figures(f"explaining, {network}", taken, unit="ms/view", against=FORWARD)


def _read_views(setting: Setting, repetition: int) -> np.ndarray:
    """Return ten different images of one size, as if they were an image and its views."""
    paths = setting.block(repetition, count=VIEWS)
    records = [ImageRecord(row=0, source="", member=path, path=path) for path in paths]
    found = [decode(record, limits=Limits()).pixels for record in records]
    return np.stack([resize(each, size=(SIDE, SIDE), rule="linear") for each in found if each is not None])


def measure_studies(setting: Setting) -> list[Figure]:
    """Measure ``embshift explain`` on runs of a quarter of the images and of all: time and peak memory."""
    made = list[Figure]()
    for network in (VIT, "lite"):
        for count in (max(1, setting.explained // 4), setting.explained):
            made += _measure_study(setting, network, count)
    return made


def _measure_study(setting: Setting, network: str, count: int) -> list[Figure]:
    run = setting.folder / f"explained-{network.replace('/', '-')}-{count}"
    images: Sequence[str] = [str(path) for path in setting.images[:count]]
    measure(images, encoder=setting.source(network), out=run)
    command = [sys.executable, "-m", "embshift", "explain", str(run), "--quiet"]
    peaks = list[float]()
    spent = time_call(lambda: peaks.append(watch_memory(command).main))
    size = sum(path.stat().st_size for path in (run / "explain").rglob("*") if path.is_file())
    stage, way = f"embshift explain, {network}", f"{count} images, {VIEWS} views each"
    values = {
        "time": ("s", spent),
        "greatest memory": ("MB", peaks[0]),
        "stored": ("KB/image", size / 1e3 / count),
    }
    return [
        Figure(stage=f"{stage}: {name}", way=way, unit=unit, values=[value])
        for name, (unit, value) in values.items()
    ]


STAGES: Mapping[str, Callable[[Setting], list[Figure]]] = {
    "explain": measure_parts,
    "explained": measure_studies,
}
"""Stages of explanations, by their name for ``--only``."""
