"""Inputs of the benchmark: distinct images of one size, and an encoder of the paper's shape."""

from importlib.resources import as_file, files
from pathlib import Path

import numpy as np
from PIL import Image

__all__ = ["write_encoder", "write_images", "write_large_images"]

WIDTH, HEIGHT = 500, 375


def write_images(folder: Path, *, count: int) -> list[Path]:
    """Write ``count`` distinct crops of the sample photographs as JPEG of quality 90; keep existing files.

    Args:
        folder: Where to write.
        count: Number of images.
    """
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{number:05d}.jpg" for number in range(count)]
    with as_file(files("embshift.images") / "samples") as samples:
        photos = [_enlarge(Image.open(path)) for path in sorted(samples.glob("*.jpg"))]
    for number, path in enumerate(paths):
        if not path.exists():
            _crop(photos[number % len(photos)], np.random.default_rng(number)).save(path, quality=90)
    return paths


def write_encoder(folder: Path, **config: int) -> Path:
    """Write a CLIP checkpoint with random weights, suitable for timing only.

    Args:
        folder: Where to write.
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


def _enlarge(photo: Image.Image) -> Image.Image:
    """Return the photograph at a size that leaves room for different crops."""
    photo = photo.convert("RGB")
    factor = max(1.3 * WIDTH / photo.width, 1.3 * HEIGHT / photo.height, 1.0)
    return photo.resize((round(photo.width * factor), round(photo.height * factor)))


def _crop(photo: Image.Image, rng: np.random.Generator) -> Image.Image:
    left = int(rng.integers(0, photo.width - WIDTH + 1))
    top = int(rng.integers(0, photo.height - HEIGHT + 1))
    return photo.crop((left, top, left + WIDTH, top + HEIGHT))


def write_large_images(folder: Path, *, count: int) -> list[Path]:
    """Write ``count`` sample photographs enlarged to 4000 x 3000 pixels; keep existing files."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{number}.jpg" for number in range(count)]
    with as_file(files("embshift.images") / "samples") as samples:
        for photo, path in zip(sorted(samples.glob("*.jpg")), paths, strict=False):
            if not path.exists():
                Image.open(photo).convert("RGB").resize((4000, 3000)).save(path, quality=90)
    return paths
