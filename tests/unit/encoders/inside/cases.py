"""Small networks of every family opened for explaining, with an original and views of it."""

import numpy as np
import torch

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


def vary_scales(network):
    """Give norms and layer scales weights other than 1, which would hide that they are left out."""
    generator = torch.Generator().manual_seed(0)
    changed = 0
    for name, values in network.named_parameters():
        if name.endswith("lambda1") or is_norm(name):
            values.data.copy_(0.4 + torch.rand(values.shape, generator=generator))
            changed += 1
    assert changed > 1, "no norm was found"


def is_norm(name):
    """Return whether a parameter is a norm's weight."""
    owner, _, kind = name.rpartition(".")
    return kind == "weight" and "norm" in owner.rpartition(".")[2]


class Case:
    """A network, an original and its views.

    `pixels` replaces the images, and `folder` may hold a checkpoint already.
    """

    def __init__(self, family, folder, *, pixels=None):
        made = folder if family == "lite" or folder.exists() else make_checkpoint(family, folder)
        source = "lite" if family == "lite" else str(made)
        self.family, self.encoder = family, open_encoder(source, device="cpu")
        if family != "lite":
            vary_scales(self.encoder.network)
        self.inside = open_inside(self.encoder)
        side = 64 if family == "lite" else 32
        self.pixels = make_views(side, side) if pixels is None else pixels
        self.seen = self.inside.observe(self.pixels)
        self.clean, self.views = self.seen.between(0, 1), self.seen.between(1, 5)


def to_unit(embedding):
    """Return embeddings in float64, each divided by its length."""
    values = embedding.double()
    return values / values.norm(dim=-1, keepdim=True)
