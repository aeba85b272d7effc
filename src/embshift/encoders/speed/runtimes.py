"""Runtimes that run a network: torch, compiled torch, or OpenVINO.

The last two first trace the computation, with the shapes and captures of one batch, into a graph without
Python code. There is one such program for each shape and capture; a run has one or two.
"""

from collections.abc import Callable, Hashable
from functools import partial
from typing import Protocol, final, runtime_checkable

import torch

from embshift.core.errors import EncoderError
from embshift.core.types import Capture
from embshift.encoders.speed.program import Inputs, Outputs, Program, trace_program

__all__ = ["RUNTIMES", "ForwardPass", "Programs", "check_compiler", "choose_build"]

RUNTIMES = ("torch", "compiled", "openvino")


@runtime_checkable
class ForwardPass(Protocol):
    """A forward pass; an output is None if it is not captured, which depends on the capture only."""

    def __call__(self, inputs: Inputs, /, *, capture: Capture) -> Outputs: ...


@final
class Programs:
    """A forward pass in a runtime; keeps the traced or compiled program of each batch shape.

    Args:
        forward: The forward pass.
        runtime: One of `RUNTIMES`.
        device: The device, as torch spells it.
        precision: Number format of the products.

    Raises:
        EncoderError: The runtime cannot be used here.
        MissingExtraError: OpenVINO is not installed.
    """

    def __init__(self, forward: ForwardPass, /, *, runtime: str, device: str, precision: str) -> None:
        self._forward = forward
        self._build = choose_build(runtime, device=device, precision=precision)
        self._kept = dict[Hashable, Program]()

    def run(self, inputs: Inputs, /, *, capture: Capture) -> Outputs:
        """Run one forward pass, without gradients."""
        key = (capture, *((name, values.shape) for name, values in inputs.items()))
        with torch.no_grad():
            if key not in self._kept:
                self._kept[key] = self._build(partial(self._forward, capture=capture), inputs)
            return self._kept[key](inputs)


Build = Callable[[Program, Inputs], Program]


def choose_build(runtime: str, *, device: str, precision: str) -> Build:
    """Return the function that turns a computation into a program of a runtime.

    Raises:
        EncoderError: The runtime is unknown or cannot be used here.
        MissingExtraError: OpenVINO is not installed.
    """
    if runtime == "torch":
        return _return_unchanged
    if runtime == "compiled":
        check_compiler(device)
        return _compile
    if runtime == "openvino":
        from embshift.encoders.speed.openvino import make_builder

        return make_builder(device=device, precision=precision)
    raise EncoderError(f"unknown runtime '{runtime}'; use one of {', '.join(RUNTIMES)}")


def _return_unchanged(program: Program, inputs: Inputs) -> Program:
    del inputs
    return program


def _compile(program: Program, inputs: Inputs) -> Program:
    # The compiler cannot follow the context variable that records attention rows; a traced graph has none.
    compiled = torch.compile(trace_program(program, inputs).module(), dynamic=False)
    return lambda given: compiled(*given.values())


def check_compiler(device: str) -> None:
    """Raise `EncoderError` if torch cannot compile for a device."""
    try:
        torch.compile(torch.sin, dynamic=False)(torch.zeros(4, device=device))
    except (RuntimeError, OSError) as error:
        reason = str(error).strip().splitlines()[0]
        raise EncoderError(
            f"torch cannot compile here ({type(error).__name__}: {reason}); it needs a C++ compiler "
            "(on Debian: apt install g++) and, on cuda, triton; install them, or use --runtime torch"
        ) from error
