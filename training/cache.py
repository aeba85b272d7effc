"""Cache of the frozen trunk's tokens of cluttered images, on which the transformer is trained.

Run ``python -m training.cache`` from the root of the repository. Every shard has its own seed and is written
under a temporary name and renamed, so that the command continues where it was stopped.
"""

import argparse
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from multiprocessing import get_context

import cv2
import numpy as np
import torch
from jaxtyping import Float, Float32, UInt8
from safetensors.torch import save_file
from training import compose
from training.sources import BUILD, Picture, read_pictures

from embshift.encoders.lite.trunk import Weights, compute_local_vectors
from embshift.encoders.lite.weight_file import read_weights

SHARDS = BUILD / "tokens"
GROUPS = 128
GRID = compose.SIDE // 32
HELD_BACK = 6
"""One image in this many is held back for validation, by the digest of its file."""


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Cache the trunk's tokens of cluttered images.")
    parser.add_argument(
        "--shards", type=int, default=200, help=f"training shards, each of {GROUPS} groups of 4 views"
    )
    parser.add_argument("--validation", type=int, default=8, help="validation shards")
    parser.add_argument("--processes", type=int, default=2)
    given = parser.parse_args(arguments)
    SHARDS.mkdir(parents=True, exist_ok=True)
    jobs = [("validation", index) for index in range(given.validation)]
    jobs += [("train", index) for index in range(given.shards)]
    start = time.monotonic()
    # A forked process would inherit torch's threads.
    with ProcessPoolExecutor(given.processes, mp_context=get_context("spawn"), initializer=_begin) as pool:
        for done, name in enumerate(pool.map(make_shard, jobs), start=1):
            sys.stdout.write(f"{name}: {done} of {len(jobs)}, {time.monotonic() - start:.0f} s\n")
            sys.stdout.flush()
    return 0


def parted(pictures: Sequence[Picture], *, part: str) -> list[Picture]:
    """Return the images of "train" or "validation"; identical files are in the same part."""
    wanted = part == "validation"
    return [picture for picture in pictures if (int(picture.sha256[:8], 16) % HELD_BACK == 0) == wanted]


def make_shard(job: tuple[str, int], /) -> str:
    """Compose, encode and write one shard, unless it exists; return its name."""
    part, index = job
    path = SHARDS / f"{part}-{index:04d}.safetensors"
    if not path.exists():
        rng = np.random.default_rng([1 if part == "train" else 2, index])
        pool = _pool(part)
        content = tokens([compose.group(pool, rng) for _ in range(GROUPS)])
        aside = path.with_suffix(".part")
        save_file(content, aside)
        aside.rename(path)
    return path.stem


def tokens(groups: Sequence[compose.Group]) -> dict[str, torch.Tensor]:
    """Return the tensors that the transformer is trained on.

    Returns:
        tokens: float16 "groups views patches 256", projected local vectors of the views.
        clean: float32 "groups 256", the teacher's embedding of the clean image.
        target: float16 "groups views patches", where the attention should be, sum 1; NaN where the main
            image is not visible.
    """
    weights = _weights()
    views = np.stack([view for group in groups for view in group.views])
    local = _encode(views, weights).unflatten(0, (len(groups), -1))  # (groups, views, patches, 256)
    clean = _encode(np.stack([group.clean for group in groups]), weights).mean(1)
    energy = _energies(groups, weights)
    target = np.stack([_targets(group, energy.get(at)) for at, group in enumerate(groups)])
    return {"tokens": local.half(), "clean": clean, "target": torch.from_numpy(target).half()}


def _energies(
    groups: Sequence[compose.Group], weights: Weights
) -> dict[int, Float32[np.ndarray, "rows columns"]]:
    """Return (length - least length)² of the teacher's tokens at twice the grid, for each photograph."""
    wanted = [at for at, group in enumerate(groups) if not group.whole]
    large = np.stack(
        [cv2.resize(groups[at].clean, None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC) for at in wanted]
    )
    length = _encode(large, weights).norm(dim=2).unflatten(1, (2 * GRID, 2 * GRID)).numpy()
    return {at: (values - values.min()) ** 2 for at, values in zip(wanted, length, strict=True)}


def _targets(
    group: compose.Group, energy: Float32[np.ndarray, "rows columns"] | None
) -> Float32[np.ndarray, "views patches"]:
    maps = []
    for shown, placed in zip(group.shown, group.placed, strict=True):
        share = shown
        if energy is not None:
            spread = cv2.resize(energy, (compose.SIDE, compose.SIDE), interpolation=cv2.INTER_LINEAR)
            share = shown * cv2.warpAffine(spread, placed[:2], (compose.SIDE, compose.SIDE))
        cells = share.reshape(GRID, 32, GRID, 32).mean((1, 3)).ravel()
        maps.append(cells / cells.sum() if cells.sum() > 0 else np.full_like(cells, np.nan))
    return np.stack(maps).astype(np.float32)


def _encode(
    views: UInt8[np.ndarray, "views height width 3"], weights: Weights
) -> Float[torch.Tensor, "views patches 256"]:
    parts = []
    for start in range(0, len(views), 64):
        planes = torch.from_numpy(views[start : start + 64]).permute(0, 3, 1, 2).to(torch.bfloat16)
        with torch.no_grad():
            local = compute_local_vectors(planes.sub_(127).div_(128), weights=weights).float()
            parts.append(local.flatten(2).transpose(1, 2) @ _projection().T)
    return torch.cat(parts)


def _begin() -> None:
    torch.set_num_threads(1)
    cv2.setNumThreads(1)


# Read once in each process and shared by all its shards.
@cache
def _pool(part: str) -> compose.Pool:
    return compose.read_pool(parted(read_pictures(), part=part))


@cache
def _weights() -> Weights:
    return {name: values.to(torch.bfloat16) for name, values in read_weights(device="cpu").items()}


@cache
def _projection() -> Float32[torch.Tensor, "256 1280"]:
    return read_weights(device="cpu")["projection"]


if __name__ == "__main__":
    sys.exit(main())
