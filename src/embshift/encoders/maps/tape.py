"""A tape that records attention rows of the blocks while the library's own attention runs.

One function is registered with transformers' attention interface. It computes the output with the library's
scaled-dot-product attention, which never forms the attention matrix, and additionally the one row that a tape
wants. Without a tape it only calls the library.
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
from embshift.encoders.speed.half_precision import to_float32

__all__ = [
    "ATTENTION",
    "Tape",
    "compute_class_row",
    "compute_received_attention",
    "current_tape",
    "record_attention",
    "register_attention",
]

ATTENTION = "embshift"
"""Name under which the attention function is registered."""

Rows = Float[torch.Tensor, "views heads tokens"]
Queries = Float[torch.Tensor, "views heads tokens dim"]


@runtime_checkable
class Reduce(Protocol):
    """A function that computes one row of a block's attention from its queries and keys."""

    def __call__(self, query: Queries, key: Queries, /, *, scaling: float) -> Rows: ...


@dataclass(slots=True, kw_only=True)
class Tape:
    """The recorded rows of one forward pass.

    Attributes:
        wanted: Blocks whose rows are recorded, from 0.
        reduce: Computes a row.
        calls: Number of attention calls so far.
        rows: The recorded rows, in the order of the blocks.
    """

    wanted: Collection[int]
    reduce: Reduce
    calls: int = 0
    rows: list[Rows] = field(default_factory=list[Rows])

    def record(self, query: Queries, key: Queries, /, *, scaling: float, masked: bool) -> None:
        """Count one attention call, and record its row if it is wanted."""
        block = self.calls
        self.calls += 1
        if block not in self.wanted:
            return
        if masked:
            raise EncoderError("cannot record the attention of a block with a mask; no known encoder has one")
        self.rows.append(self.reduce(query, key, scaling=scaling))


# A context variable: a tape belongs to its own forward pass, even if several threads encode.
_TAPE: ContextVar[Tape | None] = ContextVar("embshift_attention_tape", default=None)


@contextmanager
def record_attention(*, blocks: int, wanted: Collection[int], reduce: Reduce) -> Generator[Tape]:
    """Record the attention of one forward pass on a tape, which is removed afterwards.

    Args:
        blocks: Number of attention calls that the pass must make.
        wanted: Blocks whose rows are recorded; if there are none, nothing is recorded.
        reduce: Computes a row.

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
            f"recorded {tape.calls} attention calls, but the encoder has {blocks} blocks; "
            "this version of transformers computes its attention elsewhere, so there is no map"
        )


def current_tape() -> Tape | None:
    """Return the tape that records the current forward pass, or None."""
    return _TAPE.get()


def compute_class_row(query: Queries, key: Queries, /, *, scaling: float) -> Rows:
    r"""Compute the class token's row, $\mathrm{softmax}(s\, q_{0} K^\top)$.

    Args:
        query: Queries; token 0 is the class token.
        key: Keys.
        scaling: Factor of the products.

    Returns:
        The class token's attention to all tokens, at least in float32; each row sums to 1.

    References:
        Vaswani et al. (2017), Attention Is All You Need, equation 1.
    """
    products = torch.matmul(to_float32(query[:, :, :1]), to_float32(key).transpose(-1, -2)) * scaling
    return products.squeeze(2).softmax(dim=-1)


def compute_received_attention(query: Queries, key: Queries, /, *, scaling: float) -> Rows:
    """Compute the attention that each token receives, averaged over all tokens that attend to it.

    Args:
        query: Queries.
        key: Keys.
        scaling: Factor of the products.

    Returns:
        Mean over queries of the softmax rows, at least in float32; each row sums to 1.
    """
    # View by view: the attention matrix of a whole batch with 1024 patches would take gigabytes.
    rows = [
        torch.softmax(torch.matmul(q, k.transpose(-1, -2)) * scaling, dim=-1).mean(dim=1)
        for q, k in zip(to_float32(query), to_float32(key), strict=True)
    ]
    return torch.stack(rows)


@functools.cache
def register_attention() -> str:
    """Register the attention function with transformers, once, and return its name."""
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
        tape = current_tape()
        if tape is not None:
            # If a block gives no scaling, this is the library's own default.
            scaling = options.get("scaling") or query.shape[-1] ** -0.5
            tape.record(query, key, scaling=scaling, masked=attention_mask is not None)
        # Rotary positions are float32, and leave queries and keys in a wider format than the values.
        query, key = query.to(value.dtype), key.to(value.dtype)
        return library.sdpa_attention_forward(module, query, key, value, attention_mask, **options)

    transformers.AttentionInterface.register(ATTENTION, attend)

    def mask(*sizes: Any, attention_mask: Any = None, **options: Any) -> Any:
        # While a graph is traced, the library builds even a mask that masks nothing.
        if attention_mask is None and options.get("allow_is_bidirectional_skip"):
            return None
        return masking.sdpa_mask(*sizes, attention_mask=attention_mask, **options)

    # Without this mask function, the library drops every mask of an attention that it does not know.
    transformers.AttentionMaskInterface.register(ATTENTION, mask)
    return ATTENTION
