"""The noun table: a vector for a text in the space of the bundled encoder, from the nouns in it.

The network's classifier has one row for each ImageNet class. The direction of a noun is the mean of its
classes' rows minus the mean of all rows; that of a text is the mean of its nouns. Nothing is trained.
"""

from collections.abc import Iterable, Sequence

import torch
from jaxtyping import Float32
from torch.nn import functional
from training import make_lite_weights
from training.words import Knowledge

__all__ = ["class_vectors", "combined", "text_targets"]

ClassVectors = Float32[torch.Tensor, "classes 256"]


def class_vectors() -> ClassVectors:
    """Return the classifier's rows minus their mean, projected and not normalised."""
    rows = make_lite_weights.published()["_fc.weight"]
    projection = make_lite_weights.projection(rows)
    return ((rows.double() - rows.double().mean(0)) @ projection.T).float()


def combined(nouns: Iterable[frozenset[int]], /, *, vectors: ClassVectors) -> Float32[torch.Tensor, " 256"]:
    """Return the unit vector of a text with nouns that stand for these classes; equal nouns count once."""
    each = [functional.normalize(vectors[sorted(classes)].mean(0), dim=0) for classes in dict.fromkeys(nouns)]
    return functional.normalize(torch.stack(each).mean(0), dim=0)


def text_targets(
    texts: Sequence[str], /, *, known: Knowledge, vectors: ClassVectors
) -> Float32[torch.Tensor, "texts 256"]:
    """Return the unit vectors of texts; NaN for a text without a noun that the network knows."""
    missing = torch.full((vectors.shape[1],), torch.nan)
    found = [[classes for _, classes in known.found(text)] for text in texts]
    return torch.stack([combined(nouns, vectors=vectors) if nouns else missing for nouns in found])
