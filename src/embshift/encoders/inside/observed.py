"""What one forward pass leaves for explaining: the parts of the rows that the embedding is read from."""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field, fields, is_dataclass, replace
from typing import Any

import torch
from jaxtyping import Float32

from embshift.core.types import Field
from embshift.encoders.inside.parts import Parts

__all__ = ["Observed", "Recording", "count_bytes", "record_parts"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Observed:
    """The parts of some views.

    Read rows are the class token's row, or all patches where the embedding is pooled.

    Attributes:
        embedding: Raw embeddings.
        grid: Rows and columns of patches.
        field: The rectangle of the image that the encoder saw.
        stem: Read rows of the input of the first block.
        heads: By block: what each head hands to the output projection, at the read rows.
        inner: By block: what the inner layers add to the read rows, after their layer scale.
        final: Read rows of the last block's output, before the final norm.
        attended: By block: input of the attention, after its norm, of all tokens.
        streams: By block: its output, of all tokens; of the last block only the read rows where nothing else
            is computed.
        rotation: Cosines and sines of rotary positions, of the patches; None without them.
        inputs: What the network was called with.
    """

    embedding: Float32[torch.Tensor, "views dim"]
    grid: tuple[int, int]
    field: Field
    stem: Float32[torch.Tensor, "views rows width"]
    heads: tuple[Float32[torch.Tensor, "views rows heads part"], ...]
    inner: tuple[Float32[torch.Tensor, "views rows width"], ...]
    final: Float32[torch.Tensor, "views rows width"]
    attended: tuple[Float32[torch.Tensor, "views tokens width"], ...]
    streams: tuple[Float32[torch.Tensor, "views _ width"], ...]
    rotation: tuple[torch.Tensor, torch.Tensor] | None
    inputs: dict[str, torch.Tensor]

    def __len__(self) -> int:
        return len(self.embedding)

    def between(self, start: int, stop: int) -> "Observed":
        """Return the views from `start` to before `stop`; they share the memory of all."""

        def cut(values: torch.Tensor) -> torch.Tensor:
            return values[start:stop]

        return replace(
            self,
            embedding=cut(self.embedding),
            stem=cut(self.stem),
            heads=tuple(map(cut, self.heads)),
            inner=tuple(map(cut, self.inner)),
            final=cut(self.final),
            attended=tuple(map(cut, self.attended)),
            streams=tuple(map(cut, self.streams)),
            inputs={name: cut(values) for name, values in self.inputs.items()},
        )


def count_bytes(kept: Any, /) -> int:
    """Count the bytes of all tensors in a record, its tuples and its dictionaries.

    Args:
        kept: What a pass leaves, e.g. `Observed`.
    """
    if isinstance(kept, torch.Tensor):
        return kept.numel() * kept.element_size()
    if isinstance(kept, dict):
        return sum(map(count_bytes, kept.values()))
    if isinstance(kept, list | tuple):
        return sum(map(count_bytes, kept))
    return sum(count_bytes(getattr(kept, one.name)) for one in fields(kept)) if is_dataclass(kept) else 0


@dataclass(slots=True, kw_only=True, eq=False)
class Recording:
    """What hooks have recorded so far, in the order of the blocks."""

    stem: list[torch.Tensor] = field(default_factory=list[torch.Tensor])
    heads: list[torch.Tensor] = field(default_factory=list[torch.Tensor])
    inner: list[torch.Tensor] = field(default_factory=list[torch.Tensor])
    attended: list[torch.Tensor] = field(default_factory=list[torch.Tensor])
    streams: list[torch.Tensor] = field(default_factory=list[torch.Tensor])
    rotation: list[tuple[torch.Tensor, torch.Tensor]] = field(
        default_factory=list[tuple[torch.Tensor, torch.Tensor]]
    )


@contextmanager
def record_parts(parts: Parts) -> Generator[Recording]:
    """Record the parts of one forward pass; the hooks are removed afterwards.

    Args:
        parts: The parts of the network that is called meanwhile.
    """
    found = Recording()
    handles = [handle for at, _ in enumerate(parts.blocks) for handle in _hook_block(parts, at, found)]
    try:
        yield found
    finally:
        for handle in handles:
            handle.remove()


def _hook_block(parts: Parts, at: int, found: Recording) -> list[Any]:
    block = parts.blocks[at]
    rows = slice(0, 1) if parts.prefix else slice(None)

    def keep_stem(_: Any, given: tuple[Any, ...], options: dict[str, Any]) -> None:
        found.stem.append(_get_states(given, options)[:, rows])

    def keep_attended(_: Any, given: tuple[Any, ...], options: dict[str, Any]) -> None:
        found.attended.append(_get_states(given, options))
        rotation = options.get("position_embeddings")
        if rotation is not None and not found.rotation:
            found.rotation.append(rotation)

    def keep_heads(_: Any, given: tuple[torch.Tensor, ...]) -> None:
        found.heads.append(given[0][:, rows].unflatten(-1, (parts.heads, -1)))

    def keep_inner(_: Any, given: tuple[Any, ...], out: torch.Tensor) -> None:
        added = out[:, rows]
        found.inner.append(added.clone() if block.inner_scale is None else added * block.inner_scale)

    def keep_stream(_: Any, given: tuple[Any, ...], out: Any) -> None:
        found.streams.append(out[0] if isinstance(out, tuple) else out)

    add: list[Callable[[], Any]] = [
        lambda: block.attention.register_forward_pre_hook(keep_attended, with_kwargs=True),
        lambda: block.output.register_forward_pre_hook(keep_heads),
        lambda: block.inner.register_forward_hook(keep_inner),
        lambda: block.module.register_forward_hook(keep_stream),
    ]
    if at == 0:
        add.append(lambda: block.module.register_forward_pre_hook(keep_stem, with_kwargs=True))
    return [one() for one in add]


def _get_states(given: tuple[Any, ...], options: dict[str, Any]) -> torch.Tensor:
    return given[0] if given else options["hidden_states"]
