"""Frozen records and protocols of the pipeline: data only. Never imports torch."""

import enum
import os
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
    "Identity",
    "ImageRecord",
    "Measure",
    "MetricSpec",
    "Pixels",
    "Transform",
    "View",
    "ViewKey",
    "Views",
]

Pixels: TypeAlias = UInt8[np.ndarray, "height width 3"]
"""One image: sRGB, 0-255, channels last."""

Views: TypeAlias = UInt8[np.ndarray, "views height width 3"]
"""A batch of images of one size: sRGB, 0-255, channels last."""

Coordinates: TypeAlias = Float32[np.ndarray, "height width 2"]
"""The place in the original that each pixel of a view shows: column, row; pixel centres whole; NaN: none."""

ORIGINAL = "original"
"""Name of the untouched, resized image wherever the name of a transform is expected."""


class Field(NamedTuple):
    """The rectangle of the resized image that an encoder saw, in pixels; a centre crop makes it smaller."""

    top: float
    left: float
    height: float
    width: float


class Capture(enum.Flag):
    """What a metric needs beside the pixels; an encoder captures the union of these and nothing more."""

    PIXELS = 0
    """Nothing from the encoder: the metric compares resized images."""
    EMBEDDING = enum.auto()
    """The embedding."""
    ATTENTION = enum.auto()
    """The encoder's final map over patches: what the embedding's own token attended to."""
    LAYERS = enum.auto()
    """The class token's attention row of every block, where the encoder has one."""
    TOKENS = enum.auto()
    """Class token and patches after every block, where the encoder gives them."""
    COORDINATES = enum.auto()
    """Where the pixels of a view come from: given by the transform, not by the encoder."""


class Direction(enum.StrEnum):
    """Which values of a metric mean that two images are alike."""

    HIGHER = "higher is closer"
    LOWER = "lower is closer"


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageRecord:
    """One input as listed: its row, which joins all tables, where its bytes are, and what is said of it.

    Attributes:
        row: Position in the listing, from 0.
        source: The SOURCE argument that the input belongs to.
        member: Path below a folder source or inside an archive, or the file's own name.
        index: Position inside a file that holds several images, such as a row of a table; 0 for an image
            file.
        path: Absolute path of the file, or its address; None for an image handed over in memory.
        offset: First byte of the image in its file: of a member of an archive; 0 for a whole file.
        length: Bytes of the image, where the listing knows them; -1 for those that the file has when it is
            read.
        column: The column of a table that holds the image; empty for an image that is in no table.
        etag: What tells that the content is still the listed one: a store's name for it, or a digest of what
            describes it in its archive or table; empty for a file, which is measured as it is.
        source_id: The source's own name for the image; None if it gives none.
        caption: The source's caption; None likewise.
        label: The source's label; None likewise.
        content: The image itself if it was handed over in memory (an array).
    """

    row: int
    source: str
    member: str
    index: int = 0
    path: str | None = None
    offset: int = 0
    length: int = -1
    column: str = ""
    etag: str = ""
    source_id: str | None = None
    caption: str | None = None
    label: str | None = None
    content: Any = field(default=None, compare=False, repr=False)

    @property
    def is_part(self) -> bool:
        """Whether the image is a part of its file: a member of an archive, or a cell of a table."""
        return bool(self.offset or self.column)

    @property
    def name(self) -> str:
        """The path that names the image: its member's where it is a part of a file, else its file's."""
        return self.member if self.is_part else self.path or ""

    @property
    def identity(self) -> "Identity":
        """What tells one input from another, in the order in which one source lists them."""
        path = b"" if self.path is None else os.fsencode(self.path).replace(os.sep.encode(), b"/")
        # An image from memory has no name; its index is its only identity.
        return path, self.column, self.index, self.offset, self.member if self.offset else ""


Identity: TypeAlias = tuple[bytes, str, int, int, str]
"""Path, column, index, first byte and member of an input."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FrozenRow:
    """One row of the listing, frozen when the run starts.

    Attributes:
        record: The record.
        sampled: Whether the row belongs to the metric sample.
        chunk: The chunk in which the row is committed.
        size: Bytes of the file when it was listed, or of the image where it is a range of a file or has an
            address; -1 without a readable file.
        mtime_ns: Modification time of the file then, in nanoseconds; -1 without a readable file, and where
            the record's etag tells changes.
    """

    record: ImageRecord
    sampled: bool
    chunk: int
    size: int = -1
    mtime_ns: int = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewKey:
    """Everything that a view's random stream depends on.

    Attributes:
        run_seed: The run's seed.
        image_id: 32 hexadecimal digits of the SHA-256 of the file's content.
        transform: The transform's name in the plan. For a transform with a severity or strength, the name of
            the registered transform, so that all levels of a sweep share one draw.
        draw: Number of the repeat, from 0.
    """

    run_seed: int
    image_id: str
    transform: str
    draw: int = 0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class View:
    """An image after a transform.

    Attributes:
        pixels: The result, of the same shape as the input.
        parameters: The values that were drawn, ready for JSON.
        coordinates: Returns where each pixel comes from; None where every pixel stays at its place.
    """

    pixels: Pixels
    parameters: Mapping[str, Any]
    coordinates: Callable[[], Coordinates] | None = None


@runtime_checkable
class Transform(Protocol):
    """Changes an image: pure, and random only through the generator that is passed in."""

    def __call__(self, pixels: Pixels, /, *, rng: np.random.Generator) -> View: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """The declared properties of a measurement; tables, figures and documentation read them from here.

    Attributes:
        name: Name in tables and on the command line.
        summary: One line: what it is, or what it compares.
        unit: Unit of its values; "1" for a pure number.
        bounds: Least and greatest possible value.
        identity: Value for a view that equals its original; NaN where it is undefined then.
        direction: Which values mean that two images are alike; None where neither do.
        blind_to: What it cannot see.
        reference: Its source.
    """

    name: str
    summary: str
    unit: str
    bounds: tuple[float, float]
    identity: float
    direction: Direction | None
    blind_to: str
    reference: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricSpec(Measure):
    """The declared properties of a metric, which contract tests check; see also `Measure`.

    Attributes:
        direction: Which values mean that two images are alike; a metric always has a direction.
        needs: What must be captured.
        performance: Whether the metric counts in the overall score of the ranked profiles.
    """

    direction: Direction
    needs: Capture
    performance: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class EncoderSpec:
    """The properties of an opened encoder; recorded in ``run.json``.

    Attributes:
        name: What the user asked for.
        family: Architecture, e.g. "clip"; "lite" for the bundled encoder.
        dim: Length of an embedding.
        embedding: What the embedding is, e.g. "projected class token".
        map_name: "attention map", or the name of what the encoder has in its place.
        map_source: What the map is taken from, e.g. "last block, class token, mean over heads".
        layers: Number of blocks whose class-token row can be captured; 0 if there is none.
        heads: Number of heads of the final map.
        digest: SHA-256 over the weight files, 64 hexadecimal digits.
        config: SHA-256 of the checkpoint's ``config.json``; empty for the bundled encoder.
        preprocessing: Resize, crop, mean, deviation and the backend that applies them, ready for JSON.
        precision: Number format inside the encoder: "float32", "float16" or "bfloat16"; embeddings and maps
            are always float32.
        device: "cpu", "cuda:0", …
        runtime: What runs the encoder: "torch", "compiled" or "openvino"; "onnxruntime" for an ONNX model.
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
