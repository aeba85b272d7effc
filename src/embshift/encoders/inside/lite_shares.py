r"""Exact shares of ``lite``: what is seen, and where the network looks.

The embedding is $e = \sum_p \bar a_p v_p$: local vectors $v_p$, weighted by the mean $\bar a$ of the last
attention's heads. Its difference has the parts "what" $= \sum_p \frac{\bar a_p + \bar a'_p}{2} \Delta v_p$
and, for each head $h$, "where.h" $= \frac{1}{H} \sum_p \Delta a_{hp} \frac{v_p + v'_p}{2}$. The blocks of the
transformer act through the attention alone and have no direct share.
"""

import torch
from jaxtyping import Float64

from embshift.core.encoding import Encoding
from embshift.encoders.inside.results import (
    DIRECTIONS,
    Patches,
    Shares,
    compare_patched,
    compute_shift,
    mask_unmoved,
)

__all__ = ["compute_lite_contributions", "compute_lite_shares", "list_lite_components", "patch_lite"]


def list_lite_components(heads: int) -> list[str]:
    """Return the names of the components, in the order of the shares."""
    return ["what", *(f"where.{head}" for head in range(heads))]


def compute_lite_shares(clean: Encoding, views: Encoding) -> Shares:
    """Compute the shares of what is seen and of where each head looks.

    Args:
        clean: The original with attention and tokens, one row.
        views: Its views.
    """
    delta, length = compute_shift(clean.embedding, views.embedding)
    vectors = compute_lite_contributions(clean, views)
    share = torch.einsum("ncd,nd->nc", vectors, delta) / length.square()[:, None]
    ratio = views.embedding.double().norm(dim=-1) / clean.embedding.double().norm(dim=-1)
    return Shares(share=mask_unmoved(share, length), shift=length, length_ratio=ratio)


def compute_lite_contributions(
    clean: Encoding, views: Encoding
) -> Float64[torch.Tensor, "views components dim"]:
    """Return each component's part of the shift as a vector; what is orthogonal to the shift is left out.

    Args:
        clean: The original with attention and tokens, one row.
        views: Its views.
    """
    (looked, seen), (looks, sees) = _split(clean), _split(views)
    what = torch.einsum("np,npd->nd", (looked.mean(dim=1) + looks.mean(dim=1)) / 2, sees - seen)
    heads = looks.shape[1]
    where = torch.einsum("nhp,npd->nhd", looks - looked, (seen + sees) / 2) / heads
    lengths = clean.embedding.double().norm(dim=-1) + views.embedding.double().norm(dim=-1)
    return torch.cat([what[:, None], where], dim=1) * (2 / lengths)[:, None, None]


def _split(
    encoding: Encoding,
) -> tuple[Float64[torch.Tensor, "views heads patches"], Float64[torch.Tensor, "views patches dim"]]:
    """Return the last attention and the vectors that it weighs."""
    assert encoding.attention is not None, "it is captured"
    assert encoding.tokens is not None, "they are captured"
    return encoding.attention.double(), encoding.tokens[:, -1, 1:].double()


def patch_lite(clean: Encoding, views: Encoding, *, direction: str) -> Patches:
    """Exchange the local vectors, or one head's attention, and compute the embedding again.

    Args:
        clean: The original with attention and tokens, one row.
        views: Its views.
        direction: One of `DIRECTIONS`.
    """
    ends = (_split(views), _split(clean))
    (looks, sees), (others, other_sees) = ends if direction == DIRECTIONS[0] else ends[::-1]
    count = max(len(looks), len(others))
    looks, sees = looks.expand(count, -1, -1), sees.expand(count, -1, -1)
    found = [torch.einsum("np,npd->nd", looks.mean(dim=1), other_sees.expand(count, -1, -1))]
    for head in range(looks.shape[1]):
        patched = looks.clone()
        patched[:, head] = others[:, head]
        found.append(torch.einsum("np,npd->nd", patched.mean(dim=1), sees))
    return compare_patched(clean.embedding, views.embedding, torch.stack(found, dim=1), direction=direction)
