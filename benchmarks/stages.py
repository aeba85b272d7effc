"""Each stage alone: decoding, views, metrics, writing."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import cv2
import numpy as np

from benchmarks.pictures import write_large
from benchmarks.plain import compare_pixels, paper_transforms
from benchmarks.setting import Setting
from benchmarks.taking import Figure, figures, interleaved, seconds
from embshift.core.types import Field, ImageRecord, ViewKey
from embshift.images import Limits, decode, resize
from embshift.metrics import METRICS
from embshift.metrics.shared_gray import take_together
from embshift.transforms.build import build, perturb
from embshift.transforms.fast import hastened
from embshift.transforms.presets import load_preset

__all__ = ["STAGES"]

SIZE = (224, 224)
PIXEL = ("patch_similarity", "edge_similarity", "detail_similarity")


def decoding(setting: Setting) -> list[Figure]:
    """Decoding alone: the benchmark's pictures, and pictures of a camera's size."""
    large = write_large(setting.folder / "large", count=4)
    found = list[Figure]()
    for name, paths in (("decode 500 x 375", setting.pictures[: setting.few]), ("decode 4000 x 3000", large)):
        ways = {
            "full": partial(_decode_all, paths, Limits()),
            "scaled": partial(_decode_all, paths, Limits(wanted=SIZE)),
        }
        taken = interleaved(ways, repetitions=setting.repetitions)
        found += figures(name, taken, unit="ms/image", against="full")
    return found


def views(setting: Setting) -> list[Figure]:
    """The nine views alone, of pictures that are decoded and resized."""
    originals = _originals(setting)
    reference = {plan.name: build(plan) for plan in load_preset("paper").transforms}
    ways = {
        "plain": partial(_plain_views, originals, paper_transforms()),
        "reference": partial(_views, originals, reference),
        "fast": partial(_views, originals, {name: hastened(each) for name, each in reference.items()}),
    }
    taken = interleaved(ways, repetitions=setting.repetitions)
    return figures("nine views", taken, unit="ms/image", against="plain")


def pixel_metrics(setting: Setting) -> list[Figure]:
    """Patch, edge and detail similarity of nine views."""
    sets = _view_sets(setting)
    metrics = {name: METRICS[name].compute for name in PIXEL}
    ways = {"plain": partial(_plain_metrics, sets), "batched": partial(_metrics, sets, metrics)}
    taken = interleaved(ways, repetitions=setting.repetitions)
    return figures("pixel metrics", taken, unit="ms/image", against="plain")


def attention_metric(setting: Setting) -> list[Figure]:
    """Attention similarity of nine views, from maps of 7 x 7 patches of 12 heads."""
    maps = np.random.default_rng(0).dirichlet(np.ones(50), (setting.few, 10, 12))[..., 1:].astype(np.float32)
    ways = {"plain": partial(_plain_attention, maps), "batched": partial(_attention, maps)}
    taken = interleaved(ways, repetitions=setting.repetitions)
    return figures("attention metric", taken, unit="ms/image", against="plain")


def writing(setting: Setting) -> list[Figure]:
    """The run folder of one chunk: time to tabulate and commit it, and its size."""
    from benchmarks.chunk import made_up_chunk
    from embshift.measurement.pipeline.tabulate import tabulate
    from embshift.runs.chunks import ParquetSink

    results, dim = made_up_chunk(setting)
    sizes = list[float]()

    def write(_: int) -> float:
        with TemporaryDirectory(dir=setting.folder) as folder:
            sink = ParquetSink(folder=Path(folder), fingerprint="0" * 32)
            spent = seconds(
                lambda: sink.write(0, tabulate(results, dim=dim, metadata={"fingerprint": "0" * 32}))
            )
            sizes.append(
                sum(path.stat().st_size for path in Path(folder).rglob("*.parquet")) / 1e3 / len(results)
            )
        return 1e3 * spent / len(results)

    taken = interleaved({"one chunk": write}, repetitions=setting.repetitions)
    return [
        *figures("write", taken, unit="ms/image"),
        Figure(stage="write", way="size", unit="KB/image", values=sizes),
    ]


def _decode_all(paths: Sequence[Path], limits: Limits, _: int) -> float:
    records = [ImageRecord(row=0, source="", member=path.name, path=str(path)) for path in paths]
    return 1e3 / len(paths) * seconds(lambda: [decode(record, limits=limits) for record in records])


def _originals(setting: Setting) -> list[Any]:
    records = [
        ImageRecord(row=0, source="", member=path.name, path=str(path))
        for path in setting.pictures[: setting.few]
    ]
    found = [decode(record, limits=Limits()).pixels for record in records]
    return [resize(pixels, size=SIZE, rule="linear") for pixels in found if pixels is not None]


def _view_sets(setting: Setting) -> list[tuple[Any, Any]]:
    transforms = {plan.name: build(plan) for plan in load_preset("paper").transforms}
    originals = _originals(setting)[: max(4, setting.few // 4)]
    return [
        (pixels, np.stack(_views_of(pixels, transforms, number))) for number, pixels in enumerate(originals)
    ]


def _views_of(pixels: Any, transforms: Mapping[str, Any], number: int) -> list[Any]:
    keys = {name: ViewKey(run_seed=0, image_id=str(number), transform=name) for name in transforms}
    return [perturb(pixels, each, key=keys[name]).pixels for name, each in transforms.items()]


def _plain_views(originals: Sequence[Any], transforms: Mapping[str, Any], _: int) -> float:
    def work() -> None:
        for pixels in originals:
            for each in transforms.values():
                each(image=pixels)

    return 1e3 / len(originals) * _single_threaded(work)


def _views(originals: Sequence[Any], transforms: Mapping[str, Any], repetition: int) -> float:
    def work() -> None:
        for number, pixels in enumerate(originals):
            _views_of(pixels, transforms, repetition * len(originals) + number)

    return 1e3 / len(originals) * _single_threaded(work)


def _plain_metrics(sets: Sequence[tuple[Any, Any]], _: int) -> float:
    def work() -> None:
        for reference, shifted in sets:
            for view in shifted:
                compare_pixels(reference, view)

    return 1e3 / len(sets) * _single_threaded(work)


def _metrics(sets: Sequence[tuple[Any, Any]], metrics: Mapping[str, Any], _: int) -> float:
    def work() -> None:
        for reference, shifted in sets:
            take_together(metrics, reference, shifted)

    return 1e3 / len(sets) * _single_threaded(work)


def _plain_attention(maps: Any, _: int) -> float:
    def drawn(rows: Any) -> Any:
        heat = cv2.resize(rows.mean(axis=0).reshape(7, 7), SIZE)
        return (heat - heat.min()) / (heat.max() - heat.min())

    def work() -> None:
        for one in maps:
            for view in one[1:]:
                1 / (1 + np.mean((drawn(one[0]) - drawn(view)) ** 2))

    return 1e3 / len(maps) * _single_threaded(work)


def _attention(maps: Any, _: int) -> float:
    import torch

    from embshift.core.encoding import Encoding

    metric = METRICS["attention_similarity"].compute

    def encoded(rows: Any) -> Encoding:
        tensor = torch.from_numpy(np.ascontiguousarray(rows))
        whole = Field(0, 0, *SIZE)
        return Encoding(embedding=torch.zeros(len(rows), 1), grid=(7, 7), field=whole, attention=tensor)

    def work() -> None:
        for one in maps:
            metric(encoded(one[:1].repeat(9, axis=0)), encoded(one[1:]))

    return 1e3 / len(maps) * _single_threaded(work)


def _single_threaded(work: Callable[[], None]) -> float:
    """Seconds on one core, as a worker of a run has it."""
    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        return seconds(work)
    finally:
        cv2.setNumThreads(before)


STAGES: Mapping[str, Callable[[Setting], list[Figure]]] = {
    "decode": decoding,
    "views": views,
    "metrics": pixel_metrics,
    "attention": attention_metric,
    "write": writing,
}
"""Stages alone, by the name that ``--only`` takes."""
