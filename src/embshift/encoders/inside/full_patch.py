"""Patches by real passes: one part is exchanged while the network runs, and everything after it follows."""

from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch

from embshift.encoders.inside.observed import Observed
from embshift.encoders.inside.parts import Parts
from embshift.encoders.inside.results import DIRECTIONS, Patches, compare_patched

__all__ = ["exchange_part", "patch_fully"]

Embed = Callable[[Mapping[str, torch.Tensor]], torch.Tensor]


def patch_fully(
    parts: Parts,
    clean: Observed,
    views: Observed,
    names: Sequence[str],
    *,
    direction: str,
    embed: Embed,
) -> Patches:
    """Patch some heads or inner layers at the rows that the embedding is read from.

    Args:
        parts: The parts of the network.
        clean: The original, one row.
        views: Its views.
        names: Components, as "head.3.5" or "mlp.3".
        direction: One of `DIRECTIONS`.
        embed: Runs the network on its inputs.
    """
    base, other = (views, clean) if direction == DIRECTIONS[0] else (clean, views)
    count = len(views)
    inputs = {name: values.expand(count, *values.shape[1:]) for name, values in base.inputs.items()}
    found = list[torch.Tensor]()
    for name in names:
        with exchange_part(parts, name, _find_part(other, name)):
            found.append(embed(inputs).double())
    return compare_patched(clean.embedding, views.embedding, torch.stack(found, dim=1), direction=direction)


def _find_part(seen: Observed, name: str) -> torch.Tensor:
    kind, at, *head = name.split(".")
    return seen.inner[int(at)] if kind == "mlp" else seen.heads[int(at)][:, :, int(head[0])]


@contextmanager
def exchange_part(parts: Parts, name: str, values: torch.Tensor) -> Generator[None]:
    """Exchange what one part of the network writes at the read rows; the hook is removed afterwards.

    Args:
        parts: The parts of the network.
        name: A head, as "head.3.5", or inner layers, as "mlp.3".
        values: What the head hands to the output projection, (views, rows, part), or what the inner layers
            add after their layer scale, (views, rows, width); views may be fewer than in the pass.
    """
    kind, at, *head = name.split(".")
    block, rows = parts.blocks[int(at)], values.shape[1]

    def exchange_head(_: Any, given: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor]:
        split = given[0].clone().unflatten(-1, (parts.heads, -1))
        split[:, :rows, int(head[0])] = _fill(values, len(split))
        return (split.flatten(-2),)

    def exchange_inner(_: Any, given: tuple[torch.Tensor, ...], out: torch.Tensor) -> torch.Tensor:
        changed = out.clone()
        raw = values if block.inner_scale is None else values / block.inner_scale
        changed[:, :rows] = _fill(raw, len(out))
        return changed

    if kind == "mlp":
        handle = block.inner.register_forward_hook(exchange_inner)
    else:
        handle = block.output.register_forward_pre_hook(exchange_head)
    try:
        yield
    finally:
        handle.remove()


def _fill(values: torch.Tensor, count: int) -> torch.Tensor:
    """Return one row of values for each row of a padded batch; padding repeats the last."""
    if len(values) == 1:
        return values.expand(count, *values.shape[1:])
    missing = count - len(values)
    return torch.cat([values, values[-1:].expand(missing, *values.shape[1:])]) if missing else values
