"""The session of onnxruntime that runs an ONNX model."""

import importlib
from pathlib import Path
from typing import Any

import torch

from embshift.core.addresses import to_one_line
from embshift.core.errors import EncoderError, MissingExtraError
from embshift.core.quiet import silence_libraries
from embshift.encoders.forms.onnx_parts.graph import Port

__all__ = ["RUNTIME", "import_library", "list_ports", "start_session"]

RUNTIME = "onnxruntime"
"""Name of the library, and of the runtime that an encoder states."""

_CPU, _CUDA = "CPUExecutionProvider", "CUDAExecutionProvider"


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


def start_session(model: Path, /, *, device: str) -> tuple[Any, str]:
    """Open a model whose files were checked, with as many threads as torch has.

    Args:
        model: Path of the model.
        device: "cpu", a device of CUDA, or "auto": CUDA where onnxruntime starts on it, else the CPU.

    Returns:
        The session, and the device that it runs on.

    Raises:
        EncoderError: onnxruntime cannot open the model, or cannot run on the device.
        MissingExtraError: onnxruntime is not installed.
    """
    library = import_library()
    library.disable_telemetry_events()
    if device != "auto":
        return _start(library, model, device=device), device
    if torch.cuda.is_available() and _CUDA in library.get_available_providers():
        try:
            return _start(library, model, device="cuda:0"), "cuda:0"
        except EncoderError:
            pass  # a model that cannot be opened at all fails again
    return _start(library, model, device="cpu"), "cpu"


def _start(library: Any, model: Path, *, device: str) -> Any:
    providers = _list_providers(library, device=device)
    try:
        with silence_libraries():
            session = library.InferenceSession(
                str(model), _make_options(library), providers=providers, enable_fallback=0
            )
    except Exception as error:
        raise EncoderError(
            f"onnxruntime cannot open '{model}': {to_one_line(error)}; export it again"
        ) from error
    if device != "cpu" and _CUDA not in session.get_providers():  # it runs on the CPU and raises nothing
        raise EncoderError(
            f"onnxruntime cannot start on {device}: it finds no GPU, or not the CUDA and cuDNN that it was"
            " built for; install these, or use --device cpu"
        )
    return session


def _make_options(library: Any) -> Any:
    options = library.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.inter_op_num_threads = 1
    options.use_deterministic_compute = True
    options.log_severity_level = 4  # errors are raised, and need not be printed, too
    # Threads that spin while they wait take the cores from the workers that make views.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return options


def _list_providers(library: Any, *, device: str) -> list[Any]:
    if device == "cpu":
        return [_CPU]
    if not device.startswith("cuda") or _CUDA not in library.get_available_providers():
        raise EncoderError(
            f"onnxruntime as installed here cannot run on {device}; use --device cpu, or on cuda install"
            " onnxruntime-gpu in its place"
        )
    return [(_CUDA, {"device_id": torch.device(device).index or 0, "use_tf32": 0}), _CPU]
