r"""The final norm as a linear map and a scale: $y = \gamma \odot Cx / \sigma + \beta$.

$C$ takes the mean off, except for an RMS norm, where it changes nothing; $\sigma$ includes $\epsilon$.
All values are float64: what is computed with them is a difference of nearly equal sums.
"""

from typing import Any

import torch
from jaxtyping import Float64

from embshift.core.errors import EncoderError

__all__ = ["apply_norm", "get_bias", "scale_rows", "transpose_norm"]

Rows = Float64[torch.Tensor, "*rows width"]


def scale_rows(norm: Any, rows: Rows, /) -> tuple[Rows, Float64[torch.Tensor, "*rows 1"]]:
    r"""Return $\gamma \odot Cx$ and $\sigma$ of some rows.

    Args:
        norm: A layer norm or an RMS norm.
        rows: Rows $x$ of the stream.
    """
    weight = norm.weight.double()
    if _is_rms(norm):
        return weight * rows, (rows.square().mean(dim=-1, keepdim=True) + _get_epsilon(norm)).sqrt()
    centred = rows - rows.mean(dim=-1, keepdim=True)
    return weight * centred, (centred.square().mean(dim=-1, keepdim=True) + _get_epsilon(norm)).sqrt()


def transpose_norm(norm: Any, rows: Rows, /) -> Rows:
    r"""Return $C^\top(\gamma \odot g)$, the transpose of the linear part, of some rows."""
    weighted = norm.weight.double() * rows
    return weighted if _is_rms(norm) else weighted - weighted.mean(dim=-1, keepdim=True)


def apply_norm(norm: Any, rows: Rows, /) -> Rows:
    """Return the norm's output."""
    scaled, sigma = scale_rows(norm, rows)
    return scaled / sigma + get_bias(norm, width=rows.shape[-1])


def get_bias(norm: Any, *, width: int) -> Float64[torch.Tensor, " width"]:
    r"""Return $\beta$, zeros where the norm has none."""
    bias = getattr(norm, "bias", None)
    return norm.weight.new_zeros(width).double() if bias is None else bias.double()


def _is_rms(norm: Any) -> bool:
    return not isinstance(norm, torch.nn.LayerNorm)


def _get_epsilon(norm: Any) -> float:
    for name in ("variance_epsilon", "eps"):
        if hasattr(norm, name):
            return float(getattr(norm, name))
    raise EncoderError(f"the norm {type(norm).__name__} states no epsilon, so its scale cannot be computed")
