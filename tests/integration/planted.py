"""A small CLIP encoder in which one head alone reacts to a pattern in a patch, and images to stamp with it.

The residual stream has a part for each purpose: two channels hold how much of the pattern a patch has, one is
what the planted head writes for it, others carry what the remaining heads and layers make of the image.
"""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from tests.unit.encoders.families import make_checkpoint

__all__ = ["HEAD", "OTHER_PATCH", "PATCH", "WORD", "stamp", "write_images", "write_planted", "write_vectors"]

LAYER, PLACE = 1, 1
HEAD = f"head.{LAYER}.{PLACE}"
"""Name of the planted head, as `embshift explain` counts."""

PATCH = (2, 1)
"""Row and column of the patch that is stamped, of 4 × 4."""

OTHER_PATCH = (0, 3)
"""Row and column of a patch that changes too, in a way that the planted head does not see."""

WORD = "stripes"
"""The word whose vector is the direction that the planted head moves an embedding in."""

SIDE, PIXELS, WIDTH, HEAD_WIDTH, DIM = 8, 32, 32, 16, 24
SEEN, WRITTEN, OTHERS, CONSTANT = slice(0, 2), 5, slice(6, 29), slice(30, 32)
"""Channels of the residual stream."""

PATTERN = np.where(np.add.outer(np.arange(SIDE), np.arange(SIDE)) % 2, 60, -60)


def stamp(pixels):
    """Add the pattern to one patch, and invert another."""
    stamped = pixels.astype(np.int64)
    own, other = (tuple(slice(SIDE * at, SIDE * at + SIDE) for at in place) for place in (PATCH, OTHER_PATCH))
    stamped[own] += PATTERN[:, :, None]
    stamped[other] = 255 - stamped[other]
    return stamped.clip(0, 255).astype(np.uint8)


def write_images(folder: Path, count: int) -> Path:
    """Write images of noise that leave room for the pattern, without loss."""
    rng = np.random.default_rng(0)
    folder.mkdir()
    for at in range(count):
        pixels = rng.integers(64, 192, (PIXELS, PIXELS, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{at:02d}.png")
    return folder


def write_planted(folder: Path, *, plant: bool = True) -> Path:
    """Write the checkpoint; without the plant, the head reads and writes nothing."""
    path = make_checkpoint("clip-vision-projected", folder) / "model.safetensors"
    generator = torch.Generator().manual_seed(0)
    weights = {name: torch.zeros_like(values) for name, values in load_file(path).items()}
    for name, values in weights.items():
        if "norm" in name and name.endswith("weight"):
            values.fill_(1.0)
    _write_stem(weights, generator)
    for layer in range(3):
        _write_layer(weights, f"vision_model.encoder.layers.{layer}", generator)
    if plant:
        _write_plant(weights, f"vision_model.encoder.layers.{LAYER}.self_attn")
    projection = weights["visual_projection.weight"]
    projection[0, WRITTEN] = 1.0
    projection[1:, OTHERS] = torch.eye(DIM - 1)
    save_file(weights, path, metadata={"format": "pt"})
    return folder


def _write_stem(weights: dict[str, torch.Tensor], generator: torch.Generator) -> None:
    """Let two channels tell how much of the pattern a patch has, and the others tell all but that."""
    pattern = torch.tensor(PATTERN / np.linalg.norm(PATTERN)).float().expand(3, SIDE, SIDE) / 3**0.5
    kernels = torch.randn(WIDTH, 3, SIDE, SIDE, generator=generator) / (3 * SIDE**2) ** 0.5
    kernels -= kernels.mean(dim=(2, 3), keepdim=True)  # or all images would have a part in common
    # The pattern is the same in all three colours, and the images are divided by other numbers in each.
    spread = torch.tensor([0.26862954, 0.26130258, 0.27577711])[:, None, None]
    seen = pattern / spread
    along = (kernels * seen).sum(dim=(1, 2, 3), keepdim=True) / (seen**2).sum()
    kernels -= along * seen
    kernels[SEEN] = torch.stack([pattern, -pattern]) / 4
    kernels[WRITTEN] = kernels[CONSTANT] = 0.0
    weights["vision_model.embeddings.patch_embedding.weight"].copy_(kernels)
    weights["vision_model.embeddings.class_embedding"][CONSTANT] = torch.tensor([1.0, -1.0])


def _write_layer(weights: dict[str, torch.Tensor], name: str, generator: torch.Generator) -> None:
    """Let heads and inner layer read from the other channels alone, and write there alone."""
    for part in ("q_proj", "k_proj", "v_proj"):
        _write_random(weights[f"{name}.self_attn.{part}.weight"][:, OTHERS], generator)
    _write_random(weights[f"{name}.self_attn.out_proj.weight"][OTHERS], generator)
    _write_random(weights[f"{name}.mlp.fc1.weight"][:, OTHERS], generator)
    _write_random(weights[f"{name}.mlp.fc2.weight"][OTHERS], generator)
    # Large inner layers would add the same to all images, and the shift would shrink it the same way in all.
    weights[f"{name}.mlp.fc2.weight"] *= 0.1


def _write_random(values: torch.Tensor, generator: torch.Generator) -> None:
    values.copy_(torch.randn(values.shape, generator=generator) / values.shape[1] ** 0.5)


def _write_plant(weights: dict[str, torch.Tensor], name: str) -> None:
    """Let one head look where the pattern is, and write how much of it is there."""
    first = PLACE * HEAD_WIDTH
    own = slice(first, first + HEAD_WIDTH)
    for part in ("q_proj", "k_proj", "v_proj"):
        weights[f"{name}.{part}.weight"][own] = 0.0
    weights[f"{name}.out_proj.weight"][:, own] = 0.0
    weights[f"{name}.q_proj.bias"][first] = 8.0
    weights[f"{name}.k_proj.weight"][first, SEEN] = torch.tensor([1.0, -1.0])
    weights[f"{name}.v_proj.weight"][first, SEEN] = torch.tensor([1.0, -1.0])
    weights[f"{name}.out_proj.weight"][WRITTEN, first] = 1.0


def write_vectors(path: Path) -> list[str]:
    """Write vectors of words, one of which is planted, and return the words.

    Each word has an opposite, so that centring the words moves none towards another.
    """
    rng = np.random.default_rng(0)
    vectors = np.zeros((12, DIM))
    vectors[0, 0] = 1.0
    vectors[1:, 1:] = rng.normal(size=(11, DIM - 1))
    words = [WORD, *(f"word {at}" for at in range(1, 12))]
    both = [*words, *(f"no {word}" for word in words)]
    texts = [f"a photo of a {word}" for word in both]
    pq.write_table(pa.table({"text": texts, "vector": [*vectors, *-vectors]}), path)
    return both
