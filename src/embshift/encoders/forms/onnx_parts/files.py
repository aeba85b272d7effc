"""Files of an ONNX encoder, checked before onnxruntime opens them: where weights are, which operators."""

import hashlib
import importlib
from collections.abc import Iterator, Sequence
from pathlib import Path, PureWindowsPath
from typing import Any

from embshift.core.addresses import to_one_line
from embshift.core.errors import EncoderError, MissingExtraError
from embshift.encoders.checkpoints import check_not_pointer

__all__ = ["digest_files", "list_model_files", "settings_file"]

_DOMAINS = frozenset({"", "ai.onnx", "ai.onnx.ml", "com.microsoft"})
_RANDOM = frozenset(
    {"Bernoulli", "Multinomial", "RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike"}
)
_PLAIN = frozenset({"TensorProto", "ValueInfoProto"})
_BLOCK = 2**20


def settings_file(model: Path, /) -> Path:
    """Return the path of the TOML file beside a model, which need not exist."""
    return model.with_suffix(".toml")


def list_model_files(model: Path, /) -> list[Path]:
    """Check a model and return its files: itself, its external weights, and its TOML file if there is one.

    Args:
        model: Path of the ``.onnx`` file.

    Raises:
        EncoderError: It is no ONNX model, names files outside its own folder, or needs operators that
            onnxruntime does not have.
        MissingExtraError: onnx is not installed.
        WeightsError: A file is a pointer of Git LFS.
    """
    if not model.is_file():
        raise EncoderError(f"there is no file '{model}'; expected an ONNX model, e.g. model.onnx")
    check_not_pointer(model)
    parts = list(_walk(_parse(model)))
    _check_operators(parts, model=model)
    weights = [_find_weights(location, model=model) for location in _list_locations(parts)]
    stated = settings_file(model)
    return [model, *weights, *([stated] if stated.exists() else [])]


def digest_files(files: list[Path], /) -> str:
    """Return the SHA-256 over the content of files in their order; of a single file, its own."""
    digest = hashlib.sha256()
    for file in files:
        with file.open("rb") as stream:
            while block := stream.read(_BLOCK):
                digest.update(block)
    return digest.hexdigest()


def _parse(model: Path) -> Any:
    try:
        library: Any = importlib.import_module("onnx")
    except ImportError:
        raise MissingExtraError("onnx", "onnx") from None
    try:
        parsed = library.load_model(str(model), format="protobuf", load_external_data=False)
    except Exception as error:
        raise EncoderError(
            f"'{model}' cannot be read as an ONNX model ({to_one_line(error)}); export it again"
        ) from error
    if not parsed.graph.node:
        raise EncoderError(f"'{model}' is no ONNX model: it holds no graph; export it again")
    return parsed


def _walk(message: Any) -> Iterator[Any]:
    """Yield a message and all messages in it: of subgraphs and functions, too; no values of tensors."""
    yield message
    if message.DESCRIPTOR.name in _PLAIN:
        return
    for field, value in message.ListFields():
        if field.message_type is not None:
            for one in value if isinstance(value, Sequence) else (value,):
                yield from _walk(one)


def _check_operators(parts: list[Any], *, model: Path) -> None:
    defined = {(part.domain, part.name) for part in parts if part.DESCRIPTOR.name == "FunctionProto"}
    nodes = {(part.domain, part.op_type) for part in parts if part.DESCRIPTOR.name == "NodeProto"}
    foreign = sorted(f"{domain}.{name}" for domain, name in nodes - defined if domain not in _DOMAINS)
    if foreign:
        raise EncoderError(
            f"'{model}' needs operators of its own, and no library of operators is loaded:"
            f" {', '.join(foreign)}; export it with operators of ai.onnx, ai.onnx.ml and com.microsoft alone"
        )
    drawn = sorted(name for _, name in nodes - defined if name in _RANDOM)
    if drawn:
        raise EncoderError(
            f"'{model}' draws random numbers ({', '.join(drawn)}), so its embeddings would not repeat; export"
            " it in evaluation mode"
        )


def _list_locations(parts: list[Any]) -> list[str]:
    tensors = (part for part in parts if part.DESCRIPTOR.name == "TensorProto")
    found = {each.value for part in tensors for each in part.external_data if each.key == "location"}
    return sorted(found)


def _find_weights(location: str, *, model: Path) -> Path:
    named = PureWindowsPath(location)  # which reads both kinds of separators
    if named.anchor or ".." in named.parts or "*" in location or "\0" in location or not location:
        raise EncoderError(
            f"'{model}' keeps weights in {location!r}; expected a path inside the model's own folder"
        )
    file = model.parent / location
    check_not_pointer(file)
    if not file.exists():
        raise EncoderError(
            f"'{model}' keeps weights in '{file}', which is not there; copy it beside the model"
        )
    # In a cache of the hub, the model and its weights are both links into one other folder.
    folders = (model.parent.resolve(), model.resolve().parent)
    if not file.is_file() or not any(file.resolve().is_relative_to(folder) for folder in folders):
        raise EncoderError(
            f"'{model}' keeps weights in '{file}', which is no regular file of the model's own folder; copy"
            " the weights there"
        )
    return file
