"""What is computed of observed views: one row a view, NaN where the view has no shift."""

from dataclasses import dataclass

import torch
from jaxtyping import Float32, Float64

__all__ = [
    "DIRECTIONS",
    "ROUNDING",
    "Patches",
    "Shares",
    "compare_patched",
    "compute_shift",
    "mask_unmoved",
]

DIRECTIONS = ("clean_into_view", "view_into_clean")
"""What a patch puts where: the original's part into the view's pass, or the other way round."""

ROUNDING = 1e-6
"""Length of a shift up to which it counts as rounding: embeddings are float32."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Shares:
    """Shares of the components in the shift of each view.

    Attributes:
        share: One share for each component; those of a view sum to 1.
        shift: Length of z′ − z.
        length_ratio: Length of the view's raw embedding over the original's.
    """

    share: Float64[torch.Tensor, "views components"]
    shift: Float64[torch.Tensor, " views"]
    length_ratio: Float64[torch.Tensor, " views"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Patches:
    """What patches of single components do to the shift of each view.

    Attributes:
        recovered: Part of the shift, along itself, that the patch undoes (clean into view) or makes (view
            into clean): 1 is all of it, 0 nothing.
        closeness: 1 minus the squared distance that is left to the target, over the squared shift.
    """

    recovered: Float64[torch.Tensor, "views components"]
    closeness: Float64[torch.Tensor, "views components"]


def compute_shift(
    clean: Float32[torch.Tensor, "_ dim"], views: Float32[torch.Tensor, "views dim"]
) -> tuple[Float64[torch.Tensor, "views dim"], Float64[torch.Tensor, " views"]]:
    """Return z′ − z of unit embeddings, and its length.

    Args:
        clean: Raw embedding of the original, one row or one a view.
        views: Raw embeddings of its views.
    """
    delta = _to_unit(views) - _to_unit(clean)
    return delta, delta.norm(dim=-1)


def mask_unmoved(
    values: Float64[torch.Tensor, "views _"], length: Float64[torch.Tensor, " views"]
) -> Float64[torch.Tensor, "views _"]:
    """Return values with NaN in the rows whose shift is at rounding level."""
    return torch.where((length > ROUNDING)[:, None], values, torch.nan)


def compare_patched(
    clean: Float32[torch.Tensor, "_ dim"],
    views: Float32[torch.Tensor, "views dim"],
    patched: Float64[torch.Tensor, "views components dim"],
    *,
    direction: str,
) -> Patches:
    r"""Compare embeddings of patched passes with those of the original and the view.

    With the target $t$ (the original's embedding for clean into view, the view's for view into clean), the
    start $s$ and the patched embedding $p$, all of length 1: recovered is $\langle p - s, t - s\rangle$ and
    closeness is $1 - \lVert p - t\rVert^2$ over $\lVert t - s\rVert^2$.

    Args:
        clean: Raw embedding of the original.
        views: Raw embeddings of the views.
        patched: Raw embeddings of the patched passes.
        direction: One of `DIRECTIONS`.
    """
    ends = (_to_unit(views), _to_unit(clean).expand(len(views), -1))
    start, target = ends if direction == DIRECTIONS[0] else ends[::-1]
    way = (target - start)[:, None]
    found = _to_unit(patched)
    length = way.norm(dim=-1)
    squared = length.square()
    recovered = ((found - start[:, None]) * way).sum(dim=-1) / squared
    closeness = 1 - (found - target[:, None]).square().sum(dim=-1) / squared
    return Patches(
        recovered=mask_unmoved(recovered, length[:, 0]), closeness=mask_unmoved(closeness, length[:, 0])
    )


def _to_unit(embedding: torch.Tensor) -> torch.Tensor:
    values = embedding.double()
    return values / values.norm(dim=-1, keepdim=True)
