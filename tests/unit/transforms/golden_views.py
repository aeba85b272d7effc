"""Digests of the paper's views, with the versions that made them.

To write them anew: ``python -c "from tests.unit.transforms.golden_views import regenerate; regenerate()"``
"""

import json
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np

from embshift.core.types import ViewKey
from embshift.transforms.build import build
from embshift.transforms.perturb import perturb, pixels_digest
from embshift.transforms.presets import load_preset

DIGESTS = Path(__file__).parents[2] / "golden" / "views" / "digests.json"
PACKAGES = ("albucore", "albumentations", "numpy", "opencv-python-headless")
SEEDS = (0, 1)
SIDE = 224


def picture():
    """Ramps, bars, a disc and grain in whole numbers: the same pixels with every version of everything."""
    row, column = np.mgrid[0:SIDE, 0:SIDE].astype(np.int64)
    disc = (row - 90) ** 2 + (column - 130) ** 2 < 60**2
    grain = (row * 7919 + column * 104729 + row * column * 31) % 41
    red = row * 255 // (SIDE - 1)
    green = np.where((column // 14) % 2 == 0, 210, 40)
    blue = np.where(disc, 230, column * 255 // (SIDE - 1))
    return np.clip(np.stack([red, green, blue], axis=-1) + grain[..., None] - 20, 0, 255).astype(np.uint8)


def versions():
    return {name: find_version(name) for name in PACKAGES}


def digests():
    original = picture()
    return {
        plan.name: {str(seed): _digest(original, plan, seed) for seed in SEEDS}
        for plan in load_preset("paper").transforms
    }


def regenerate():
    content = {"picture": pixels_digest(picture()), "versions": versions(), "views": digests()}
    DIGESTS.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def complaint(*, kept, found, made_with, present):
    """Why the digests differ, or "" where they do not."""
    changed = [
        f"{name} at seed {seed}"
        for name, by_seed in kept.items()
        for seed, digest in by_seed.items()
        if found.get(name, {}).get(seed) != digest
    ]
    if not changed and kept.keys() == found.keys():
        return ""
    reason = (
        "the versions are the same, so either our code changed the pixels, or this processor rounds otherwise"
        if made_with == present
        else "the versions differ, so the library may have changed the pixels: compare before regenerating"
    )
    return (
        f"views changed: {', '.join(changed) or sorted(kept.keys() ^ found.keys())}; {reason}; "
        f"kept with {_text(made_with)}; now {_text(present)}"
    )


def _digest(original, plan, seed):
    key = ViewKey(run_seed=seed, image_id="0" * 32, transform=plan.name)
    return pixels_digest(perturb(original, build(plan), key=key).pixels)


def find_version(name):
    try:
        return version(name)
    except PackageNotFoundError:
        return "absent"


def _text(found):
    return ", ".join(f"{name} {number}" for name, number in sorted(found.items()))
