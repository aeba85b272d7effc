"""The session of onnxruntime that runs an ONNX model."""

import importlib
from pathlib import Path
from typing import Any

import torch

from embshift.core.addresses import to_one_line
from embshift.core.errors import EncoderError, MissingExtraError
from embshift.encoders.forms.onnx_parts.graph import Port

__all__ = ["RUNTIME", "import_library", "list_ports", "start_session"]

RUNTIME = "onnxruntime"
"""Name of the library, and of the runtime that an encoder states."""


def import_library() -> Any:
    """Import onnxruntime.

    Raises:
        MissingExtraError: It is not installed.
    """
    try:
        return importlib.import_module("onnxruntime")
    except ImportError:
        raise MissingExtraError("onnxruntime", "onnx") from None


def list_ports(stated: Any, /) -> list[Port]:
    """Return the ports of a session's ``get_inputs`` or ``get_outputs``."""
    return [Port(name=one.name, type=one.type, shape=tuple(one.shape or ())) for one in stated]


def start_session(model: Path, /, *, device: str) -> Any:
    """Open a model whose files were checked, with as many threads as torch has.

    Args:
        model: Path of the model.
        device: "cpu", or a device of CUDA.

    Raises:
        EncoderError: onnxruntime cannot open the model, or cannot run on the device.
        MissingExtraError: onnxruntime is not installed.
    """
    library = import_library()
    library.disable_telemetry_events()
    options = library.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.inter_op_num_threads = 1
    options.use_deterministic_compute = True
    options.log_severity_level = 4  # errors are raised, and need not be printed, too
    # Threads that spin while they wait take the cores from the workers that make views.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    providers = _choose_providers(library, device=device)
    try:
        return library.InferenceSession(str(model), options, providers=providers)
    except Exception as error:
        raise EncoderError(
            f"onnxruntime cannot open '{model}': {to_one_line(error)}; export it again"
        ) from error


def _choose_providers(library: Any, *, device: str) -> list[Any]:
    if device == "cpu":
        return ["CPUExecutionProvider"]
    if not device.startswith("cuda") or "CUDAExecutionProvider" not in library.get_available_providers():
        raise EncoderError(
            f"onnxruntime as installed here cannot run on {device}; use --device cpu, or on cuda install"
            " onnxruntime-gpu in its place"
        )
    options = {"device_id": torch.device(device).index or 0, "use_tf32": 0}
    return [("CUDAExecutionProvider", options), "CPUExecutionProvider"]
