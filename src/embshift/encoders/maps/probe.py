"""What the blocks attended to, taken while the library's own attention runs.

One function is registered with transformers' attention interface. It computes the output with the library's
scaled-dot-product attention, which never forms the attention matrix, and beside it the one row that was asked
for. Without a tape in place it only passes on.
"""

import functools
import importlib
from collections.abc import Collection, Generator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

import torch
from jaxtyping import Float

from embshift.core.errors import EncoderError
from embshift.encoders.speed.half_precision import single

__all__ = ["ATTENTION", "Tape", "class_row", "received_mean", "recording", "register_attention"]

ATTENTION = "embshift"
"""Name under which the attention function is registered."""

Rows = Float[torch.Tensor, "views heads tokens"]
Queries = Float[torch.Tensor, "views heads tokens dim"]


@runtime_checkable
class Reduce(Protocol):
    """What makes one row of a block's attention out of its queries and keys."""

    def __call__(self, query: Queries, key: Queries, /, *, scaling: float) -> Rows: ...


@dataclass(slots=True, kw_only=True)
class Tape:
    """The rows of one forward pass.

    Attributes:
        wanted: Blocks whose rows are kept, from 0.
        reduce: What makes the row.
        calls: Attention calls heard so far.
        rows: The rows kept, in the order of the blocks.
    """

    wanted: Collection[int]
    reduce: Reduce
    calls: int = 0
    rows: list[Rows] = field(default_factory=list[Rows])

    def hear(self, query: Queries, key: Queries, /, *, scaling: float, masked: bool) -> None:
        """Count one attention call and keep its row if it is wanted."""
        block = self.calls
        self.calls += 1
        if block not in self.wanted:
            return
        if masked:
            raise EncoderError("attention was asked for from a block with a mask, which no known encoder has")
        self.rows.append(self.reduce(query, key, scaling=scaling))


# A context variable: a tape belongs to its own forward pass even where several threads encode.
_TAPE: ContextVar[Tape | None] = ContextVar("embshift_attention_tape", default=None)


@contextmanager
def recording(*, blocks: int, wanted: Collection[int], reduce: Reduce) -> Generator[Tape]:
    """A tape that hears the attention of one forward pass, and is taken away afterwards.

    Args:
        blocks: Attention calls that the pass must make.
        wanted: Blocks whose rows are kept; with none, nothing listens.
        reduce: What makes the row.

    Raises:
        EncoderError: The pass made another number of attention calls.
    """
    tape = Tape(wanted=wanted, reduce=reduce)
    token = _TAPE.set(tape if wanted else None)
    try:
        yield tape
    finally:
        _TAPE.reset(token)
    if wanted and tape.calls != blocks:
        raise EncoderError(
            f"{tape.calls} attention calls were heard where the encoder has {blocks} blocks; "
            "this version of transformers computes its attention elsewhere, so no map can be taken"
        )


def class_row(query: Queries, key: Queries, /, *, scaling: float) -> Rows:
    r"""The class token's row, $\mathrm{softmax}(s\, q_{0} K^\top)$.

    Args:
        query: Queries; token 0 is the class token.
        key: Keys.
        scaling: What the products are multiplied by.

    Returns:
        How the class token divides its attention over all tokens, in float32 at least; each row sums to 1.

    References:
        Vaswani et al. (2017), Attention Is All You Need, equation 1.
    """
    products = torch.matmul(single(query[:, :, :1]), single(key).transpose(-1, -2)) * scaling
    return products.squeeze(2).softmax(dim=-1)


def received_mean(query: Queries, key: Queries, /, *, scaling: float) -> Rows:
    """The attention that each token receives, averaged over all tokens that give it.

    Args:
        query: Queries.
        key: Keys.
        scaling: What the products are multiplied by.

    Returns:
        Mean over queries of the softmax rows, in float32 at least; each row sums to 1.
    """
    # View by view: the whole attention matrix of a batch at 1024 patches would take gigabytes.
    rows = [
        torch.softmax(torch.matmul(q, k.transpose(-1, -2)) * scaling, dim=-1).mean(dim=1)
        for q, k in zip(single(query), single(key), strict=True)
    ]
    return torch.stack(rows)


@functools.cache
def register_attention() -> str:
    """Register the attention function with transformers, once, and give its name."""
    transformers: Any = importlib.import_module("transformers")
    masking: Any = importlib.import_module("transformers.masking_utils")
    library: Any = importlib.import_module("transformers.integrations.sdpa_attention")

    def attend(
        module: torch.nn.Module,
        query: Queries,
        key: Queries,
        value: Queries,
        attention_mask: torch.Tensor | None,
        **options: Any,
    ) -> tuple[torch.Tensor, None]:
        tape = _TAPE.get()
        if tape is not None:
            # The library's own default where a block leaves the scaling out.
            scaling = options.get("scaling") or query.shape[-1] ** -0.5
            tape.hear(query, key, scaling=scaling, masked=attention_mask is not None)
        # Rotary positions, which are float32, leave queries and keys wider than the values.
        query, key = query.to(value.dtype), key.to(value.dtype)
        return library.sdpa_attention_forward(module, query, key, value, attention_mask, **options)

    transformers.AttentionInterface.register(ATTENTION, attend)

    def mask(*sizes: Any, attention_mask: Any = None, **options: Any) -> Any:
        # While a graph is traced, the library writes out the mask that masks nothing.
        if attention_mask is None and options.get("allow_is_bidirectional_skip"):
            return None
        return masking.sdpa_mask(*sizes, attention_mask=attention_mask, **options)

    # Without its own mask function the library drops every mask of an attention that it does not know.
    transformers.AttentionMaskInterface.register(ATTENTION, mask)
    return ATTENTION
