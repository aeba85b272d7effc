"""Cosine and L2: comparisons of the embeddings themselves."""

import math

import torch
from jaxtyping import Float64

from embshift.core.encoding import Encoding
from embshift.core.types import Capture, Direction
from embshift.metrics import PAPER, pair_metric

__all__ = ["cosine", "l2"]


@pair_metric(
    name="cosine",
    summary="cosine of the angle between the two embeddings",
    unit="1",
    bounds=(-1.0, 1.0),
    identity=1.0,
    direction=Direction.HIGHER,
    needs=Capture.EMBEDDING,
    blind_to="the length of the embeddings, and which direction the shift takes",
    performance=True,
    reference=PAPER.format(section="A.1.1, eq. (4)"),
)
def cosine(reference: Encoding, shifted: Encoding, /) -> Float64[torch.Tensor, " views"]:
    """Compute the cosine of the angle between an embedding and that of its view, ``e·e′ / (‖e‖ ‖e′‖)``.

    The computation is in float64. The result is clipped to [−1, 1], because rounding may exceed that by one
    unit in the last place.

    Blind to the length of the embeddings, and to which direction the shift takes.

    Args:
        reference: Encoding of the untouched images: embedding (views, dim), raw.
        shifted: Encoding of their views, row by row: embedding (views, dim), raw.

    Returns:
        One pure number per view, from −1 (opposite) to 1 (same direction). NaN where an embedding is zero or
        not finite, because then it has no direction.

    Example:
        >>> import torch
        >>> from embshift.core.types import Field
        >>> def of(*rows):
        ...     return Encoding(embedding=torch.tensor(rows), grid=(1, 1), field=Field(0, 0, 8, 8))
        >>> cosine(of([1.0, 0.0], [3.0, 4.0]), of([0.0, 2.0], [6.0, 8.0]))
        tensor([0., 1.], dtype=torch.float64)

    References:
        Dahal, Murad & Rahimi 2025, Embedding Shift Dissection on CLIP, supplement A.1.1, eq. (4).
    """
    before, after = reference.embedding.double(), shifted.embedding.double()  # (views, dim)
    # 0 / 0 is NaN, as documented; squares of float32 neither vanish nor overflow in float64.
    cosines = (before * after).sum(dim=1) / (_compute_lengths(before) * _compute_lengths(after))
    return cosines.clamp(-1.0, 1.0)


@pair_metric(
    name="l2",
    summary="Euclidean distance between the two raw embeddings",
    unit="embedding units",
    bounds=(0.0, math.inf),
    identity=0.0,
    direction=Direction.LOWER,
    needs=Capture.EMBEDDING,
    blind_to="the encoder's scale: its values cannot be compared between encoders",
    performance=False,
    reference=PAPER.format(section="A.1.1, eq. (5)"),
)
def l2(reference: Encoding, shifted: Encoding, /) -> Float64[torch.Tensor, " views"]:
    """Compute the Euclidean distance between an embedding and that of its view, ``‖e − e′‖``, not normalised.

    Blind to the encoder's scale: values of different encoders cannot be compared, and a change of length
    looks like a change of direction.

    Args:
        reference: Encoding of the untouched images: embedding (views, dim), raw.
        shifted: Encoding of their views, row by row: embedding (views, dim), raw.

    Returns:
        One distance per view, in the encoder's own units, from 0 (equal) upwards. NaN where an embedding is
        not finite.

    Example:
        >>> import torch
        >>> from embshift.core.types import Field
        >>> def of(*rows):
        ...     return Encoding(embedding=torch.tensor(rows), grid=(1, 1), field=Field(0, 0, 8, 8))
        >>> l2(of([0.0, 0.0]), of([3.0, 4.0]))
        tensor([5.], dtype=torch.float64)

    References:
        Dahal, Murad & Rahimi 2025, Embedding Shift Dissection on CLIP, supplement A.1.1, eq. (5).
    """
    distance = _compute_lengths(reference.embedding.double() - shifted.embedding.double())
    return distance.where(distance.isfinite(), math.nan)


def _compute_lengths(rows: Float64[torch.Tensor, "views dim"], /) -> Float64[torch.Tensor, " views"]:
    return rows.square().sum(dim=1).sqrt()
