"""Programs that OpenVINO runs on a CPU, with several times as many views a second as torch."""

import importlib
import sys
from collections.abc import Callable, Sequence
from typing import Any

import torch

from embshift.core.errors import EncoderError, MissingExtraError
from embshift.core.quiet import silence_libraries
from embshift.encoders.speed.program import Inputs, Outputs, Program, trace_program

__all__ = ["make_builder"]

_HINTS = {"float32": "f32", "bfloat16": "bf16"}


def make_builder(*, device: str, precision: str) -> Callable[[Program, Inputs], Program]:
    """Return a function that turns a computation into an OpenVINO program with as many threads as torch has.

    In "bfloat16" everything is rounded, including the residual stream and the attention row.

    Args:
        device: "cpu".
        precision: "float32" or "bfloat16".

    Raises:
        EncoderError: Another device or precision.
        MissingExtraError: OpenVINO is not installed.
    """
    if device != "cpu":
        raise EncoderError(f"runtime 'openvino' cannot run on {device}; use --device cpu")
    if precision not in _HINTS:
        raise EncoderError(f"runtime 'openvino' cannot compute in {precision}; use float32 or bfloat16")
    library = _import_library()
    core: Any = library.Core()

    def build(program: Program, inputs: Inputs) -> Program:
        graph = trace_program(program, inputs)
        options = {
            "INFERENCE_PRECISION_HINT": _HINTS[precision],
            "INFERENCE_NUM_THREADS": torch.get_num_threads(),
            "PERFORMANCE_HINT": "LATENCY",  # one batch at a time, on all threads
        }
        compiled = core.compile_model(_convert(graph, inputs), "CPU", options)
        return _make_call(compiled, given=[name is not None for name in graph.graph_signature.user_outputs])

    return build


def _import_library() -> Any:
    # OpenVINO reports its use over the network through this package; without the package it reports nothing.
    sys.modules.setdefault("openvino_telemetry", None)  # pyright: ignore[reportArgumentType]
    try:
        return importlib.import_module("openvino")
    except ImportError:
        raise MissingExtraError("openvino", "openvino") from None


def _convert(graph: torch.export.ExportedProgram, inputs: Inputs) -> Any:
    frontend: Any = importlib.import_module("openvino.frontend")
    decoding: Any = importlib.import_module("openvino.frontend.pytorch.fx_decoder")
    # Torch warns about its own calls; the converter sets up logging, and logs operations that torch lacks.
    with silence_libraries():
        decoder = decoding.TorchFXPythonDecoder.from_exported_program(graph)
        loader = frontend.FrontEndManager().load_by_framework("pytorch")
        model = loader.convert(loader.load(decoder))
    shapes = zip(model.inputs, inputs.values(), strict=True)
    model.reshape({port: list(values.shape) for port, values in shapes})
    return model


def _make_call(compiled: Any, *, given: Sequence[bool]) -> Program:
    def call(inputs: Inputs) -> Outputs:
        # Copied, because the library writes its next results into the same memory.
        found = compiled([values.contiguous().numpy() for values in inputs.values()], share_outputs=True)
        results = iter([torch.tensor(found[port]) for port in range(len(compiled.outputs))])
        embedding = next(results)
        return embedding, *(next(results) if there else None for there in given[1:])

    return call
