"""Stage of runs from files on a GPU, as a share of the peak rate of its matrix products."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from benchmarks.child import VIEWS, run_task
from benchmarks.images import write_encoder
from benchmarks.setting import Setting
from benchmarks.timing import Figure

__all__ = ["SHAPES", "STAGES", "Shape", "measure_gpu", "measure_shape"]

PEAK = 790e12
"""Rate of an H100 for products of bfloat16 matrices, in operations per second; the goals refer to it."""

VIEWS_ON = ("gpu", "fast")
"""Where views are made: on the device, or by worker processes."""


@dataclass(frozen=True, kw_only=True)
class Shape:
    """A vision tower of the paper's family.

    Attributes:
        name: Its name.
        operations: Operations of the whole network's forward pass of one view; the goals count them. A run
            leaves out 3 to 6 % of them, the last block's work on the patches.
        config: What differs from ViT-B/32.
        batch: Views in a batch; larger batches were no faster on an H100.
        images: How often a repetition uses the benchmark's images.
    """

    name: str
    operations: float
    config: Mapping[str, int]
    batch: int
    images: int


_LARGE = {
    "patch_size": 14,
    "hidden_size": 1024,
    "intermediate_size": 4096,
    "num_hidden_layers": 24,
    "num_attention_heads": 16,
    "projection_dim": 768,
}

SHAPES = (
    Shape(name="ViT-L/14", operations=162e9, config=_LARGE, batch=256, images=2),
    Shape(name="ViT-B/16", operations=35.1e9, config={"patch_size": 16}, batch=256, images=4),
    Shape(name="ViT-B/32", operations=8.8e9, config={}, batch=512, images=6),
)
"""The shapes for which there are goals."""


def measure_gpu(setting: Setting) -> list[Figure]:
    """Measure each shape from files, in bfloat16 and compiled; return nothing without CUDA."""
    import torch

    if not torch.cuda.is_available():
        return []
    return [one for shape in SHAPES for one in measure_shape(setting, shape, device="cuda")]


def measure_shape(
    setting: Setting, shape: Shape, *, device: str, precision: str = "bfloat16", runtime: str = "compiled"
) -> list[Figure]:
    """Measure images per second and the share of the peak, for a run and for the encoder alone.

    Args:
        setting: The images and folders.
        shape: The tower.
        device: Device in torch's spelling.
        precision: Number format.
        runtime: What runs the network.
    """
    folder = write_encoder(setting.folder / shape.name.replace("/", "-"), **shape.config)
    options = {"precision": precision, "runtime": runtime, "decode": "scaled", "batch": shape.batch}
    found = run_task(
        "runs",
        encoder=str(folder),
        images=_write_copies(setting, shape.images * len(setting.images)),
        ways=[{**options, "views": views} for views in VIEWS_ON],
        alone=shape.batch,
        rounds=20,
        times=setting.repetitions,
        device=device,
    )
    return [
        figure
        for views, each in zip(VIEWS_ON, found, strict=True)
        for figure in _shape_figures(shape, f"{shape.name}, views {views}", each)
    ]


def _write_copies(setting: Setting, count: int) -> list[str]:
    """Write ``count`` copies of the images, each with distinct bytes, and return their paths."""
    folder = setting.folder / "many"
    folder.mkdir(exist_ok=True)
    paths = [folder / f"{row:06d}.jpg" for row in range(count)]
    for row, path in enumerate(paths):
        if not path.exists():
            # Bytes after the end of a JPEG are not decoded but change its digest.
            original = setting.images[row % len(setting.images)]
            path.write_bytes(original.read_bytes() + row.to_bytes(8, "big"))
    return [str(path) for path in paths]


def _shape_figures(shape: Shape, way: str, found: list[dict[str, Any]]) -> list[Figure]:
    def figure(stage: str, unit: str, values: list[float]) -> Figure:
        return Figure(stage=stage, way=way, unit=unit, values=values)

    rates, alone = [one["rate"] for one in found], [one["alone"] for one in found]
    shares = [VIEWS * rate * shape.operations / PEAK for rate in rates]
    return [
        figure("GPU, from files", "images/s", rates),
        figure("GPU, the encoder alone", "views/s", alone),
        figure("GPU, from files, share of the peak", "1", shares),
        figure(
            "GPU, encoder alone, share of the peak", "1", [rate * shape.operations / PEAK for rate in alone]
        ),
    ]


STAGES: Mapping[str, Callable[[Setting], list[Figure]]] = {"gpu": measure_gpu}
"""Stages on a GPU, by their name for ``--only``."""
