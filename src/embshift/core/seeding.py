"""Random streams that are pure functions of names: order, batch and worker cannot change a pixel."""

import hashlib

import numpy as np
from jaxtyping import Int64

from embshift.core.types import ViewKey

__all__ = ["PERMUTE_UP_TO", "choose_positions", "make_generator", "make_view_generator"]


def make_generator(*parts: object) -> np.random.Generator:
    """Return a generator whose stream depends only on the given parts.

    128 bits of BLAKE2b over the text of the parts, joined by line feeds, seed a PCG64. The stream is the same
    on
    every platform; no global state is read or set.
    """
    text = "\n".join(str(part) for part in parts).encode("utf-8", "surrogateescape")
    key = int.from_bytes(hashlib.blake2b(text, digest_size=16).digest(), "little")
    return np.random.Generator(np.random.PCG64(key))


def make_view_generator(key: ViewKey) -> np.random.Generator:
    """Return the generator of one view; independent of severity and strength, so a sweep keeps its draw."""
    return make_generator(key.run_seed, key.image_id, key.transform, key.draw)


PERMUTE_UP_TO = 2**24
"""Positions that are permuted at most, which takes 128 MiB; of more, the chosen ones are drawn directly."""


def choose_positions(count: int, wanted: int, *, rng: np.random.Generator) -> Int64[np.ndarray, " chosen"]:
    """Choose some of the positions from 0 to `count` − 1, without replacement.

    Args:
        count: Number of positions.
        wanted: How many to choose; all where there are no more.
        rng: The generator.
    """
    if count > PERMUTE_UP_TO:
        return rng.choice(count, min(wanted, count), replace=False, shuffle=False)
    return rng.permutation(count)[:wanted]
