"""Search for training images that resemble an image of the evaluation, so that they can be left out."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from jaxtyping import Float32, UInt8
from scipy.fft import dctn

from embshift.encoders.lite.trunk import compute_local_vectors
from embshift.encoders.lite.weight_file import read_weights

SAMPLES = Path(__file__).parents[1] / "src/embshift/images/samples"
SIDE = 224
GREATEST_COSINE = 0.95
LEAST_DISTANCE = 10
"""Bits of 64 in which two perceptual hashes must differ; those of unrelated images differ in about 32."""

Pixels = UInt8[np.ndarray, "height width 3"]


def parted(pictures: Sequence[Any], *, folder: Path, stamps: Path) -> tuple[list[Any], list[tuple[Any, ...]]]:
    """Return the images to keep, and a row for each that resembles a sample photograph or a stamp."""
    guarded = [*sorted(SAMPLES.glob("*.jpg")), *sorted(stamps.rglob("*.png"))]
    wanted = described(guarded)
    own = described([folder / picture.name for picture in pictures])
    kept, left_out = list[Any](), list[tuple[Any, ...]]()
    for picture, hashed, vector in zip(pictures, *own, strict=True):
        distance = (wanted[0] != hashed).sum(1)
        cosine = wanted[1] @ vector
        if distance.min() < LEAST_DISTANCE:
            found = guarded[int(distance.argmin())].name, "perceptual hash, bits", int(distance.min())
        elif cosine.max() > GREATEST_COSINE:
            found = guarded[int(cosine.argmax())].name, "cosine", round(float(cosine.max()), 3)
        else:
            kept.append(picture)
            continue
        left_out.append((picture.name, picture.inside, *found))
    return kept, left_out


def described(paths: Sequence[Path]) -> tuple[np.ndarray, Float32[np.ndarray, "pictures 256"]]:
    """Return perceptual hashes and unit teacher vectors of whole images."""
    weights = read_weights(device="cpu")
    hashes, vectors = list[np.ndarray](), list[torch.Tensor]()
    for path in paths:
        pixels = on_white(cv2.imread(str(path), cv2.IMREAD_UNCHANGED))
        hashes.append(perceptual_hash(pixels))
        square = cv2.resize(
            cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB), (SIDE, SIDE), interpolation=cv2.INTER_AREA
        )
        planes = (torch.from_numpy(square).permute(2, 0, 1)[None].float() - 127) / 128
        with torch.no_grad():
            planes = planes.contiguous(memory_format=torch.channels_last)
            local = compute_local_vectors(planes, weights=weights)
            vectors.append(local.mean((2, 3)) @ weights["projection"].T)
    return np.stack(hashes), torch.nn.functional.normalize(torch.cat(vectors), dim=1).numpy()


def perceptual_hash(pixels: Pixels) -> np.ndarray:
    """Return 64 bits: which of the 8 x 8 lowest frequencies of the gray image lie above their median."""
    gray = cv2.resize(cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY), (32, 32), interpolation=cv2.INTER_AREA)
    low = dctn(gray.astype(np.float64))[:8, :8].ravel()
    return low > np.median(low)


def on_white(pixels: np.ndarray) -> Pixels:
    """Return BGR pixels on a white background, whatever channels the file has."""
    if pixels.dtype == np.uint16:
        pixels = (pixels >> 8).astype(np.uint8)
    if pixels.ndim == 2:
        return cv2.cvtColor(pixels, cv2.COLOR_GRAY2BGR)
    if pixels.shape[2] == 3:
        return pixels
    alpha = pixels[..., 3:].astype(np.float32) / 255
    return np.rint(pixels[..., :3] * alpha + 255 * (1 - alpha)).astype(np.uint8)
