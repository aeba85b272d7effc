"""Runs from files on a GPU, as a share of what its matrix products can do at most."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from benchmarks.child import VIEWS, ask
from benchmarks.pictures import write_encoder
from benchmarks.setting import Setting
from benchmarks.taking import Figure

__all__ = ["SHAPES", "STAGES", "Shape", "accelerated", "measure_shape"]

PEAK = 790e12
"""What an H100 reaches in products of bfloat16 matrices, in operations a second: the goals are against it."""


VIEWS_ON = ("gpu", "fast")
"""Where views are made: on the device, or by workers."""


@dataclass(frozen=True, kw_only=True)
class Shape:
    """A vision tower of the paper's family.

    Attributes:
        name: What it is called.
        operations: Of the whole network's forward pass of one view, by which the goals are stated; a run
            leaves out 3 to 6 % of them: what the last block would make of the patches.
        config: What differs from ViT-B/32.
        batch: Views of a batch; larger ones were no faster on an H100.
        images: How often a repetition takes the benchmark's pictures.
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
"""The three that goals are stated for."""


def accelerated(setting: Setting) -> list[Figure]:
    """Each shape from files, in bfloat16 and compiled; nothing without CUDA."""
    import torch

    if not torch.cuda.is_available():
        return []
    return [one for shape in SHAPES for one in measure_shape(setting, shape, device="cuda")]


def measure_shape(
    setting: Setting, shape: Shape, *, device: str, precision: str = "bfloat16", runtime: str = "compiled"
) -> list[Figure]:
    """Images a second and the share of the peak, of a run and of the encoder alone.

    Args:
        setting: What to work on.
        shape: The tower.
        device: As torch spells it.
        precision: Number format.
        runtime: What runs the network.
    """
    folder = write_encoder(setting.folder / shape.name.replace("/", "-"), **shape.config)
    options = {"precision": precision, "runtime": runtime, "decode": "scaled", "batch": shape.batch}
    found = ask(
        "runs",
        encoder=str(folder),
        pictures=_many(setting, shape.images * len(setting.pictures)),
        ways=[{**options, "views": views} for views in VIEWS_ON],
        alone=shape.batch,
        rounds=20,
        times=setting.repetitions,
        device=device,
    )
    return [
        figure
        for views, each in zip(VIEWS_ON, found, strict=True)
        for figure in _figures(shape, f"{shape.name}, views {views}", each)
    ]


def _many(setting: Setting, count: int) -> list[str]:
    """Paths of ``count`` files, the pictures again and again, each with bytes of its own."""
    folder = setting.folder / "many"
    folder.mkdir(exist_ok=True)
    paths = [folder / f"{row:06d}.jpg" for row in range(count)]
    for row, path in enumerate(paths):
        if not path.exists():
            # What follows a JPEG's end is not decoded; by its digest it is another picture.
            path.write_bytes(
                setting.pictures[row % len(setting.pictures)].read_bytes() + row.to_bytes(8, "big")
            )
    return [str(path) for path in paths]


def _figures(shape: Shape, way: str, found: list[dict[str, Any]]) -> list[Figure]:
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


STAGES: Mapping[str, Callable[[Setting], list[Figure]]] = {"gpu": accelerated}
"""What a GPU does, by the name that ``--only`` takes."""
