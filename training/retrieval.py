"""Recall between images and their captions in both directions, with intervals."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float32

__all__ = ["Recall", "recalls", "wilson"]

CONFIDENCE = 1.959964
"""Quantile of the normal distribution for 95 %."""

_TIED = 1e-6

Vectors = Float32[torch.Tensor, "pairs dim"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recall:
    """Share of queries whose answer is among the first `among`.

    Attributes:
        direction: "image→text" or "text→image".
        among: Number of first answers that count.
        share: In [0, 1].
        queries: Number of queries.
        interval: Wilson interval, 95 %.
    """

    direction: str
    among: int
    share: float
    queries: int
    interval: tuple[float, float]


def recalls(images: Vectors, texts: Vectors, *, captions: Sequence[str]) -> list[Recall]:
    """Return R@1 and R@5 in both directions over pairs of an image and its caption.

    Equal captions are one answer: an image is compared with the distinct captions, and a caption may find any
    of the images that bear it. If other answers are exactly as near as the right one, all their orders count
    as equally likely.

    Args:
        images: Embeddings of the images, of any length.
        texts: Embeddings of the captions, of any length, in the same order.
        captions: One for each image.
    """
    cosine = torch.nn.functional.normalize(images, dim=1) @ torch.nn.functional.normalize(texts, dim=1).T
    index = {caption: number for number, caption in reversed(list(enumerate(captions)))}
    numbers = torch.tensor([index[caption] for caption in captions])
    right = numbers[:, None] == numbers[None]
    first = numbers == torch.arange(len(captions))  # marks each caption once
    ways = {"image→text": (cosine, ~right & first[None]), "text→image": (cosine.T, ~right)}
    return [
        _recall(_found(values, right=right, wrong=wrong, among=among), direction=direction, among=among)
        for direction, (values, wrong) in ways.items()
        for among in (1, 5)
    ]


def wilson(share: float, count: int, /) -> tuple[float, float]:
    """Return the Wilson interval of a share of `count` trials, 95 %.

    References:
        Wilson (1927), Probable Inference, the Law of Succession, and Statistical Inference.
    """
    square = CONFIDENCE**2
    centre = (share + square / (2 * count)) / (1 + square / count)
    spread = math.sqrt(share * (1 - share) / count + square / (4 * count**2)) * CONFIDENCE
    half = spread / (1 + square / count)
    return max(0.0, centre - half), min(1.0, centre + half)


def _found(
    cosine: Float32[torch.Tensor, "pairs pairs"],
    *,
    right: Bool[torch.Tensor, "pairs pairs"],
    wrong: Bool[torch.Tensor, "pairs pairs"],
    among: int,
) -> Float32[torch.Tensor, " pairs"]:
    """Return the probability that the best right answer is among the first."""
    best = cosine.masked_fill(~right, -torch.inf).max(1, keepdim=True).values
    better = ((cosine > best + _TIED) & wrong).sum(1)
    tied = (((cosine - best).abs() <= _TIED) & wrong).sum(1)
    return ((among - better) / (tied + 1)).clamp(0, 1)


def _recall(found: Float32[torch.Tensor, " pairs"], *, direction: str, among: int) -> Recall:
    share, queries = float(found.mean()), len(found)
    return Recall(
        direction=direction, among=among, share=share, queries=queries, interval=wilson(share, queries)
    )
