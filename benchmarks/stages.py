"""Single stages: decoding, views, metrics, writing."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import cv2
import numpy as np

from benchmarks.images import write_large_images
from benchmarks.plain import compare_pixels, paper_transforms
from benchmarks.setting import Setting
from benchmarks.timing import Figure, interleave, make_figures, time_call
from embshift.core.types import Field, ImageRecord, ViewKey
from embshift.images import Limits, decode, resize
from embshift.metrics import METRICS
from embshift.metrics.shared_gray import compute_pixel_metrics
from embshift.transforms.build import build
from embshift.transforms.fast import to_fast_form
from embshift.transforms.perturb import perturb
from embshift.transforms.presets import load_preset

__all__ = ["STAGES"]

SIZE = (224, 224)
PIXEL = ("patch_similarity", "edge_similarity", "detail_similarity")


def measure_decoding(setting: Setting) -> list[Figure]:
    """Measure decoding of the benchmark's images, and of images in camera size."""
    large = write_large_images(setting.folder / "large", count=4)
    found = list[Figure]()
    for name, paths in (("decode 500 x 375", setting.images[: setting.few]), ("decode 4000 x 3000", large)):
        ways = {
            "full": partial(_time_decoding, paths, Limits()),
            "scaled": partial(_time_decoding, paths, Limits(wanted=SIZE)),
        }
        taken = interleave(ways, repetitions=setting.repetitions)
        found += make_figures(name, taken, unit="ms/image", against="full")
    return found


def measure_views(setting: Setting) -> list[Figure]:
    """Measure the nine views of images that are already decoded and resized."""
    originals = _read_originals(setting)
    reference = {plan.name: build(plan) for plan in load_preset("paper").transforms}
    ways = {
        "plain": partial(_time_plain_views, originals, paper_transforms()),
        "reference": partial(_time_views, originals, reference),
        "fast": partial(
            _time_views, originals, {name: to_fast_form(each) for name, each in reference.items()}
        ),
    }
    taken = interleave(ways, repetitions=setting.repetitions)
    return make_figures("nine views", taken, unit="ms/image", against="plain")


def measure_pixel_metrics(setting: Setting) -> list[Figure]:
    """Measure patch, edge and detail similarity of nine views."""
    sets = _make_view_sets(setting)
    metrics = {name: METRICS[name].compute for name in PIXEL}
    ways = {"plain": partial(_time_plain_metrics, sets), "batched": partial(_time_metrics, sets, metrics)}
    taken = interleave(ways, repetitions=setting.repetitions)
    return make_figures("pixel metrics", taken, unit="ms/image", against="plain")


def measure_attention(setting: Setting) -> list[Figure]:
    """Measure attention similarity of nine views, from maps of 7 x 7 patches of 12 heads."""
    maps = np.random.default_rng(0).dirichlet(np.ones(50), (setting.few, 10, 12))[..., 1:].astype(np.float32)
    ways = {"plain": partial(_time_plain_attention, maps), "batched": partial(_time_attention, maps)}
    taken = interleave(ways, repetitions=setting.repetitions)
    return make_figures("attention metric", taken, unit="ms/image", against="plain")


def measure_writing(setting: Setting) -> list[Figure]:
    """Measure the time to tabulate and commit one chunk, and its size."""
    from benchmarks.chunk import make_chunk
    from embshift.measurement.pipeline.tabulate import tabulate
    from embshift.runs.chunks import ParquetSink

    results, dim = make_chunk(setting)
    sizes = list[float]()

    def write(_: int) -> float:
        with TemporaryDirectory(dir=setting.folder) as folder:
            sink = ParquetSink(folder=Path(folder), fingerprint="0" * 32)
            spent = time_call(
                lambda: sink.write(0, tabulate(results, dim=dim, metadata={"fingerprint": "0" * 32}))
            )
            sizes.append(
                sum(path.stat().st_size for path in Path(folder).rglob("*.parquet")) / 1e3 / len(results)
            )
        return 1e3 * spent / len(results)

    taken = interleave({"one chunk": write}, repetitions=setting.repetitions)
    return [
        *make_figures("write", taken, unit="ms/image"),
        Figure(stage="write", way="size", unit="KB/image", values=sizes),
    ]


def _time_decoding(paths: Sequence[Path], limits: Limits, _: int) -> float:
    records = [ImageRecord(row=0, source="", member=path.name, path=str(path)) for path in paths]
    return 1e3 / len(paths) * time_call(lambda: [decode(record, limits=limits) for record in records])


def _read_originals(setting: Setting) -> list[Any]:
    records = [
        ImageRecord(row=0, source="", member=path.name, path=str(path))
        for path in setting.images[: setting.few]
    ]
    found = [decode(record, limits=Limits()).pixels for record in records]
    return [resize(pixels, size=SIZE, rule="linear") for pixels in found if pixels is not None]


def _make_view_sets(setting: Setting) -> list[tuple[Any, Any]]:
    transforms = {plan.name: build(plan) for plan in load_preset("paper").transforms}
    originals = _read_originals(setting)[: max(4, setting.few // 4)]
    return [
        (pixels, np.stack(_make_views(pixels, transforms, number))) for number, pixels in enumerate(originals)
    ]


def _make_views(pixels: Any, transforms: Mapping[str, Any], number: int) -> list[Any]:
    keys = {name: ViewKey(run_seed=0, image_id=str(number), transform=name) for name in transforms}
    return [perturb(pixels, each, key=keys[name]).pixels for name, each in transforms.items()]


def _time_plain_views(originals: Sequence[Any], transforms: Mapping[str, Any], _: int) -> float:
    def work() -> None:
        for pixels in originals:
            for each in transforms.values():
                each(image=pixels)

    return 1e3 / len(originals) * _time_on_one_core(work)


def _time_views(originals: Sequence[Any], transforms: Mapping[str, Any], repetition: int) -> float:
    def work() -> None:
        for number, pixels in enumerate(originals):
            _make_views(pixels, transforms, repetition * len(originals) + number)

    return 1e3 / len(originals) * _time_on_one_core(work)


def _time_plain_metrics(sets: Sequence[tuple[Any, Any]], _: int) -> float:
    def work() -> None:
        for reference, shifted in sets:
            for view in shifted:
                compare_pixels(reference, view)

    return 1e3 / len(sets) * _time_on_one_core(work)


def _time_metrics(sets: Sequence[tuple[Any, Any]], metrics: Mapping[str, Any], _: int) -> float:
    def work() -> None:
        for reference, shifted in sets:
            compute_pixel_metrics(metrics, reference, shifted)

    return 1e3 / len(sets) * _time_on_one_core(work)


def _time_plain_attention(maps: Any, _: int) -> float:
    def render(rows: Any) -> Any:
        heat = cv2.resize(rows.mean(axis=0).reshape(7, 7), SIZE)
        return (heat - heat.min()) / (heat.max() - heat.min())

    def work() -> None:
        for one in maps:
            for view in one[1:]:
                1 / (1 + np.mean((render(one[0]) - render(view)) ** 2))

    return 1e3 / len(maps) * _time_on_one_core(work)


def _time_attention(maps: Any, _: int) -> float:
    import torch

    from embshift.core.encoding import Encoding

    metric = METRICS["attention_similarity"].compute

    def encode(rows: Any) -> Encoding:
        tensor = torch.from_numpy(np.ascontiguousarray(rows))
        whole = Field(0, 0, *SIZE)
        return Encoding(embedding=torch.zeros(len(rows), 1), grid=(7, 7), field=whole, attention=tensor)

    def work() -> None:
        for one in maps:
            metric(encode(one[:1].repeat(9, axis=0)), encode(one[1:]))

    return 1e3 / len(maps) * _time_on_one_core(work)


def _time_on_one_core(work: Callable[[], None]) -> float:
    """Return the seconds that the work takes on one core, as in a worker of a run."""
    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        return time_call(work)
    finally:
        cv2.setNumThreads(before)


STAGES: Mapping[str, Callable[[Setting], list[Figure]]] = {
    "decode": measure_decoding,
    "views": measure_views,
    "metrics": measure_pixel_metrics,
    "attention": measure_attention,
    "write": measure_writing,
}
"""Single stages, by their name for ``--only``."""
