"""A last block whose inner layers see the class token alone.

An embedding that is the class token's reads nothing else of the last block. Its patches are attended to, and
what the inner layers would make of them is left out: in ViT-B/32 a twentieth of all arithmetic.
"""

from typing import Any, final

import torch
from jaxtyping import Float

__all__ = ["ClassBlock", "cut_last_block"]

_FORMS = (
    ("layer_norm1", "self_attn", None, "layer_norm2", "mlp", None),
    ("norm1", "attention", "layer_scale1", "norm2", "mlp", "layer_scale2"),
    ("layernorm_before", "attention", None, "layernorm_after", "mlp", None),
)
"""What the library calls a pre-norm block's parts, in the order in which they act."""

_IDLE = {"drop_path", "dropout"}
"""Parts that do nothing outside training."""


@final
class ClassBlock(torch.nn.Module):
    """What a pre-norm block makes of its first token.

    Args:
        block: The whole block, in eval mode.
        form: Names of its parts: norm, attention, scale or None, norm, inner layers, scale or None.

    References:
        Dosovitskiy et al. (2021), An Image Is Worth 16x16 Words, equations 2 and 3, of which token 0 alone is
        taken; Touvron et al. (2021), Going Deeper with Image Transformers, section 2, for the scales.
    """

    def __init__(self, block: torch.nn.Module, *, form: tuple[str | None, ...]) -> None:
        super().__init__()
        self._form = form
        for name in form:
            if name is not None:
                # Under its own name, by which half precision knows what is inside a block.
                setattr(self, name, getattr(block, name))

    def forward(
        self, tokens: Float[torch.Tensor, "views tokens width"], *given: Any, **options: Any
    ) -> Float[torch.Tensor, "views 1 width"]:
        """The class token after the block; what else the block is given goes to its attention."""
        norm, attention, scale, inner_norm, inner, inner_scale = map(self._part, self._form)
        found = attention(norm(tokens), *given, **options)
        # Older versions of the library give no weights beside the values.
        attended: torch.Tensor = found[0] if isinstance(found, tuple) else found
        first = tokens[:, :1] + scale(attended[:, :1])
        return first + inner_scale(inner(inner_norm(first)))

    def _part(self, name: str | None) -> Any:
        return _as_it_is if name is None else getattr(self, name)


def cut_last_block(network: torch.nn.Module) -> None:
    """Put a `ClassBlock` in the place of the last block, for good; a block of unknown parts stays whole.

    Args:
        network: A network of the transformers library whose class token alone is read.
    """
    for module in list(network.modules()):
        if isinstance(module, torch.nn.ModuleList) and len(module):
            form = _form_of(module[-1])
            if form is not None:
                module[-1] = ClassBlock(module[-1], form=form)


def _form_of(block: torch.nn.Module) -> tuple[str | None, ...] | None:
    parts = {name for name, _ in block.named_children()} - _IDLE
    return next((form for form in _FORMS if parts == set(form) - {None}), None)


def _as_it_is(values: torch.Tensor) -> torch.Tensor:
    return values
