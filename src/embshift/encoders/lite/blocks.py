"""The transformer of ``lite``: it weights the positions of the trunk's grid in the embedding.

A class token and the projected local vectors pass through pre-norm blocks; then the class token attends to
the patches once more. The values of this last attention are the projected local vectors themselves. So the
embedding is their mean, weighted by the last attention's mean over heads: the transformer decides where to
look and cannot alter what is seen there. If the last query and gain are zero, it is the unweighted mean,
which is the teacher's embedding.

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

__all__ = [
    "BLOCKS",
    "HEADS",
    "LAYERS",
    "RATIO",
    "WIDTH",
    "TransformerOutput",
    "make_initial_weights",
    "run_transformer",
]

WIDTH = 256
"""Length of a token and of the embedding."""

BLOCKS = 3
HEADS = 4
RATIO = 2
"""Width of a block's inner layer, as a multiple of a token's width."""

LAYERS = BLOCKS + 1
"""The blocks and the last class attention; each has one class-token row."""

_CLASS_TOKEN, _LAST = "class_token", "last"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TransformerOutput:
    """The output of the transformer.

    Attributes:
        embedding: Mean of the projected local vectors, weighted by the last attention's mean over heads.
        attention: Attention from the class token to the patches, in every block and in the last attention. A
            block's attention to the class token itself is left out, and the rest is not renormalised.
        tokens: Class token and patches after every block; after the last attention, the embedding and the
            vectors whose weighted mean it is.
    """

    embedding: Float[torch.Tensor, "views width"]
    attention: tuple[Float[torch.Tensor, "views heads patches"], ...]
    tokens: tuple[Float[torch.Tensor, "views places width"], ...]


def run_transformer(
    patches: Float[torch.Tensor, "views patches width"], /, *, weights: Weights
) -> TransformerOutput:
    """Compute the embedding from projected local vectors.

    Args:
        patches: Projected local vectors, row by row of the grid; any number of them.
        weights: Parameters named as in `make_initial_weights`, in the precision of `patches`.
    """
    first = weights[_CLASS_TOKEN].expand(len(patches), 1, -1)
    tokens = torch.cat([first, patches], dim=1)
    maps, states = list[torch.Tensor](), list[torch.Tensor]()
    for index in range(BLOCKS):
        tokens, attention = _apply_block(tokens, name=f"layers.{index}", weights=weights)
        maps.append(attention[:, :, 0, 1:])
        states.append(tokens)
    last = _compute_last_attention(tokens, patches, weights=weights)
    embedding = torch.bmm(last.mean(1, keepdim=True), patches)  # (views, 1, width)
    states.append(torch.cat([embedding, patches], dim=1))
    return TransformerOutput(embedding=embedding[:, 0], attention=(*maps, last), tokens=tuple(states))


def make_initial_weights(generator: torch.Generator, /) -> dict[str, Float[torch.Tensor, "..."]]:
    """Return the weights at the start of training, with which the embedding is the mean of the tokens.

    Residual branches, the last query and the last gain are zero; all other weights are small and random.
    """
    inner = RATIO * WIDTH
    weights = {_CLASS_TOKEN: 0.02 * torch.randn(WIDTH, generator=generator)}
    for index in range(BLOCKS):
        name = f"layers.{index}"
        weights |= _make_norm(f"{name}.norm") | _make_linear(f"{name}.qkv", 3 * WIDTH, WIDTH, generator)
        weights |= _make_linear(f"{name}.out", WIDTH, WIDTH, None) | _make_norm(f"{name}.inner_norm")
        weights |= _make_linear(f"{name}.widen", inner, WIDTH, generator) | _make_linear(
            f"{name}.narrow", WIDTH, inner, None
        )
    weights |= {f"{_LAST}.gain": torch.zeros(HEADS)}
    weights |= _make_norm(f"{_LAST}.norm") | _make_linear(f"{_LAST}.query", WIDTH, WIDTH, None)
    return weights | _make_linear(f"{_LAST}.key", WIDTH, WIDTH, generator)


def _apply_block(
    tokens: Float[torch.Tensor, "views places width"], *, name: str, weights: Weights
) -> tuple[Float[torch.Tensor, "views places width"], Float[torch.Tensor, "views heads places places"]]:
    normed = _apply_norm(tokens, name=f"{name}.norm", weights=weights)
    mixed = _project(normed, name=f"{name}.qkv", weights=weights)
    query, key, value = (_split_heads(part) for part in mixed.chunk(3, dim=2))
    attention = torch.softmax(_compute_logits(query, key), dim=3)
    heard = (attention @ value).transpose(1, 2).flatten(2)  # (views, places, width)
    tokens = tokens + _project(heard, name=f"{name}.out", weights=weights)
    normed = _apply_norm(tokens, name=f"{name}.inner_norm", weights=weights)
    inner = functional.gelu(_project(normed, name=f"{name}.widen", weights=weights))
    return tokens + _project(inner, name=f"{name}.narrow", weights=weights), attention


def _compute_last_attention(
    tokens: Float[torch.Tensor, "views places width"],
    patches: Float[torch.Tensor, "views patches width"],
    *,
    weights: Weights,
) -> Float[torch.Tensor, "views heads patches"]:
    normed = _apply_norm(tokens, name=f"{_LAST}.norm", weights=weights)
    query = _split_heads(_project(normed[:, :1], name=f"{_LAST}.query", weights=weights))
    key = _split_heads(_project(normed[:, 1:], name=f"{_LAST}.key", weights=weights))
    # Norms remove the length of a vector, and long vectors belong to objects.
    length = patches.norm(dim=2).clamp_min(1e-6).log()[:, None, None]  # (views, 1, 1, patches)
    gain = weights[f"{_LAST}.gain"][:, None, None]
    return torch.softmax(_compute_logits(query, key) + gain * length, dim=3)[:, :, 0]


def _compute_logits(
    query: Float[torch.Tensor, "views heads asking part"], key: Float[torch.Tensor, "views heads asked part"]
) -> Float[torch.Tensor, "views heads asking asked"]:
    return query @ key.transpose(2, 3) * query.shape[3] ** -0.5


def _split_heads(
    values: Float[torch.Tensor, "views places width"],
) -> Float[torch.Tensor, "views heads places part"]:
    return values.unflatten(2, (HEADS, -1)).transpose(1, 2)


def _apply_norm(
    tokens: Float[torch.Tensor, "views places width"], *, name: str, weights: Weights
) -> Float[torch.Tensor, "views places width"]:
    return functional.layer_norm(tokens, (WIDTH,), weights[f"{name}.weight"], weights[f"{name}.bias"])


def _project(
    values: Float[torch.Tensor, "views places _"], *, name: str, weights: Weights
) -> Float[torch.Tensor, "views places _"]:
    weight, bias = weights[f"{name}.weight"], weights[f"{name}.bias"]
    if weight.requires_grad:
        # Training needs no fixed rounding, and one product keeps one gradient instead of one per view.
        return functional.linear(values, weight, bias)
    # One product per view. In a single product over all views, the rounding of a row depends on its place in
    # the batch.
    return torch.baddbmm(bias, values, weight.T.expand(len(values), -1, -1))


def _make_linear(
    name: str, rows: int, columns: int, generator: torch.Generator | None
) -> dict[str, Float[torch.Tensor, "..."]]:
    zero = torch.zeros(rows, columns)
    spread = columns**-0.5
    weight = zero if generator is None else spread * torch.randn(rows, columns, generator=generator)
    return {f"{name}.weight": weight, f"{name}.bias": torch.zeros(rows)}


def _make_norm(name: str) -> dict[str, Float[torch.Tensor, "..."]]:
    return {f"{name}.weight": torch.ones(WIDTH), f"{name}.bias": torch.zeros(WIDTH)}
