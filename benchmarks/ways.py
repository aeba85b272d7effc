"""Variants of a run: the network, what runs it and in which precision, and how views are made."""

import importlib.util
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

__all__ = ["FAST", "VIT", "Way", "list_ways"]

FAST: Mapping[str, str] = {"views": "fast", "decode": "scaled"}
"""Plan fields for fast views and scaled decoding; without them a run uses the paper's settings."""

VIT = "ViT-B/32"
"""Name of the shape that `write_encoder` writes."""


@dataclass(frozen=True, kw_only=True)
class Way:
    """One variant of a run.

    Attributes:
        network: `VIT` or "lite".
        runtime: What runs the network.
        precision: Number format of its products.
        fast: Whether views are fast and decoding is scaled; otherwise both are as in the paper.
    """

    network: str
    runtime: str = "torch"
    precision: str = "float32"
    fast: bool = False

    @property
    def engine(self) -> str:
        """Precision and runtime as text."""
        return f"{self.precision}, {self.runtime}"

    @property
    def name(self) -> str:
        """Engine, views and decoding as text."""
        made = "fast views, scaled decode" if self.fast else "reference views, full decode"
        return f"{self.engine}; {made}"

    @property
    def options(self) -> dict[str, Any]:
        """Fields of the plan."""
        return {"runtime": self.runtime, "precision": self.precision, **(FAST if self.fast else {})}


def list_ways(network: str) -> Sequence[Way]:
    """Return the variants that are measured end to end.

    They are float32 as in the paper, float32 with everything fast, and half precision.
    """
    quick = "openvino" if importlib.util.find_spec("openvino") else "torch"
    plain = [Way(network=network)]
    if network != VIT:
        return [*plain, Way(network=network, runtime=quick, fast=True)]
    other = [] if quick == "torch" else [Way(network=network, runtime=quick)]
    return [
        *plain,
        *other,
        Way(network=network, runtime=quick, fast=True),
        Way(network=network, runtime=quick, precision="bfloat16", fast=True),
    ]
