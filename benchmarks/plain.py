"""The paper's procedure written in the plain way, one image after another: the baseline of every ratio.

It has two passes, as published code does. The first makes the nine views of every image and embeds original
and views, one forward pass for each name and batch. The second goes through the images one by one, makes the
views again, runs the network on original and view with all attention weights, a batch of one each time, and
loops over the cells of the pixel metrics. That is 28 forward passes per image, in float32, with no workers
and no reuse.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import albumentations
import cv2
import numpy as np
import torch
from PIL import Image
from transformers import CLIPImageProcessorPil, CLIPVisionModelWithProjection

from embshift.core.types import Capture

__all__ = ["Network", "Plain", "compare_pixels", "open_lite", "open_plain", "paper_transforms"]

BATCH = 32


def paper_transforms() -> dict[str, Any]:
    """Return the transforms of Algorithm 1, lines 9 and 10, as a reader would write them."""
    return {
        "noise": albumentations.GaussNoise(std_range=(0.44, 0.88), p=1.0),
        "blur": albumentations.GaussianBlur(blur_limit=(3, 7), p=1.0),
        "color_jitter": albumentations.ColorJitter(0.2, 0.2, 0.2, 0.2, p=1.0),
        "shift_scale_rotate": albumentations.ShiftScaleRotate(0.0625, 0.1, 15, p=1.0),
        "horizontal_flip": albumentations.HorizontalFlip(p=1.0),
        "elastic": albumentations.ElasticTransform(alpha=30, sigma=60, p=1.0),
        "perspective": albumentations.Perspective(scale=(0.05, 0.1), p=1.0),
        "random_brightness_contrast": albumentations.RandomBrightnessContrast(0.2, 0.2, p=1.0),
        "coarse_dropout": albumentations.CoarseDropout(
            num_holes_range=(6, 8),
            hole_height_range=(16, 16),
            hole_width_range=(16, 16),
            fill="random",
            p=1.0,
        ),
    }


class Network(Protocol):
    """A network in the form that the procedure calls."""

    @property
    def side(self) -> int:
        """Height and width of its images."""
        ...

    def embed(self, images: Sequence[Image.Image], /) -> Any:
        """Return the embeddings, one row for each image."""
        ...

    def attention(self, image: Image.Image, /) -> Any:
        """Return the attention of the last block's class token to each patch, mean over heads."""
        ...


@dataclass(frozen=True, kw_only=True, eq=False)
class Plain:
    """The procedure: an open network and the transforms.

    Attributes:
        network: The network.
        transforms: The transforms by name.
        seconds: Time spent so far, by phase.
    """

    network: Network
    transforms: dict[str, Any]
    seconds: dict[str, float] = field(default_factory=dict[str, float])

    def run(self, paths: Sequence[Path]) -> list[dict[str, float]]:
        """Return every metric of every view of the images."""
        embeddings = self._first_pass(paths)
        return [
            row for path, one in zip(paths, embeddings, strict=True) for row in self._second_pass(path, one)
        ]

    def _first_pass(self, paths: Sequence[Path]) -> list[dict[str, Any]]:
        found = list[dict[str, Any]]()
        for start in range(0, len(paths), BATCH):
            batch = [self._time("views", self.views, path) for path in paths[start : start + BATCH]]
            rows = {
                name: self._time("embed", self.network.embed, [one[name] for one in batch])
                for name in batch[0]
            }
            found += [{name: rows[name][number] for name in rows} for number in range(len(batch))]
        return found

    def _second_pass(self, path: Path, embedded: dict[str, Any]) -> Iterator[dict[str, float]]:
        views = self._time("views", self.views, path)
        for name in self.transforms:
            before = self._time("attention", self.attention, views["original"])
            after = self._time("attention", self.attention, views[name])
            patch, edge, detail = self._time(
                "pixel metrics", compare_pixels, np.asarray(views["original"]), np.asarray(views[name])
            )
            u, v = embedded["original"], embedded[name]
            yield {
                "cosine": float(u @ v / (np.linalg.norm(u) * np.linalg.norm(v))),
                "l2": float(np.linalg.norm(u - v)),
                "attention_similarity": float(1 / (1 + np.mean((before - after) ** 2))),
                "patch_similarity": patch,
                "edge_similarity": edge,
                "detail_similarity": detail,
            }

    def views(self, path: Path) -> dict[str, Image.Image]:
        """Return the resized image and its nine views, as PIL images."""
        with Image.open(path) as file:
            image = np.array(file.convert("RGB"))
        side = self.network.side
        original = albumentations.Resize(side, side)(image=image)["image"]
        shown = {name: each(image=original)["image"] for name, each in self.transforms.items()}
        return {name: Image.fromarray(pixels) for name, pixels in {"original": original, **shown}.items()}

    def attention(self, image: Image.Image) -> Any:
        """Return the attention resized to the image and stretched to 0-1."""
        row = self.network.attention(image)
        side = round(row.size**0.5)
        heat = cv2.resize(row.reshape(side, side), image.size)
        return (heat - heat.min()) / (heat.max() - heat.min())

    def _time(self, phase: str, call: Callable[..., Any], *arguments: Any) -> Any:
        started = time.perf_counter()
        result = call(*arguments)
        self.seconds[phase] = self.seconds.get(phase, 0.0) + time.perf_counter() - started
        return result


@dataclass(frozen=True, kw_only=True, eq=False)
class _Clip:
    network: Any
    processor: Any

    @property
    def side(self) -> int:
        return self.network.config.image_size

    def embed(self, images: Sequence[Image.Image], /) -> Any:
        with torch.no_grad():
            given = self.processor(images=list(images), return_tensors="pt")
            return self.network(**given).image_embeds.numpy()

    def attention(self, image: Image.Image, /) -> Any:
        with torch.no_grad():
            given = self.processor(images=[image], return_tensors="pt")
            last = self.network(**given, output_attentions=True).attentions[-1]
        return last.mean(dim=1)[0, 0, 1:].numpy()


@dataclass(frozen=True, kw_only=True, eq=False)
class _Lite:
    encoder: Any
    side: int = 224

    def embed(self, images: Sequence[Image.Image], /) -> Any:
        pixels = np.stack([np.asarray(image) for image in images])
        return self.encoder.encode(pixels, capture=Capture.EMBEDDING).embedding.numpy()

    def attention(self, image: Image.Image, /) -> Any:
        found = self.encoder.encode(np.asarray(image)[None], capture=Capture.ATTENTION)
        return found.attention.mean(dim=1)[0].numpy()


def open_plain(folder: Path) -> Plain:
    """Open the procedure with the network of a checkpoint."""
    network = CLIPVisionModelWithProjection.from_pretrained(folder, attn_implementation="eager").eval()
    processor = CLIPImageProcessorPil.from_pretrained(folder)
    return Plain(network=_Clip(network=network, processor=processor), transforms=paper_transforms())


def open_lite() -> Plain:
    """Open the procedure with the bundled network, which only its own class can call."""
    from embshift.encoders.open import open_encoder

    network = _Lite(encoder=open_encoder("lite", device="cpu"))
    return Plain(network=network, transforms=paper_transforms())


def compare_pixels(before: Any, after: Any) -> tuple[float, float, float]:
    """Return patch, edge and detail similarity of two images, equations (7) to (12), cell by cell."""
    before, after = before.astype(float), after.astype(float)
    errors = [np.mean((p - q) ** 2) for p, q in zip(_cut_cells(before, 4), _cut_cells(after, 4), strict=True)]
    patch = float(np.mean([1 / (1 + error / 255**2) for error in errors]))
    gray = [image @ np.array([0.299, 0.587, 0.114]) for image in (before, after)]
    edge = float(1 - np.mean(np.abs(_find_edges(gray[0]) - _find_edges(gray[1]))))
    ratios = [
        np.exp(-abs(np.log(max(q.std(), 1e-12) / p.std())))
        for p, q in zip(_cut_cells(gray[0], 8), _cut_cells(gray[1], 8), strict=True)
        if p.std() >= 1e-6
    ]
    return patch, edge, float(np.mean(ratios)) if ratios else float("nan")


def _cut_cells(image: Any, count: int) -> Iterator[Any]:
    height, width = image.shape[0] // count, image.shape[1] // count
    for row in range(count):
        for column in range(count):
            yield image[row * height : (row + 1) * height, column * width : (column + 1) * width]


def _find_edges(gray: Any) -> Any:
    edges = np.abs(np.gradient(gray, axis=1)) + np.abs(np.gradient(gray, axis=0))
    return edges / edges.max() if edges.max() > 0 else edges
