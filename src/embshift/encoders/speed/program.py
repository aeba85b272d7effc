"""A computation as a program: what it takes and gives, and its graph without the Python that wrote it."""

import warnings
from collections.abc import Callable, Mapping

import torch
from jaxtyping import Shaped

__all__ = ["Inputs", "Outputs", "Program", "traced"]

Inputs = Mapping[str, Shaped[torch.Tensor, "..."]]
Outputs = tuple[torch.Tensor, *tuple[torch.Tensor | None, ...]]
"""The embedding first."""

Program = Callable[[Inputs], Outputs]


class _Traceable(torch.nn.Module):
    def __init__(self, program: Program, names: tuple[str, ...]) -> None:
        super().__init__()
        self._program, self._names = program, names

    def forward(self, *values: torch.Tensor) -> Outputs:
        return self._program(dict(zip(self._names, values, strict=True)))


def traced(program: Program, inputs: Inputs, /) -> torch.export.ExportedProgram:
    """The graph of a computation, without the Python that wrote it; it takes the inputs' values in order."""
    with warnings.catch_warnings():
        # Torch warns of its own calls.
        warnings.simplefilter("ignore")
        return torch.export.export(_Traceable(program, tuple(inputs)), tuple(inputs.values()), strict=False)
