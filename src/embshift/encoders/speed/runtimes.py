"""What runs a network: torch as it is, torch compiled, or OpenVINO.

The latter two first trace the computation, with the shapes and captures of one batch, into a graph without
Python; there is one such program for each shape and capture, and a run has one or two.
"""

from collections.abc import Callable, Hashable
from functools import partial
from typing import Protocol, final, runtime_checkable

import torch

from embshift.core.errors import EncoderError
from embshift.core.types import Capture
from embshift.encoders.speed.program import Inputs, Outputs, Program, traced

__all__ = ["RUNTIMES", "Look", "Programs"]

RUNTIMES = ("torch", "compiled", "openvino")


@runtime_checkable
class Look(Protocol):
    """A forward pass; what is not captured is None, and which that is follows from the capture alone."""

    def __call__(self, inputs: Inputs, /, *, capture: Capture) -> Outputs: ...


@final
class Programs:
    """A forward pass in a runtime; what is traced or compiled for a shape of batch is kept.

    Args:
        look: The forward pass.
        runtime: One of `RUNTIMES`.
        device: As torch spells it.
        precision: Number format of the products.

    Raises:
        EncoderError: The runtime cannot do this here.
        MissingExtraError: OpenVINO is not installed.
    """

    def __init__(self, look: Look, /, *, runtime: str, device: str, precision: str) -> None:
        self._look = look
        self._build = _builder(runtime, device=device, precision=precision)
        self._held = dict[Hashable, Program]()

    def run(self, inputs: Inputs, /, *, capture: Capture) -> Outputs:
        """One forward pass; no gradients."""
        key = (capture, *((name, values.shape) for name, values in inputs.items()))
        with torch.no_grad():
            if key not in self._held:
                self._held[key] = self._build(partial(self._look, capture=capture), inputs)
            return self._held[key](inputs)


Build = Callable[[Program, Inputs], Program]


def _builder(runtime: str, *, device: str, precision: str) -> Build:
    if runtime == "torch":
        return _as_it_is
    if runtime == "compiled":
        _check_compiler(device)
        return _compiled
    if runtime == "openvino":
        from embshift.encoders.speed.openvino import builder

        return builder(device=device, precision=precision)
    raise EncoderError(f"runtime '{runtime}' is not known; use {', '.join(RUNTIMES)}")


def _as_it_is(program: Program, inputs: Inputs) -> Program:
    del inputs
    return program


def _compiled(program: Program, inputs: Inputs) -> Program:
    # The compiler does not follow the variable that hands attention rows out, and a graph has none.
    compiled = torch.compile(traced(program, inputs).module(), dynamic=False)
    return lambda given: compiled(*given.values())


def _check_compiler(device: str) -> None:
    try:
        torch.compile(torch.sin, dynamic=False)(torch.zeros(4, device=device))
    except (RuntimeError, OSError) as error:
        reason = str(error).strip().splitlines()[0]
        raise EncoderError(
            f"torch cannot compile here ({type(error).__name__}: {reason}); it needs a C++ compiler "
            "(on Debian: apt install g++) and, on cuda, triton; install them, or run without --compile"
        ) from error
