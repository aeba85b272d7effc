"""Random streams as pure functions of names, so that order, batch and worker cannot change a pixel."""

import hashlib

import numpy as np

from embshift.core.types import ViewKey

__all__ = ["make_generator", "make_view_generator"]


def make_generator(*parts: object) -> np.random.Generator:
    """A generator whose stream is a function of the parts alone.

    128 bits of BLAKE2b over the parts' text, separated by a line feed, seed a PCG64. The same on every
    platform; nothing global is read or set.
    """
    text = "\n".join(str(part) for part in parts).encode("utf-8", "surrogateescape")
    key = int.from_bytes(hashlib.blake2b(text, digest_size=16).digest(), "little")
    return np.random.Generator(np.random.PCG64(key))


def make_view_generator(key: ViewKey) -> np.random.Generator:
    """The stream of one view: severity and strength are left out, so a sweep follows one draw."""
    return make_generator(key.run_seed, key.image_id, key.transform, key.draw)
