"""Pictures with a few bytes changed: what a fuzzer makes of small seeds of every format."""

import io
import random
from functools import partial
from pathlib import Path

from PIL import Image

from embshift.images import Limits
from embshift.measurement.pipeline.recipe import Recipe
from tests.faults.corpora import ROOT

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF")
LARGE = 60_000  # bytes above which a picture of the corpora is no seed: it would only be slow


def build() -> Recipe:
    """What the workers do to each: read it and bring it to one size."""
    return Recipe(
        limits=Limits(pixels=4_000_000),
        size=(16, 16),
        rule="linear",
        seed=0,
        draws=1,
        transforms={},
        metrics={},
    )


def seeds(samples: Path) -> list[bytes]:
    """One small picture of every format and mode, and whatever small is in the corpora that are there."""
    photo = Image.open(samples / "cat.jpg").resize((48, 40))
    found = list[bytes]()
    for kind in FORMATS:
        for mode in ("RGB", "L", "RGBA", "CMYK", "1"):
            file = io.BytesIO()
            try:
                photo.convert(mode).save(file, kind)
            except (OSError, ValueError):  # a format without that mode
                continue
            found.append(file.getvalue())
    files = sorted(path for path in ROOT.rglob("*") if path.is_file() and path.stat().st_size < LARGE)
    return found + [path.read_bytes() for path in files]


def mutate(data: bytes, rng: random.Random) -> bytes:
    """A few of a fuzzer's usual changes, one after another."""
    changed = bytearray(data or b"\0")
    for _ in range(rng.choice((1, 1, 2, 4, 16))):
        rng.choice(CHANGES)(changed, rng)
        changed = changed or bytearray(b"\0")
    return bytes(changed)


def _at(data: bytearray, rng: random.Random) -> int:
    # Half of all changes fall into the first bytes, where headers are.
    return rng.randrange(min(len(data), 128) if rng.random() < 0.5 else len(data))


def _flip(data: bytearray, rng: random.Random) -> None:
    data[_at(data, rng)] ^= 1 << rng.randrange(8)


def _put(data: bytearray, rng: random.Random, *, width: int) -> None:
    at = _at(data, rng)
    value = rng.choice((0, 1, 2 ** (8 * width - 1), 2 ** (8 * width) - 1, rng.randrange(2 ** (8 * width))))
    data[at : at + width] = value.to_bytes(width, rng.choice(("little", "big")))


def _cut(data: bytearray, rng: random.Random) -> None:
    del data[_at(data, rng) :]


def _drop(data: bytearray, rng: random.Random) -> None:
    at = _at(data, rng)
    del data[at : at + rng.randint(1, 32)]


def _repeat(data: bytearray, rng: random.Random) -> None:
    at = _at(data, rng)
    data[at:at] = data[at : at + rng.randint(1, 64)] * rng.randint(1, 4)


def _noise(data: bytearray, rng: random.Random) -> None:
    at = _at(data, rng)
    data[at : at + 16] = rng.randbytes(rng.randint(1, 16))


CHANGES = (_flip, _flip, _cut, _drop, _repeat, _noise, *(partial(_put, width=width) for width in (1, 2, 4)))


def write_mutated(samples: Path, folder: Path, *, count: int, seed: int) -> list[Path]:
    rng, known, paths = random.Random(seed), seeds(samples), list[Path]()
    for number in range(count):
        paths.append(folder / f"{number:05d}")
        paths[-1].write_bytes(mutate(rng.choice(known), rng))
    return paths
