"""Small networks of every family opened for explaining, with an original and views of it."""

import numpy as np

from embshift.encoders.inside import open_inside
from embshift.encoders.open import open_encoder
from tests.unit.encoders.families import make_checkpoint

__all__ = ["MOVED", "Case", "make_views", "to_unit"]

MOVED = slice(0, 3)
"""The views that differ from the original; the last one does not."""


def make_views(*sides):
    """Return an original, three noisy views of it, and the original once more."""
    rng = np.random.default_rng(0)
    clean = rng.integers(0, 256, (*sides, 3), dtype=np.uint8)
    noisy = [clean + rng.normal(0, sigma, clean.shape) for sigma in (20, 40, 60)]
    return np.stack([clean, *(np.clip(one, 0, 255).astype(np.uint8) for one in noisy), clean])


class Case:
    """A network, an original and its views.

    `pixels` replaces the images, and `folder` may hold a checkpoint already.
    """

    def __init__(self, family, folder, *, pixels=None):
        made = folder if family == "lite" or folder.exists() else make_checkpoint(family, folder)
        source = "lite" if family == "lite" else str(made)
        self.family, self.encoder = family, open_encoder(source, device="cpu")
        self.inside = open_inside(self.encoder)
        side = 64 if family == "lite" else 32
        self.pixels = make_views(side, side) if pixels is None else pixels
        self.seen = self.inside.observe(self.pixels)
        self.clean, self.views = self.seen.between(0, 1), self.seen.between(1, 5)


def to_unit(embedding):
    """Return embeddings in float64, each divided by its length."""
    values = embedding.double()
    return values / values.norm(dim=-1, keepdim=True)
