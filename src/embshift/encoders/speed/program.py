"""Programs: the inputs and outputs of a computation, and its graph without Python code."""

import warnings
from collections.abc import Callable, Mapping

import torch
from jaxtyping import Shaped

__all__ = ["Inputs", "Outputs", "Program", "trace_program"]

Inputs = Mapping[str, Shaped[torch.Tensor, "..."]]
Outputs = tuple[torch.Tensor, *tuple[torch.Tensor | None, ...]]
"""The outputs of a forward pass; the embedding comes first."""

Program = Callable[[Inputs], Outputs]


class _Traceable(torch.nn.Module):
    def __init__(self, program: Program, names: tuple[str, ...]) -> None:
        super().__init__()
        self._program, self._names = program, names

    def forward(self, *values: torch.Tensor) -> Outputs:
        return self._program(dict(zip(self._names, values, strict=True)))


def trace_program(program: Program, inputs: Inputs, /) -> torch.export.ExportedProgram:
    """Trace a computation into a graph without Python code, which takes the inputs' values in order."""
    with warnings.catch_warnings():
        # Torch warns about its own calls.
        warnings.simplefilter("ignore")
        return torch.export.export(_Traceable(program, tuple(inputs)), tuple(inputs.values()), strict=False)
