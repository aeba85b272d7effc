"""The transformer of ``lite``: which positions of the trunk's grid make the embedding.

A class token and the projected local vectors go through pre-norm blocks; then the class token attends to the
patches once more. The values of that last attention are the projected local vectors themselves, so that the
embedding is their mean, weighted by the last attention's mean over heads: the transformer decides where to
look and cannot alter what is seen there. Where the last query and gain are zero, that is the even mean: the
teacher's embedding.

References:
    Vaswani et al. (2017), Attention Is All You Need, section 3.2.
    Dosovitskiy et al. (2021), An Image Is Worth 16x16 Words, section 3.1, for the class token.
    Touvron et al. (2021), Going Deeper with Image Transformers, section 3, for the last class attention.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch.nn import functional

from embshift.encoders.lite.trunk import Weights

__all__ = ["BLOCKS", "HEADS", "LAYERS", "RATIO", "WIDTH", "Looked", "initial", "look"]

WIDTH = 256
"""Length of a token, and of the embedding."""

BLOCKS = 3
HEADS = 4
RATIO = 2
"""Width of a block's inner layer, in widths of a token."""

LAYERS = BLOCKS + 1
"""The blocks and the last class attention: one class-token row each."""

_CLASS_TOKEN, _LAST = "class_token", "last"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Looked:
    """What the transformer made of the tokens.

    Attributes:
        embedding: Mean of the projected local vectors, weighted by the last attention's mean over heads.
        attention: From the class token to the patches, in every block and in the last attention; what a block
            gives to the class token itself is left out and the rest not renormalised.
        tokens: Class token and patches after every block; after the last attention, the embedding and the
            vectors that it is the mean of.
    """

    embedding: Float[torch.Tensor, "views width"]
    attention: tuple[Float[torch.Tensor, "views heads patches"], ...]
    tokens: tuple[Float[torch.Tensor, "views places width"], ...]


def look(patches: Float[torch.Tensor, "views patches width"], /, *, weights: Weights) -> Looked:
    """From projected local vectors to the embedding.

    Args:
        patches: Projected local vectors, row by row of the grid; any number of them.
        weights: As `initial` names them, in the precision of `patches`.
    """
    first = weights[_CLASS_TOKEN].expand(len(patches), 1, -1)
    tokens = torch.cat([first, patches], dim=1)
    maps, states = list[torch.Tensor](), list[torch.Tensor]()
    for index in range(BLOCKS):
        tokens, attention = _block(tokens, name=f"layers.{index}", weights=weights)
        maps.append(attention[:, :, 0, 1:])
        states.append(tokens)
    last = _last_attention(tokens, patches, weights=weights)
    embedding = torch.bmm(last.mean(1, keepdim=True), patches)  # (views, 1, width)
    states.append(torch.cat([embedding, patches], dim=1))
    return Looked(embedding=embedding[:, 0], attention=(*maps, last), tokens=tuple(states))


def initial(generator: torch.Generator, /) -> dict[str, Float[torch.Tensor, "..."]]:
    """Weights to begin the training with: what they do to any tokens is take their mean.

    Residual branches, the last query and the last gain are zero, all else is small and random.
    """
    inner = RATIO * WIDTH
    weights = {_CLASS_TOKEN: 0.02 * torch.randn(WIDTH, generator=generator)}
    for index in range(BLOCKS):
        name = f"layers.{index}"
        weights |= _norm(f"{name}.norm") | _linear(f"{name}.qkv", 3 * WIDTH, WIDTH, generator)
        weights |= _linear(f"{name}.out", WIDTH, WIDTH, None) | _norm(f"{name}.inner_norm")
        weights |= _linear(f"{name}.widen", inner, WIDTH, generator) | _linear(
            f"{name}.narrow", WIDTH, inner, None
        )
    weights |= {f"{_LAST}.gain": torch.zeros(HEADS)}
    weights |= _norm(f"{_LAST}.norm") | _linear(f"{_LAST}.query", WIDTH, WIDTH, None)
    return weights | _linear(f"{_LAST}.key", WIDTH, WIDTH, generator)


def _block(
    tokens: Float[torch.Tensor, "views places width"], *, name: str, weights: Weights
) -> tuple[Float[torch.Tensor, "views places width"], Float[torch.Tensor, "views heads places places"]]:
    normed = _normed(tokens, name=f"{name}.norm", weights=weights)
    mixed = _projected(normed, name=f"{name}.qkv", weights=weights)
    query, key, value = (_split(part) for part in mixed.chunk(3, dim=2))
    attention = torch.softmax(_scores(query, key), dim=3)
    heard = (attention @ value).transpose(1, 2).flatten(2)  # (views, places, width)
    tokens = tokens + _projected(heard, name=f"{name}.out", weights=weights)
    normed = _normed(tokens, name=f"{name}.inner_norm", weights=weights)
    inner = functional.gelu(_projected(normed, name=f"{name}.widen", weights=weights))
    return tokens + _projected(inner, name=f"{name}.narrow", weights=weights), attention


def _last_attention(
    tokens: Float[torch.Tensor, "views places width"],
    patches: Float[torch.Tensor, "views patches width"],
    *,
    weights: Weights,
) -> Float[torch.Tensor, "views heads patches"]:
    normed = _normed(tokens, name=f"{_LAST}.norm", weights=weights)
    query = _split(_projected(normed[:, :1], name=f"{_LAST}.query", weights=weights))
    key = _split(_projected(normed[:, 1:], name=f"{_LAST}.key", weights=weights))
    # Norms take a vector's length away, and long vectors are those of objects.
    length = patches.norm(dim=2).clamp_min(1e-6).log()[:, None, None]  # (views, 1, 1, patches)
    gain = weights[f"{_LAST}.gain"][:, None, None]
    return torch.softmax(_scores(query, key) + gain * length, dim=3)[:, :, 0]


def _scores(
    query: Float[torch.Tensor, "views heads asking part"], key: Float[torch.Tensor, "views heads asked part"]
) -> Float[torch.Tensor, "views heads asking asked"]:
    return query @ key.transpose(2, 3) * query.shape[3] ** -0.5


def _split(
    values: Float[torch.Tensor, "views places width"],
) -> Float[torch.Tensor, "views heads places part"]:
    return values.unflatten(2, (HEADS, -1)).transpose(1, 2)


def _normed(
    tokens: Float[torch.Tensor, "views places width"], *, name: str, weights: Weights
) -> Float[torch.Tensor, "views places width"]:
    return functional.layer_norm(tokens, (WIDTH,), weights[f"{name}.weight"], weights[f"{name}.bias"])


def _projected(
    values: Float[torch.Tensor, "views places _"], *, name: str, weights: Weights
) -> Float[torch.Tensor, "views places _"]:
    weight, bias = weights[f"{name}.weight"], weights[f"{name}.bias"]
    if weight.requires_grad:
        # Training needs no fixed rounding, and one product keeps one gradient, not one per view.
        return functional.linear(values, weight, bias)
    # One product per view. In a single product over all views, how a row is rounded depends on where in the
    # batch it stands.
    return torch.baddbmm(bias, values, weight.T.expand(len(values), -1, -1))


def _linear(
    name: str, rows: int, columns: int, generator: torch.Generator | None
) -> dict[str, Float[torch.Tensor, "..."]]:
    zero = torch.zeros(rows, columns)
    spread = columns**-0.5
    weight = zero if generator is None else spread * torch.randn(rows, columns, generator=generator)
    return {f"{name}.weight": weight, f"{name}.bias": torch.zeros(rows)}


def _norm(name: str) -> dict[str, Float[torch.Tensor, "..."]]:
    return {f"{name}.weight": torch.ones(WIDTH), f"{name}.bias": torch.zeros(WIDTH)}
