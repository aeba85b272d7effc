"""What travels through the pipeline: frozen records and protocols, data only. Never imports torch."""

import enum
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol, TypeAlias, runtime_checkable

import numpy as np
from jaxtyping import Float32, UInt8

__all__ = [
    "ORIGINAL",
    "Capture",
    "Coordinates",
    "Direction",
    "EncoderSpec",
    "Field",
    "FrozenRow",
    "ImageRecord",
    "MetricSpec",
    "Pixels",
    "Transform",
    "View",
    "ViewKey",
    "Views",
]

Pixels: TypeAlias = UInt8[np.ndarray, "height width 3"]
"""One picture: sRGB, 0-255, channels last."""

Views: TypeAlias = UInt8[np.ndarray, "views height width 3"]
"""A batch of pictures of one size: sRGB, 0-255, channels last."""

Coordinates: TypeAlias = Float32[np.ndarray, "height width 2"]
"""Where each pixel of a view was in the original: column and row, pixel centres whole; NaN for nowhere."""

ORIGINAL = "original"
"""Name of the untouched, resized picture wherever a transform's name stands."""


class Field(NamedTuple):
    """The rectangle of the resized picture that an encoder saw, in pixels; a centre crop makes it smaller."""

    top: float
    left: float
    height: float
    width: float


class Capture(enum.Flag):
    """What a metric needs beside the pixels; an encoder captures the union, and nothing more."""

    PIXELS = 0
    """Nothing from the encoder: the metric compares resized pictures."""
    EMBEDDING = enum.auto()
    """The embedding."""
    ATTENTION = enum.auto()
    """The encoder's final map over patches: what the embedding's own token looked at."""
    LAYERS = enum.auto()
    """The class token's attention row of every block, where the encoder has one."""
    TOKENS = enum.auto()
    """Class token and patches after every block, where the encoder gives them."""
    COORDINATES = enum.auto()
    """Where the pixels of a view come from: what its transform says, and nothing from the encoder."""


class Direction(enum.StrEnum):
    """Which values of a metric say that two pictures are alike."""

    HIGHER = "higher is closer"
    LOWER = "lower is closer"


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageRecord:
    """One input as listed: the row, the join key of every table, and where its bytes are.

    Attributes:
        row: Position in the sorted listing, from 0.
        source: The SOURCE argument that it came from.
        member: Path below a folder source, or the file's own name.
        index: Position inside a file that holds several pictures; 0 for a picture file.
        path: The file, absolute; None for a picture handed over in memory.
        content: The picture itself when it was handed over in memory (an array).
    """

    row: int
    source: str
    member: str
    index: int = 0
    path: str | None = None
    content: Any = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class FrozenRow:
    """One row of the listing, frozen when the run starts.

    Attributes:
        record: The record.
        sampled: Whether it is in the metric sample.
        chunk: The chunk that it is committed with.
        size: Bytes of the file when it was listed; -1 where there is no readable file.
        mtime_ns: Its modification time then, in nanoseconds; -1 likewise.
    """

    record: ImageRecord
    sampled: bool
    chunk: int
    size: int = -1
    mtime_ns: int = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewKey:
    """What a view's random stream is a function of.

    Attributes:
        run_seed: The run's seed.
        image_id: 32 hexadecimal digits of the SHA-256 of the file's content.
        transform: The transform's name in the plan; where it has a severity or strength, what is drawn is
            that of the registered transform's name, so that a sweep follows one draw.
        draw: 0 for the first repeat.
    """

    run_seed: int
    image_id: str
    transform: str
    draw: int = 0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class View:
    """A picture after a transform.

    Attributes:
        pixels: The result, of the shape of what went in.
        parameters: The values that were drawn, ready for JSON.
        coordinates: Gives where each pixel comes from; None where every pixel stays at its place.
    """

    pixels: Pixels
    parameters: Mapping[str, Any]
    coordinates: Callable[[], Coordinates] | None = None


@runtime_checkable
class Transform(Protocol):
    """What changes a picture: pure, and random only through the generator that it is handed."""

    def __call__(self, pixels: Pixels, /, *, rng: np.random.Generator) -> View: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricSpec:
    """How a metric states itself; figures label axes from it and contract tests hold it to it.

    Attributes:
        name: Name in tables and on the command line.
        summary: One line: what it compares.
        unit: Unit of its values; "1" for a pure number.
        bounds: Least and greatest possible value.
        identity: Value for a picture compared with itself.
        direction: Which values mean alike.
        needs: What must be captured.
        blind_to: What it cannot see.
        performance: Whether it counts in the overall score of the ranked profiles.
        reference: Its source.
    """

    name: str
    summary: str
    unit: str
    bounds: tuple[float, float]
    identity: float
    direction: Direction
    needs: Capture
    blind_to: str
    performance: bool
    reference: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EncoderSpec:
    """How an opened encoder states itself; recorded in ``run.json``.

    Attributes:
        name: What the user asked for.
        family: Architecture, e.g. "clip"; "lite" for the bundled one.
        dim: Length of an embedding.
        embedding: What the embedding is, e.g. "projected class token".
        map_name: "attention map", or what its map really is.
        map_source: What the map is taken from, e.g. "last block, class token, mean over heads".
        layers: Number of blocks whose class-token row can be captured; 0 where there is none.
        heads: Heads of the final map.
        digest: SHA-256 over the weight files, 64 hexadecimal digits.
        config: SHA-256 of the checkpoint's ``config.json``; empty for the bundled encoder.
        preprocessing: Resize, crop, mean, deviation and the backend that does them, ready for JSON.
        precision: Number format of the products inside: "float32", "float16" or "bfloat16"; embeddings and
            maps are float32 in any case.
        device: "cpu", "cuda:0", …
        runtime: What runs it: "torch", "compiled" or "openvino".
    """

    name: str
    family: str
    dim: int
    embedding: str
    map_name: str
    map_source: str
    layers: int
    heads: int
    digest: str
    preprocessing: Mapping[str, Any]
    precision: str
    device: str
    config: str = ""
    runtime: str = "torch"
