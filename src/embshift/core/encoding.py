"""Encodings, which encoders give and metrics take: float32 tensors, batch first."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol, TypeAlias, runtime_checkable

import torch
from jaxtyping import Float, Float32, UInt8

from embshift.core.types import Capture, EncoderSpec, Field, Views

__all__ = ["AnyViews", "Encoder", "Encoding", "concatenate", "to_numpy"]

AnyViews: TypeAlias = Views | UInt8[torch.Tensor, "views height width 3"]
"""Views in main memory, or on the encoder's device if they were made there."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Encoding:
    """The output of an encoder for a batch of views.

    Attributes:
        embedding: Raw embeddings, not normalised.
        grid: Rows and columns of patches; rows * columns = patches.
        field: The rectangle of the resized image that the encoder saw.
        attention: The final map of each head: non-negative, over patches only (no class or register
            tokens), not renormalised. None where it was not captured.
        layers: The attention row of the class token in every block. None where not captured, or where the
            encoder has none.
        tokens: Class token first, then patches, after every block; see the encoder's class for details.
            None where not captured, or where the encoder does not give them.
    """

    embedding: Float32[torch.Tensor, "views dim"]
    grid: tuple[int, int]
    field: Field
    attention: Float32[torch.Tensor, "views heads patches"] | None = None
    layers: Float32[torch.Tensor, "views layers heads patches"] | None = None
    tokens: Float32[torch.Tensor, "views layers places width"] | None = None

    def __len__(self) -> int:
        return self.embedding.shape[0]

    def select(self, rows: Sequence[int]) -> "Encoding":
        """Return the given views in the given order; a row may be given more than once."""
        index = torch.as_tensor(rows, dtype=torch.long, device=self.embedding.device)
        return self.each(lambda values: values[index])

    def between(self, start: int, stop: int) -> "Encoding":
        """Return the views from `start` to before `stop`; they share the memory of this encoding."""
        return self.each(lambda values: values[start:stop])

    def each(self, change: Callable[[torch.Tensor], torch.Tensor], /) -> "Encoding":
        """Return a copy in which `change` was applied to every tensor that is present."""
        held = (self.embedding, self.attention, self.layers, self.tokens)
        embedding, attention, layers, tokens = (None if one is None else change(one) for one in held)
        assert embedding is not None
        # `replace` takes several times as long, and this runs once for every image of a batch.
        return Encoding(
            embedding=embedding,
            grid=self.grid,
            field=self.field,
            attention=attention,
            layers=layers,
            tokens=tokens,
        )


def concatenate(parts: Sequence[Encoding]) -> Encoding:
    """Concatenate encodings of one encoder and one image size."""
    first = parts[0]
    if len(parts) == 1:
        return first
    return replace(
        first,
        embedding=torch.cat([part.embedding for part in parts]),
        attention=_concatenate([part.attention for part in parts]),
        layers=_concatenate([part.layers for part in parts]),
        tokens=_concatenate([part.tokens for part in parts]),
    )


def _concatenate(parts: Sequence[Float[torch.Tensor, "..."] | None]) -> Float[torch.Tensor, "..."] | None:
    present = [part for part in parts if part is not None]
    return torch.cat(present) if len(present) == len(parts) else None


def to_numpy(views: AnyViews, /) -> Views:
    """Return views as a NumPy array, wherever they are."""
    return views.cpu().numpy() if isinstance(views, torch.Tensor) else views


@runtime_checkable
class Encoder(Protocol):
    """Turns views into encodings. It holds weights open and is otherwise stateless."""

    @property
    def spec(self) -> EncoderSpec: ...

    def encode(self, views: AnyViews, /, *, capture: Capture) -> Encoding:
        """Encode one batch; each row depends only on its own image and on the shape of the batch."""
        ...
