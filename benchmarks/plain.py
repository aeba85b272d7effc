"""The paper's procedure written the plain way, one picture after another: what every ratio is taken against.

Two passes, as published code does it. The first makes the nine views of every picture and embeds original
and views, one forward pass for each name and batch. The second goes through the pictures one by one, makes
the views anew, runs the network on original and view with all attention weights, a batch of one each time,
and loops over the cells of the pixel metrics. 28 forward passes a picture; float32, no workers, nothing
reused.
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
    """Algorithm 1, lines 9 and 10, as one would write it."""
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
    """A network as the procedure calls it."""

    @property
    def side(self) -> int:
        """Height and width of its pictures."""
        ...

    def embed(self, pictures: Sequence[Image.Image], /) -> Any:
        """Embeddings, one row a picture."""
        ...

    def attention(self, picture: Image.Image, /) -> Any:
        """What the last block's class token gives to each patch, mean over heads."""
        ...


@dataclass(frozen=True, kw_only=True, eq=False)
class Plain:
    """An opened network and the transforms."""

    network: Network
    transforms: dict[str, Any]
    seconds: dict[str, float] = field(default_factory=dict[str, float])

    def run(self, paths: Sequence[Path]) -> list[dict[str, float]]:
        """Every metric of every view of the pictures."""
        embeddings = self._first_pass(paths)
        return [row for path, one in zip(paths, embeddings, strict=True) for row in self._second(path, one)]

    def _first_pass(self, paths: Sequence[Path]) -> list[dict[str, Any]]:
        found = list[dict[str, Any]]()
        for start in range(0, len(paths), BATCH):
            batch = [self._timed("views", self.views, path) for path in paths[start : start + BATCH]]
            rows = {
                name: self._timed("embed", self.network.embed, [one[name] for one in batch])
                for name in batch[0]
            }
            found += [{name: rows[name][number] for name in rows} for number in range(len(batch))]
        return found

    def _second(self, path: Path, embedded: dict[str, Any]) -> Iterator[dict[str, float]]:
        views = self._timed("views", self.views, path)
        for name in self.transforms:
            before = self._timed("attention", self.attention, views["original"])
            after = self._timed("attention", self.attention, views[name])
            patch, edge, detail = self._timed(
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
        """The resized picture and its nine views, as PIL pictures."""
        with Image.open(path) as file:
            picture = np.array(file.convert("RGB"))
        side = self.network.side
        original = albumentations.Resize(side, side)(image=picture)["image"]
        shown = {name: each(image=original)["image"] for name, each in self.transforms.items()}
        return {name: Image.fromarray(pixels) for name, pixels in {"original": original, **shown}.items()}

    def attention(self, picture: Image.Image) -> Any:
        """The attention drawn over the picture and stretched to 0-1."""
        row = self.network.attention(picture)
        side = round(row.size**0.5)
        drawn = cv2.resize(row.reshape(side, side), picture.size)
        return (drawn - drawn.min()) / (drawn.max() - drawn.min())

    def _timed(self, phase: str, call: Callable[..., Any], *arguments: Any) -> Any:
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

    def embed(self, pictures: Sequence[Image.Image], /) -> Any:
        with torch.no_grad():
            given = self.processor(images=list(pictures), return_tensors="pt")
            return self.network(**given).image_embeds.numpy()

    def attention(self, picture: Image.Image, /) -> Any:
        with torch.no_grad():
            given = self.processor(images=[picture], return_tensors="pt")
            last = self.network(**given, output_attentions=True).attentions[-1]
        return last.mean(dim=1)[0, 0, 1:].numpy()


@dataclass(frozen=True, kw_only=True, eq=False)
class _Lite:
    encoder: Any
    side: int = 224

    def embed(self, pictures: Sequence[Image.Image], /) -> Any:
        pixels = np.stack([np.asarray(picture) for picture in pictures])
        return self.encoder.encode(pixels, capture=Capture.EMBEDDING).embedding.numpy()

    def attention(self, picture: Image.Image, /) -> Any:
        found = self.encoder.encode(np.asarray(picture)[None], capture=Capture.ATTENTION)
        return found.attention.mean(dim=1)[0].numpy()


def open_plain(folder: Path) -> Plain:
    """The procedure with the network of a checkpoint."""
    network = CLIPVisionModelWithProjection.from_pretrained(folder, attn_implementation="eager").eval()
    processor = CLIPImageProcessorPil.from_pretrained(folder)
    return Plain(network=_Clip(network=network, processor=processor), transforms=paper_transforms())


def open_lite() -> Plain:
    """The procedure with the bundled network, which only its own class can call."""
    from embshift.encoders.open import open_encoder

    network = _Lite(encoder=open_encoder("lite", device="cpu"))
    return Plain(network=network, transforms=paper_transforms())


def compare_pixels(before: Any, after: Any) -> tuple[float, float, float]:
    """Patch, edge and detail similarity of two pictures, equations (7) to (12), cell by cell."""
    before, after = before.astype(float), after.astype(float)
    errors = [np.mean((p - q) ** 2) for p, q in zip(_cells(before, 4), _cells(after, 4), strict=True)]
    patch = float(np.mean([1 / (1 + error / 255**2) for error in errors]))
    gray = [picture @ np.array([0.299, 0.587, 0.114]) for picture in (before, after)]
    edge = float(1 - np.mean(np.abs(_edges(gray[0]) - _edges(gray[1]))))
    ratios = [
        np.exp(-abs(np.log(max(q.std(), 1e-12) / p.std())))
        for p, q in zip(_cells(gray[0], 8), _cells(gray[1], 8), strict=True)
        if p.std() >= 1e-6
    ]
    return patch, edge, float(np.mean(ratios)) if ratios else float("nan")


def _cells(picture: Any, count: int) -> Iterator[Any]:
    height, width = picture.shape[0] // count, picture.shape[1] // count
    for row in range(count):
        for column in range(count):
            yield picture[row * height : (row + 1) * height, column * width : (column + 1) * width]


def _edges(gray: Any) -> Any:
    edges = np.abs(np.gradient(gray, axis=1)) + np.abs(np.gradient(gray, axis=0))
    return edges / edges.max() if edges.max() > 0 else edges
