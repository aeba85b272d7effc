"""Populations of originals and views from which images are drawn: vectors of 16 numbers."""

from dataclasses import dataclass

import numpy as np

from embshift.analysis.embeddings.pairs import unit_vectors

DIM = 16

_SPECTRUM = 1 / (1 + np.arange(DIM) / 4)
"""Deviation of the images along each axis, up to a factor."""


def _direction():
    found = np.random.default_rng(6).normal(size=DIM) * _SPECTRUM
    return found / np.linalg.norm(found)


_COMMON = _direction()

_MAP = np.random.default_rng(5).normal(size=(DIM, DIM)) * _SPECTRUM / 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """What the shift of an image is made of; its size is lognormal, σ = 0.5.

    Attributes:
        common: Length of the vector that all images share.
        own: Root of the mean square of the vector that is the image's own.
        mapped: Factor of the part that depends linearly on the image.
    """

    common: float
    own: float
    mapped: float


SCENES = {
    "one direction": Scene(common=1.0, own=0.5, mapped=0.0),
    "weak direction": Scene(common=0.4, own=1.0, mapped=0.0),
    "no direction": Scene(common=0.0, own=1.0, mapped=0.0),
    "linear": Scene(common=0.5, own=0.5, mapped=0.6),
}


def draw_views(rng, images, name):
    """Originals and views of independent images, all of length 1."""
    scene = SCENES[name]
    from_centre = 0.6 * rng.normal(size=(images, DIM)) * _SPECTRUM
    noise = rng.normal(size=(images, DIM)) * _SPECTRUM / np.linalg.norm(_SPECTRUM)
    size = 0.3 * rng.lognormal(sigma=0.5, size=(images, 1))
    originals = unit_vectors(np.eye(DIM)[0] + from_centre)[0]
    shift = scene.common * _COMMON + scene.own * noise + scene.mapped * from_centre @ _MAP
    return originals, unit_vectors(originals + size * shift)[0]
