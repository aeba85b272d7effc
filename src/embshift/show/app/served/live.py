"""What is live: the interface between the app and whoever makes and encodes views."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float32, Float64

from embshift.core.errors import ShiftError
from embshift.core.types import Field, Pixels

__all__ = ["Asked", "Details", "Live", "NotLiveError", "PlacedMap", "Reach", "Seen"]


class NotLiveError(ShiftError):
    """A view cannot be made again; what the run has recorded of it can still be shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """How far a transform can be turned.

    Attributes:
        parameter: What its strength is, e.g. "largest angle"; empty for a transform without one.
        unit: The strength's unit; "1" for a pure number.
        recorded: The strength that the run measured; None without one.
        ends: Smallest and largest strength of a slider; None where the strength is fixed.
        log: Whether the slider is better logarithmic.
        severities: The strengths of severities 1 to 5; empty without any.
        why: Why its views cannot be made; empty where they can.
    """

    parameter: str = ""
    unit: str = "1"
    recorded: float | None = None
    ends: tuple[float, float] | None = None
    log: bool = False
    severities: tuple[float, ...] = ()
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A view that is asked for.

    Attributes:
        row: Row of the image in the listing; None for the image that was dropped on the page.
        transform: Name of the transform in the plan.
        strength: In its unit; None for the one that the run measured.
        draw: The draw.
        detail: Whether layers, heads, words and labels are wanted too.
        head: Layer and head whose attention is wanted in place of the encoder's map; None for that map.
    """

    row: int | None
    transform: str
    strength: float | None = None
    draw: int = 0
    detail: bool = True
    head: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PlacedMap:
    """A map over patches, with its place in the image.

    Attributes:
        values: One value a patch.
        field: The rectangle that the patches cover, in pixels of the view.
    """

    values: Float64[np.ndarray, "rows columns"]
    field: Field


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Details:
    """Where in the network a shift arises, and which words lie along it; None for what is not known.

    Attributes:
        layers: Cosine of the token that is read, original against view, after each layer.
        heads: Share of each head in the shift, by layer.
        head_layer: Layer of the first row of `heads`.
        others: Shares of the components that are no heads.
        shift_map: What each patch of the view adds to the shift, less what the original added there.
        words: Words along the shift, the nearest first, each with the cosine of its direction.
        labels: The label nearest to the original, and that nearest to the view.
    """

    layers: tuple[float, ...] | None = None
    heads: tuple[tuple[float, ...], ...] | None = None
    head_layer: int = 0
    others: tuple[tuple[str, float], ...] = ()
    shift_map: PlacedMap | None = None
    words: tuple[tuple[str, float], ...] | None = None
    labels: tuple[str, str] | None = None


NOTHING = Details()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Seen:
    """A view with its embedding, beside its original.

    Attributes:
        image_id: Id of the image.
        strength: The view's strength; None for a transform without one.
        recorded: Whether the view is, pixel by pixel, one that the run measured.
        embedding: Raw embedding of the view.
        original_embedding: Raw embedding of the original.
        pixels: The view; None where it was not kept.
        original: The original as the encoder is given it; None where it was not kept.
        map: The encoder's map of the view, or the head's that was asked for; None without one.
        original_map: The same of the original.
        map_of: Layer and head of both maps; None for the encoder's own map.
        metrics: Values of the run's metrics.
        details: Where in the network the shift arises.
        milliseconds: How long each step took.
    """

    image_id: str
    strength: float | None
    recorded: bool
    embedding: Float32[np.ndarray, " dim"]
    original_embedding: Float32[np.ndarray, " dim"]
    pixels: Pixels | None
    original: Pixels | None
    map: PlacedMap | None = None
    original_map: PlacedMap | None = None
    map_of: tuple[int, int] | None = None
    metrics: Mapping[str, float] = field(default_factory=dict[str, float])
    details: Details = NOTHING
    milliseconds: Mapping[str, float] = field(default_factory=dict[str, float])


@runtime_checkable
class Live(Protocol):
    """Makes views of a run's images, and encodes them one at a time."""

    def see(self, asked: Asked, /) -> Seen:
        """Make and encode a view; `NotLiveError` where that cannot be done."""
        ...

    def make(self, row: int | None, transform: str, /) -> Pixels:
        """Return an original, or the view that the run measured first, without encoding it."""
        ...

    def drop(self, content: bytes, /) -> tuple[int, int]:
        """Take a file as the dropped image; return width and height; `UsageError` if it is no image."""
        ...

    def list_details(self) -> Sequence[str]:
        """Return what is told of a shift: "network" (layers, heads, shift map), "word", "label"."""
        ...
