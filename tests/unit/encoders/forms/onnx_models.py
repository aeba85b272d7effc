"""Small ONNX models, made on the spot: a convolution, and a projection of its mean over patches."""

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

__all__ = ["CLIP", "DIM", "HEADS", "PATCH", "make_model", "write_model"]

PATCH, DIM, WIDTH, HEADS = 8, 12, 16, 2
CLIP = {
    "mean": [0.48145466, 0.4578275, 0.40821073],
    "deviation": [0.26862954, 0.26130258, 0.27577711],
}
_TYPES = {"float32": TensorProto.FLOAT, "float16": TensorProto.FLOAT16, "uint8": TensorProto.UINT8}


def _weights() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(7)
    return {
        "kernel": 0.05 * rng.standard_normal((WIDTH, 3, PATCH, PATCH)).astype(np.float32),
        "look": 0.3 * rng.standard_normal((HEADS, WIDTH, 1, 1)).astype(np.float32),
        "projection": rng.standard_normal((WIDTH, DIM)).astype(np.float32),
        "heads": np.array([0, HEADS, -1], dtype=np.int64),
    }


def make_model(
    *,
    kind="float32",
    layout="NCHW",
    shape=("n", 3, 32, 32),
    attention=False,
    outputs=("image_embeds",),
    dim=DIM,
):
    """Return a model whose input has this type, layout and shape."""
    nodes, given = [], "images"
    if kind != "float32":
        nodes.append(helper.make_node("Cast", [given], ["numbers"], to=TensorProto.FLOAT))
        given = "numbers"
    if layout == "NHWC":
        nodes.append(helper.make_node("Transpose", [given], ["planes"], perm=[0, 3, 1, 2]))
        given = "planes"
    nodes += [
        helper.make_node("Conv", [given, "kernel"], ["patches"], strides=[PATCH, PATCH]),
        helper.make_node("Tanh", ["patches"], ["tokens"]),
        helper.make_node("GlobalAveragePool", ["tokens"], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["flat"]),
        *(helper.make_node("MatMul", ["flat", "projection"], [name]) for name in outputs),
    ]
    stated = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [shape[0], dim]) for name in outputs]
    if attention:
        nodes += [
            helper.make_node("Conv", ["tokens", "look"], ["looks"]),
            helper.make_node("Reshape", ["looks", "heads"], ["logits"]),
            helper.make_node("Softmax", ["logits"], ["last_attention"], axis=2),
        ]
        free = [shape[0], HEADS, "patches"]
        stated.append(helper.make_tensor_value_info("last_attention", TensorProto.FLOAT, free))
    graph = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info("images", _TYPES[kind], shape)],
        stated,
        [numpy_helper.from_array(values, name) for name, values in _weights().items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def write_model(folder: Path, *, settings=None, name="model.onnx", external=None, **options) -> str:
    """Write a model and, where there are settings, its TOML file; return the model's path."""
    path = folder / name
    model = options.pop("model", None) or make_model(**options)
    beside = {"save_as_external_data": True, "location": external, "size_threshold": 0} if external else {}
    onnx.save_model(model, str(path), **beside)
    if settings is not None:
        lines = [f"{key} = {_write(value)}" for key, value in settings.items()]
        path.with_suffix(".toml").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return str(path)


def _write(value) -> str:
    return f'"{value}"' if isinstance(value, str) else str(value)
