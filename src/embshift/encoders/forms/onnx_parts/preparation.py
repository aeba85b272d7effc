"""Preparation of views for an ONNX graph: resize, crop, scale, mean and deviation, type and layout."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float32, Shaped, UInt8
from PIL import Image

from embshift.core.errors import EncoderError
from embshift.core.types import Pixels, Views
from embshift.encoders.forms.onnx_parts.graph import Graph
from embshift.encoders.forms.onnx_parts.settings import FILTERS, Settings, Size
from embshift.encoders.towers.frame import Frame, compute_frame
from embshift.encoders.towers.preprocessing import apply_table, make_value_table

__all__ = ["Preparation", "plan_preparation"]

_UNKNOWN_SIZE = (224, 224)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Preparation:
    """The conversion of views into a graph's input.

    Attributes:
        graph: The graph's input.
        rules: Resize and crop, as `compute_frame` takes them.
        interpolation: One of `FILTERS`.
        values: What is done with bytes, as `make_value_table` takes it; empty for a graph that takes bytes.
        table: Value of every byte in each channel; None for a graph that takes bytes.
        name: The encoder, for errors.
    """

    graph: Graph
    rules: dict[str, Any]
    interpolation: str
    values: dict[str, Any]
    table: Float32[np.ndarray, "3 256"] | None
    name: str

    @property
    def tried_size(self) -> tuple[int, int]:
        """Height and width of a view that suits the graph; 224 by 224 where every size may."""
        size = self.rules.get("crop_size") or self.rules.get("size") or {}
        side = size.get("shortest_edge")
        height, width = size.get("height", side), size.get("width", side)
        return (int(height), int(width)) if height and width else _UNKNOWN_SIZE

    def compute_frame(self, height: int, width: int, /) -> Frame:
        """Compute resize and crop of a view.

        Raises:
            EncoderError: The crop is larger than the resized view.
        """
        frame = compute_frame({**self.rules, "do_center_crop": False}, height=height, width=width)
        crop = self.rules.get("crop_size")
        if crop and (crop["height"] > frame.resized[0] or crop["width"] > frame.resized[1]):
            raise EncoderError(
                f"encoder '{self.name}' crops {crop['height']} × {crop['width']} pixels from"
                f" {frame.resized[0]} × {frame.resized[1]}; state a 'resize' to at least that in its TOML"
            )
        return compute_frame(self.rules, height=height, width=width)

    def prepare(self, views: Views, /) -> Shaped[np.ndarray, "views _ _ _"]:
        """Return the graph's input for views: of its type and layout, contiguous."""
        frame = self.compute_frame(*views.shape[1:3])
        seen = views if frame.is_untouched else np.stack([self._reshape(view, frame) for view in views])
        planes = seen.transpose(0, 3, 1, 2)
        values = planes if self.table is None else apply_table(planes, table=self.table).numpy()
        ordered = values if self.graph.layout == "NCHW" else values.transpose(0, 2, 3, 1)
        return np.ascontiguousarray(ordered, dtype=self.graph.type)

    def _reshape(self, view: Pixels, frame: Frame) -> UInt8[np.ndarray, "_ _ 3"]:
        height, width = frame.resized
        resized = view
        if frame.resized != frame.image:
            shown = Image.fromarray(view).resize(
                (width, height), Image.Resampling(FILTERS[self.interpolation])
            )
            resized = np.asarray(shown)
        (top, left), (high, wide) = frame.corner, frame.crop
        return resized[top : top + high, left : left + wide]

    def content(self) -> dict[str, Any]:
        """Return what is done, ready for JSON."""
        return {
            "input": self.graph.input,
            "layout": self.graph.layout,
            "type": self.graph.type,
            **{name: value for name, value in (self.rules | self.values).items() if value is not False},
            "interpolation": self.interpolation,
            "backend": "pillow",
        }


def plan_preparation(graph: Graph, /, *, settings: Settings, name: str) -> Preparation:
    """Plan the preparation of views for a graph.

    What is stated is done. A graph of a fixed size crops to that size from a stated resize, and without one
    views are resized to it.

    Args:
        graph: The graph's input.
        settings: What the user states.
        name: The encoder, for errors.

    Raises:
        EncoderError: Resize and crop do not give the size that the graph takes.
    """
    resize, crop = settings.resize, settings.crop
    if graph.size is not None:
        resize = graph.size if resize is None and crop is None else resize
        crop = crop or graph.size
        if crop != graph.size:
            raise EncoderError(
                f"encoder '{name}' takes {graph.size[0]} × {graph.size[1]} pixels, and its TOML file states"
                f" crop = [{crop[0]}, {crop[1]}]; leave crop out, or state the graph's size"
            )
    values = {} if graph.type == "uint8" else _make_values(settings)
    return Preparation(
        graph=graph,
        rules=_make_rules(resize, crop),
        interpolation=settings.interpolation,
        values=values,
        table=make_value_table(values) if values else None,
        name=name,
    )


def _make_values(settings: Settings) -> dict[str, Any]:
    return {
        "do_rescale": True,
        "rescale_factor": 1 / 255 if settings.scale is None else settings.scale,
        "do_normalize": True,
        "image_mean": settings.mean or (0.0, 0.0, 0.0),
        "image_std": settings.deviation or (1.0, 1.0, 1.0),
    }


def _make_rules(resize: Size | None, crop: tuple[int, int] | None) -> dict[str, Any]:
    rules: dict[str, Any] = {"do_resize": resize is not None, "do_center_crop": crop is not None}
    if resize is not None:
        rules["size"] = {"shortest_edge": resize} if isinstance(resize, int) else _name_sides(resize)
    if crop is not None:
        rules["crop_size"] = _name_sides(crop)
    return rules


def _name_sides(sides: tuple[int, int]) -> dict[str, int]:
    return {"height": sides[0], "width": sides[1]}
