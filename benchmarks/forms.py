"""What the forms of other libraries cost beside plain loops of these libraries, in processor time."""

import importlib
import importlib.util
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from benchmarks.setting import Setting
from benchmarks.timing import Figure, interleave, make_figures
from embshift.core.encoding import Encoder
from embshift.core.types import Capture, ImageRecord
from embshift.encoders.open import open_encoder
from embshift.images import Limits, decode, resize

__all__ = ["STAGES", "measure_forms"]

SIDE, PATCH, WIDTH, BLOCKS, DIM = 224, 32, 384, 12, 512
MEAN, DEVIATION = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
BOTH = Capture.EMBEDDING | Capture.ATTENTION

Loop = Callable[[np.ndarray], object]


def measure_forms(setting: Setting) -> list[Figure]:
    """Measure ONNX, open_clip and timm on the same views; a library that is not installed is named."""
    made = list[Figure]()
    with _one_thread():
        for library, (needed, open_ways) in _FORMS.items():
            missing = [name for name in needed if importlib.util.find_spec(name) is None]
            if missing:
                note = f"{' and '.join(missing)} not installed"
                made.append(
                    Figure(stage=f"form {library}", way="plain loop", unit="ms/view", values=[], note=note)
                )
                continue
            ways = {name: partial(_time, setting, loop) for name, loop in open_ways(setting.folder).items()}
            found = interleave(ways, repetitions=setting.repetitions)
            made += make_figures(f"form {library}", found, unit="ms/view", against="plain loop")
    return made


@contextmanager
def _one_thread() -> Generator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _time(setting: Setting, loop: Loop, repetition: int) -> float:
    views = _read_views(setting, repetition)
    started = time.process_time()
    loop(views)
    return 1e3 / len(views) * (time.process_time() - started)


def _read_views(setting: Setting, repetition: int) -> np.ndarray:
    paths = setting.block(repetition, count=setting.few)
    records = [ImageRecord(row=0, source="", member=path, path=path) for path in paths]
    found = [decode(record, limits=Limits()).pixels for record in records]
    return np.stack([resize(each, size=(SIDE, SIDE), rule="linear") for each in found if each is not None])


def _encode(encoder: Encoder, capture: Capture, views: np.ndarray) -> object:
    return encoder.encode(views, capture=capture)


def _open_onnx(folder: Path) -> dict[str, Loop]:
    library: Any = importlib.import_module("onnxruntime")
    path = _write_onnx(folder / "timed.onnx")
    options = library.SessionOptions()
    options.intra_op_num_threads = 1
    session = library.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    mean, deviation = (np.array(each, np.float32)[:, None, None] for each in (MEAN, DEVIATION))

    def loop(views: np.ndarray) -> object:
        planes = [np.asarray(view, np.float32).transpose(2, 0, 1) / 255 for view in views]
        return session.run(None, {"images": np.stack([(each - mean) / deviation for each in planes])})

    encoder = open_encoder(str(path), device="cpu")
    return {"plain loop": loop, "embedding": partial(_encode, encoder, Capture.EMBEDDING)}


def _write_onnx(path: Path) -> Path:
    """Write a graph of a small transformer's products, without its attention, with random weights."""
    onnx: Any = importlib.import_module("onnx")
    make, numpy_helper = onnx.helper, importlib.import_module("onnx.numpy_helper")
    rng, nodes, weights = np.random.default_rng(0), list[Any](), list[Any]()

    def add(kind: str, *inputs: str, **options: Any) -> str:
        nodes.append(make.make_node(kind, list(inputs), [f"value{len(nodes)}"], **options))
        return nodes[-1].output[0]

    def draw(*shape: int) -> str:
        values = rng.standard_normal(shape).astype(np.float32) / np.sqrt(np.prod(shape[1:]))
        weights.append(numpy_helper.from_array(values.astype(np.float32), f"weights{len(weights)}"))
        return weights[-1].name

    patches = add("Conv", "images", draw(WIDTH, 3, PATCH, PATCH), strides=[PATCH, PATCH])
    weights.append(numpy_helper.from_array(np.array([0, WIDTH, -1]), "shape"))
    tokens = add("Transpose", add("Reshape", patches, "shape"), perm=[0, 2, 1])
    for _ in range(BLOCKS):
        mixed = add(
            "MatMul", tokens, draw(WIDTH, 4 * WIDTH)
        )  # as many products as query, key, value and output
        inner = add(
            "Tanh", add("MatMul", add("MatMul", mixed, draw(4 * WIDTH, WIDTH)), draw(WIDTH, 4 * WIDTH))
        )
        tokens = add("Add", tokens, add("MatMul", inner, draw(4 * WIDTH, WIDTH)))
    add("MatMul", add("ReduceMean", tokens, axes=[1], keepdims=0), draw(WIDTH, DIM))
    floats = onnx.TensorProto.FLOAT
    graph = make.make_graph(
        nodes,
        "timed",
        [make.make_tensor_value_info("images", floats, ["n", 3, SIDE, SIDE])],
        [make.make_tensor_value_info(nodes[-1].output[0], floats, ["n", DIM])],
        weights,
    )
    onnx.save_model(
        make.make_model(graph, opset_imports=[make.make_opsetid("", 17)], ir_version=8), str(path)
    )
    path.with_suffix(".toml").write_text(
        f"mean = {list(MEAN)}\ndeviation = {list(DEVIATION)}\n", encoding="utf-8"
    )
    return path


def _open_open_clip(folder: Path) -> dict[str, Loop]:
    library: Any = importlib.import_module("open_clip")
    model, _, prepare = library.create_model_and_transforms("ViT-S-32")
    encoder = open_encoder(
        f"open_clip:ViT-S-32/{_save(model, folder / 'open_clip.safetensors')}", device="cpu"
    )
    return _list_ways(encoder, partial(_loop, model.eval().encode_image, prepare))


def _open_timm(folder: Path) -> dict[str, Loop]:
    library: Any = importlib.import_module("timm")
    model = library.create_model("vit_small_patch32_224", num_classes=0)
    prepare = library.data.create_transform(
        **library.data.resolve_model_data_config(model), is_training=False
    )
    file = _save(model, folder / "timm.safetensors")
    encoder = open_encoder(f"timm:vit_small_patch32_224/{file}", device="cpu")
    return _list_ways(encoder, partial(_loop, model.eval(), prepare))


def _list_ways(encoder: Encoder, loop: Loop) -> dict[str, Loop]:
    ways: dict[str, Loop] = {"plain loop": loop, "embedding": partial(_encode, encoder, Capture.EMBEDDING)}
    return ways | {"embedding and map": partial(_encode, encoder, BOTH)}


def _loop(embed: Callable[[Any], object], prepare: Callable[[Any], Any], views: np.ndarray) -> object:
    with torch.no_grad():
        return embed(torch.stack([prepare(Image.fromarray(view)) for view in views]))


def _save(model: Any, file: Path) -> Path:
    save: Any = importlib.import_module("safetensors.torch").save_file
    save({name: each.contiguous().clone() for name, each in model.state_dict().items()}, file)
    return file


_FORMS: Mapping[str, tuple[tuple[str, ...], Callable[[Path], dict[str, Loop]]]] = {
    "ONNX": (("onnx", "onnxruntime"), _open_onnx),
    "open_clip": (("open_clip",), _open_open_clip),
    "timm": (("timm",), _open_timm),
}
"""For each form: the packages that it needs, and what opens its variants in a folder."""

STAGES: Mapping[str, Callable[[Setting], list[Figure]]] = {"forms": measure_forms}
"""Stages of forms, by their name for ``--only``."""
