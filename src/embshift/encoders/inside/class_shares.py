r"""Exact shares where the embedding is read from the class token.

The final stream of the class token is a sum $r = \sum_c r_c$ of the stem, every head and every block's inner
layers. With $A = P\,\mathrm{diag}(\gamma)\,C$ (projection, norm weight, centring), $k = P\beta$ and the scale
$\sigma$ of the norm, the embedding $e$ fulfils $R = \sigma e = A r + \sigma k$. With $n = \lVert R\rVert$ and
$\Delta = z' - z$, the shares

$$s_c = \frac{2\,\langle A(r'_c - r_c), \Delta\rangle}{(n + n')\,\lVert\Delta\rVert^2}, \qquad
s_\mathrm{bias} = \frac{2\,(\sigma' - \sigma)\,\langle k, \Delta\rangle}{(n + n')\,\lVert\Delta\rVert^2}$$

sum to 1, since $\langle R' - R, \Delta\rangle = (n + n')\lVert\Delta\rVert^2 / 2$. A component that does not
change has share 0, and exchanging original and view changes nothing. Biases of projections cancel.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float64

from embshift.encoders.inside.norms import apply_norm, get_bias, scale_rows, transpose_norm
from embshift.encoders.inside.observed import Observed
from embshift.encoders.inside.parts import Parts
from embshift.encoders.inside.results import (
    DIRECTIONS,
    Patches,
    Shares,
    compare_patched,
    compute_shift,
    mask_unmoved,
)

__all__ = [
    "build_differences",
    "compute_class_contributions",
    "compute_class_shares",
    "patch_directly",
    "project_rows",
    "pull_back",
    "pull_to_heads",
    "read_stream",
]

Vectors = Float64[torch.Tensor, "views components width"]


def compute_class_shares(parts: Parts, clean: Observed, views: Observed) -> Shares:
    """Compute the shares of stem, heads, inner layers and bias, without forming a component's vector.

    The shift is pulled back through projection and norm, and further through each output projection.

    Args:
        parts: The parts of the network.
        clean: The original, one row.
        views: Its views.
    """
    delta, length = compute_shift(clean.embedding, views.embedding)
    pulled, below = pull_back(parts, clean, views)
    stem = ((views.stem[:, 0] - clean.stem[:, 0]).double() * pulled).sum(dim=-1, keepdim=True)
    changes = _subtract_class_rows(clean.heads, views.heads)  # (blocks, views, heads, part)
    heads = (changes * pull_to_heads(parts, pulled)).sum(dim=-1)
    inner = (_subtract_class_rows(clean.inner, views.inner) * pulled).sum(dim=-1, keepdim=True)
    blocks = torch.cat([heads, inner], dim=-1).transpose(0, 1).flatten(start_dim=1)
    bias = _weigh_bias(parts, clean, views, delta) / below[:, None]
    ratio = views.embedding.double().norm(dim=-1) / clean.embedding.double().norm(dim=-1)
    share = mask_unmoved(torch.cat([stem, blocks, bias], dim=1), length)
    return Shares(share=share, shift=length, length_ratio=ratio)


def _subtract_class_rows(
    clean: Sequence[torch.Tensor], views: Sequence[torch.Tensor]
) -> Float64[torch.Tensor, "blocks views *_"]:
    """Return the class rows of all blocks of the views, less those of the original."""
    first, second = (torch.stack([rows[:, 0] for rows in seen]) for seen in (clean, views))
    return (second - first).double()


def pull_to_heads(
    parts: Parts, pulled: Float64[torch.Tensor, "views width"]
) -> Float64[torch.Tensor, "blocks views heads part"]:
    """Pull a vector of the final stream back through every output projection.

    The products are of single precision, like those of the network, and all projections are read once, which
    takes a third of the time of double precision. Their rounding is a relative error of a share.

    Args:
        parts: The parts of the network.
        pulled: A vector for each view, as `pull_back` returns.
    """
    through = [pulled if block.scale is None else pulled * block.scale.double() for block in parts.blocks]
    back = torch.bmm(torch.stack(through).to(parts.outputs.dtype), parts.outputs)
    return back.double().unflatten(-1, (parts.heads, -1))


def pull_back(
    parts: Parts, clean: Observed, views: Observed
) -> tuple[Float64[torch.Tensor, "views width"], Float64[torch.Tensor, " views"]]:
    r"""Return $2 A^\top\Delta / ((n + n') \lVert\Delta\rVert^2)$, and the denominator's half.

    The product of this vector with a change of the final stream is the share of that change.

    Args:
        parts: The parts of the network.
        clean: The original, one row.
        views: Its views.
    """
    delta, length = compute_shift(clean.embedding, views.embedding)
    below = (_measure_length(parts, clean) + _measure_length(parts, views)) / 2 * length.square()
    back = delta if parts.projection is None else delta @ parts.projection.double()
    return transpose_norm(parts.final_norm, back) / below[:, None], below


def _measure_length(parts: Parts, seen: Observed) -> Float64[torch.Tensor, " views"]:
    """Return the length of the embedding times the norm's scale."""
    _, sigma = scale_rows(parts.final_norm, seen.final[:, 0].double())
    return seen.embedding.double().norm(dim=-1) * sigma[:, 0]


def _weigh_bias(
    parts: Parts, clean: Observed, views: Observed, delta: torch.Tensor
) -> Float64[torch.Tensor, "views 1"]:
    scales = [scale_rows(parts.final_norm, seen.final[:, 0].double())[1] for seen in (clean, views)]
    constant = project_rows(parts, get_bias(parts.final_norm, width=clean.final.shape[-1]))
    return (scales[1] - scales[0]) * (delta @ constant)[:, None]


def project_rows(
    parts: Parts, rows: Float64[torch.Tensor, "*rows width"]
) -> Float64[torch.Tensor, "*rows dim"]:
    """Return rows after the projection that follows the final norm, if there is one."""
    return rows if parts.projection is None else rows @ parts.projection.double().T


def build_differences(parts: Parts, clean: Observed, views: Observed) -> Vectors:
    """Return what each component adds to the final stream of a view, less what it adds to the original's.

    Args:
        parts: The parts of the network.
        clean: The original, one row.
        views: Its views.

    Returns:
        Differences of stem, heads and inner layers at the class token, in the order of the shares.
    """
    found = [(views.stem[:, :1] - clean.stem[:, :1]).double()]
    for at, block in enumerate(parts.blocks):
        heads = (views.heads[at][:, 0] - clean.heads[at][:, 0]).double()
        weight = block.output_weight.unflatten(1, (parts.heads, -1))  # (width, heads, part)
        added = torch.einsum("nhc,dhc->nhd", heads, weight)
        found.append(added if block.scale is None else added * block.scale.double())
        found.append((views.inner[at][:, :1] - clean.inner[at][:, :1]).double())
    return torch.cat(found, dim=1)


def compute_class_contributions(
    parts: Parts, clean: Observed, views: Observed
) -> Float64[torch.Tensor, "views components dim"]:
    """Return each component's part of the shift as a vector; what is orthogonal to the shift is left out.

    Args:
        parts: The parts of the network.
        clean: The original, one row.
        views: Its views.
    """
    # The linear part of a norm is the same for a difference of rows as for rows.
    scaled, _ = scale_rows(parts.final_norm, build_differences(parts, clean, views))
    lengths = (_measure_length(parts, clean) + _measure_length(parts, views))[:, None, None]
    both = [scale_rows(parts.final_norm, seen.final[:, 0].double())[1] for seen in (clean, views)]
    constant = project_rows(parts, get_bias(parts.final_norm, width=clean.final.shape[-1]))
    bias = ((both[1] - both[0]) * constant)[:, None]
    return torch.cat([project_rows(parts, scaled), bias], dim=1) * 2 / lengths


def read_stream(
    parts: Parts, rows: Float64[torch.Tensor, "*rows width"]
) -> Float64[torch.Tensor, "*rows dim"]:
    """Return the embedding of rows of the final stream.

    Args:
        parts: The parts of the network.
        rows: Final streams of the class token.
    """
    return project_rows(parts, apply_norm(parts.final_norm, rows))


def patch_directly(parts: Parts, clean: Observed, views: Observed, *, direction: str) -> Patches:
    """Exchange what one component adds to the final stream, and read the embedding again.

    Args:
        parts: The parts of the network.
        clean: The original, one row.
        views: Its views.
        direction: One of `DIRECTIONS`.
    """
    change = build_differences(parts, clean, views)
    if direction == DIRECTIONS[0]:
        patched = views.final[:, :1].double() - change
    else:
        patched = clean.final[:, :1].double() + change
    return compare_patched(clean.embedding, views.embedding, read_stream(parts, patched), direction=direction)
