"""Distinct pictures of one size, cut out of the sample photographs, and an encoder of the paper's shape."""

from importlib.resources import as_file, files
from pathlib import Path

import numpy as np
from PIL import Image

__all__ = ["write_encoder", "write_large", "write_pictures"]

WIDTH, HEIGHT = 500, 375


def write_pictures(folder: Path, *, count: int) -> list[Path]:
    """``count`` crops as JPEG of quality 90, no two alike; those that are there are kept.

    Args:
        folder: Where to.
        count: How many.
    """
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{number:05d}.jpg" for number in range(count)]
    with as_file(files("embshift.images") / "samples") as samples:
        photos = [_large_enough(Image.open(path)) for path in sorted(samples.glob("*.jpg"))]
    for number, path in enumerate(paths):
        if not path.exists():
            _crop(photos[number % len(photos)], np.random.default_rng(number)).save(path, quality=90)
    return paths


def write_encoder(folder: Path, **config: int) -> Path:
    """A CLIP checkpoint with random weights: for timing, and for nothing else.

    Args:
        folder: Where to.
        **config: What differs from ViT-B/32's shape.
    """
    import torch
    from transformers import CLIPImageProcessorPil, CLIPVisionConfig, CLIPVisionModelWithProjection

    if not (folder / "model.safetensors").exists():
        torch.manual_seed(0)
        network = CLIPVisionModelWithProjection(
            CLIPVisionConfig(**{"patch_size": 32, "projection_dim": 512, **config})
        )
        network.save_pretrained(folder)
        CLIPImageProcessorPil().save_pretrained(folder)
    return folder


def _large_enough(photo: Image.Image) -> Image.Image:
    photo = photo.convert("RGB")
    factor = max(1.3 * WIDTH / photo.width, 1.3 * HEIGHT / photo.height, 1.0)
    return photo.resize((round(photo.width * factor), round(photo.height * factor)))


def _crop(photo: Image.Image, rng: np.random.Generator) -> Image.Image:
    left = int(rng.integers(0, photo.width - WIDTH + 1))
    top = int(rng.integers(0, photo.height - HEIGHT + 1))
    return photo.crop((left, top, left + WIDTH, top + HEIGHT))


def write_large(folder: Path, *, count: int) -> list[Path]:
    """``count`` pictures of 4000 x 3000 pixels, the sample photographs enlarged."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{number}.jpg" for number in range(count)]
    with as_file(files("embshift.images") / "samples") as samples:
        for photo, path in zip(sorted(samples.glob("*.jpg")), paths, strict=False):
            if not path.exists():
                Image.open(photo).convert("RGB").resize((4000, 3000)).save(path, quality=90)
    return paths
