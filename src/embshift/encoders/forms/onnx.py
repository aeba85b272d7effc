"""ONNX models as encoders, run by onnxruntime: a file, with a TOML file beside it for what it leaves open."""

import math
import re
from pathlib import Path
from typing import Any, TypeAlias, final

import numpy as np
import torch
from jaxtyping import Float32, Shaped

from embshift.core.addresses import to_one_line
from embshift.core.encoding import AnyViews, Encoding, to_numpy
from embshift.core.errors import EncoderError
from embshift.core.types import Capture, EncoderSpec, Views
from embshift.encoders import encoder
from embshift.encoders.forms.onnx_parts.files import (
    digest_files,
    list_model_files,
    settings_file,
)
from embshift.encoders.forms.onnx_parts.graph import Graph, choose_ports
from embshift.encoders.forms.onnx_parts.preparation import Preparation, plan_preparation
from embshift.encoders.forms.onnx_parts.session import RUNTIME, import_library, list_ports, start_session
from embshift.encoders.forms.onnx_parts.settings import Settings, read_settings
from embshift.encoders.towers.frame import compute_field

__all__ = ["OnnxEncoder", "open_onnx"]

_OTHER_FORMS = re.compile(r"(https?://|open_clip:|timm:)", flags=re.IGNORECASE)
_TOLERANCE = 1e-3
"""Difference of two embeddings of one image that rounding explains, as a part of the largest value."""

_NO_MEMORY = ("bad_alloc", "bad allocation", "failed to allocate", "out of memory")

Prepared: TypeAlias = Shaped[np.ndarray, "views _ _ _"]
Embedding: TypeAlias = Float32[torch.Tensor, "views dim"]
Maps: TypeAlias = Float32[torch.Tensor, "views heads patches"]


def _is_model(source: str) -> bool:
    named = source.lower().endswith(".onnx") and not _OTHER_FORMS.match(source)
    return named and not Path(source).is_dir()


@encoder(
    name="onnx",
    summary="an ONNX model, run by onnxruntime; a TOML file beside it states what its graph leaves open",
    embedding="the output that is stated, or the only one that can be it",
    map_source="the output that is stated; else none",
    written="model.onnx",
    matches=_is_model,
    places_itself=True,
)
def open_onnx(
    source: str,
    /,
    *,
    device: str,
    allow_pickle: bool,
    precision: str = "float32",
    runtime: str = "torch",
) -> "OnnxEncoder":
    """Open an ONNX model.

    Args:
        source: Path of the ``.onnx`` file.
        device: "cpu"; a device of CUDA, where onnxruntime is built for it; or "auto" for the first that is
            there of CUDA and the CPU.
        allow_pickle: No effect: a model cannot run code.
        precision: "float32": what the graph computes in is stated there.
        runtime: "torch", the default, or "onnxruntime", which is what runs it.

    Raises:
        EncoderError: The model, its TOML file, the device or the precision cannot be used.
        MissingExtraError: onnx or onnxruntime is not installed.
        WeightsError: A file is a pointer of Git LFS.
    """
    del allow_pickle
    if precision != "float32" or runtime not in ("torch", RUNTIME):
        raise EncoderError(
            f"encoder '{source}' computes as its graph says, so neither --precision nor --runtime applies to"
            " it; leave both out"
        )
    model = Path(source)
    files = list_model_files(model)
    settings = read_settings(settings_file(model))
    session, place = start_session(model, device=device)
    inputs, outputs = list_ports(session.get_inputs()), list_ports(session.get_outputs())
    graph = choose_ports(inputs, outputs, settings=settings, model=model)
    preparation = plan_preparation(graph, settings=settings, name=source)
    return OnnxEncoder(
        session,
        graph=graph,
        preparation=preparation,
        settings=settings,
        digest=digest_files(files),
        device=place,
    )


@final
class OnnxEncoder:
    """An ONNX model that is open in onnxruntime, and views prepared as its TOML file states.

    Args:
        session: The session.
        graph: What of its graph is used.
        preparation: The conversion of views into its input.
        settings: What the user states.
        digest: SHA-256 over the model's files.
        device: The device it runs on.

    Raises:
        EncoderError: It fails on a grey image, or returns something else than embeddings and maps.
    """

    def __init__(
        self,
        session: Any,
        /,
        *,
        graph: Graph,
        preparation: Preparation,
        settings: Settings,
        digest: str,
        device: str,
    ) -> None:
        self._session, self._graph, self._prepare = session, graph, preparation
        self._grid, self._at_once = settings.grid, graph.batch
        tried = np.full((1, *preparation.tried_size, 3), 128, dtype=np.uint8)
        embedding, maps = self._compute(tried, mapped=bool(graph.attention))
        if self._needs_one_at_a_time(tried, embedding):
            self._at_once = 1
        self._spec = EncoderSpec(
            name=preparation.name,
            family="onnx",
            dim=embedding.shape[1],
            embedding=f"output '{graph.output}' of the graph",
            map_name="attention map" if graph.attention else "",
            map_source=f"output '{graph.attention}' of the graph" if graph.attention else "",
            layers=0,
            heads=0 if maps is None else maps.shape[1],
            digest=digest,
            preprocessing={
                RUNTIME: import_library().__version__,
                **preparation.content(),
                **({"images_at_once": 1} if self._at_once != graph.batch else {}),
            },
            precision="float32",
            device=device,
            runtime=RUNTIME,
        )

    @property
    def spec(self) -> EncoderSpec:
        """How the encoder states itself."""
        return self._spec

    def encode(self, views: AnyViews, /, *, capture: Capture) -> Encoding:
        """Encode one batch of views.

        Args:
            views: Images of one size, at least one.
            capture: What to return besides the embedding; there are maps where the TOML file names an output
                for them, and nothing else.

        Returns:
            Raw embeddings and maps, on the CPU.

        Raises:
            EncoderError: The graph cannot take views of this size, or returns something else than embeddings
                and maps.
        """
        images = to_numpy(views)
        mapped = bool(self._graph.attention) and Capture.ATTENTION in capture
        embedding, maps = self._compute(images, mapped=mapped)
        if embedding.shape[1] != self._spec.dim:
            raise self._make_shape_error(self._graph.output, embedding, f"{len(images)} × {self._spec.dim}")
        frame = self._prepare.compute_frame(*images.shape[1:3])
        return Encoding(
            embedding=embedding,
            grid=(1, 1) if maps is None else self._find_grid(maps.shape[2]) or (1, 1),
            field=compute_field(frame, seen=frame.crop),
            attention=maps,
        )

    def _needs_one_at_a_time(self, image: Views, embedding: Embedding) -> bool:
        """Return whether an image's embedding depends on the others of a batch, or batches fail.

        Some exports fix the batch inside the graph; dynamic quantisation takes its scale from a whole batch.

        Raises:
            EncoderError: The embedding of the same image is another one each time.
        """
        tolerance = _TOLERANCE * float(embedding.nan_to_num().abs().max())

        def differs(found: Embedding) -> bool:
            return not torch.allclose(found[:1], embedding, rtol=0.0, atol=tolerance, equal_nan=True)

        if differs(self._compute(image, mapped=False)[0]):
            raise EncoderError(
                f"encoder '{self._prepare.name}' gives another embedding each time for the same image; export"
                " it in evaluation mode"
            )
        if self._graph.batch == 1:
            return False
        other = np.random.default_rng(0).integers(0, 256, image.shape, dtype=np.uint8)
        try:
            return differs(self._compute(np.concatenate([image, other]), mapped=False)[0])
        except EncoderError:
            return True

    def _compute(self, images: Views, *, mapped: bool) -> tuple[Embedding, Maps | None]:
        names = [self._graph.output, *([self._graph.attention] if mapped else [])]
        prepared = self._prepare.prepare(images)
        at_once = self._at_once or len(prepared)
        starts, pad = range(0, len(prepared), at_once), self._graph.batch or at_once
        parts = [self._run(prepared[start : start + at_once], names=names, pad=pad) for start in starts]
        found = [torch.cat([part[at] for part in parts]) for at in range(len(names))]
        return self._check_embedding(found[0]), self._check_maps(found[1]) if mapped else None

    def _run(self, values: Prepared, *, names: list[str], pad: int) -> list[torch.Tensor]:
        """Run one batch; copies of its last image fill it up."""
        count = len(values)
        full = (
            np.concatenate([values, np.repeat(values[-1:], pad - count, axis=0)]) if count < pad else values
        )
        found = self._call(full, names=names)
        for name, output in zip(names, found, strict=True):
            if output.ndim < 2 or len(output) != pad:
                raise self._make_shape_error(name, output, f"one row for each of {pad} images")
        with np.errstate(over="ignore"):  # infinite where float32 ends: such a view is counted as failed
            return [torch.as_tensor(output[:count].astype(np.float32, copy=False)) for output in found]

    def _call(self, values: Prepared, *, names: list[str]) -> list[Shaped[np.ndarray, "..."]]:
        try:
            return self._session.run(names, {self._graph.input: values})
        except Exception as error:
            if any(word in str(error).lower() for word in _NO_MEMORY):
                raise MemoryError(to_one_line(error)) from error  # whoever encodes takes smaller batches
            shape = " × ".join(map(str, values.shape))
            raise EncoderError(
                f"encoder '{self._prepare.name}' failed on an input of {shape}: {to_one_line(error)}; if it"
                " needs another size, state it in its TOML file, e.g. resize = [384, 384]"
            ) from error

    def _check_embedding(self, found: torch.Tensor) -> Embedding:
        if not found.numel() or math.prod(found.shape[1:]) != max(found.shape[1:]):
            raise self._make_shape_error(self._graph.output, found, f"{len(found)} × dim")
        return found.flatten(1)

    def _check_maps(self, found: torch.Tensor) -> Maps:
        maps = found[:, None] if found.ndim == 2 else found
        if maps.ndim != 3 or self._find_grid(maps.shape[2]) is None:
            grid = (
                f"grid of {self._grid[0]} × {self._grid[1]}" if self._grid else "square grid (or state grid)"
            )
            raise self._make_shape_error(self._graph.attention, found, f"n × heads × patches, in a {grid}")
        if not bool((maps >= 0).all()):
            raise EncoderError(
                f"output '{self._graph.attention}' of encoder '{self._prepare.name}' has negative or"
                " undefined values; expected attention weights, after the softmax"
            )
        return maps

    def _find_grid(self, patches: int) -> tuple[int, int] | None:
        """Return rows and columns of patches: as stated, else of a square; None if they do not fill it."""
        side = math.isqrt(patches)
        grid = self._grid or (side, side)
        return grid if patches and math.prod(grid) == patches else None

    def _make_shape_error(self, name: str, found: Any, expected: str) -> EncoderError:
        shape = " × ".join(map(str, found.shape))
        return EncoderError(
            f"output '{name}' of encoder '{self._prepare.name}' is {shape}; expected {expected}; choose"
            " another output in its TOML file"
        )
