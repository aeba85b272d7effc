"""Many small distinct pictures out of the sample photographs."""

from pathlib import Path

import numpy as np
from PIL import Image


def write_crops(samples: Path, folder: Path, *, count: int, side: int = 96) -> Path:
    """``count`` distinct crops as JPEG, in folders of fifty."""
    rng = np.random.default_rng(0)
    photos = [Image.open(path).convert("RGB") for path in sorted(samples.glob("*.jpg"))]
    for number in range(count):
        photo = photos[number % len(photos)]
        left = int(rng.integers(0, photo.width - side))
        top = int(rng.integers(0, photo.height - side))
        target = folder / f"{number // 50:02d}" / f"{number:04d}.jpg"
        target.parent.mkdir(parents=True, exist_ok=True)
        photo.crop((left, top, left + side, top + side)).save(target, quality=90)
    return folder
