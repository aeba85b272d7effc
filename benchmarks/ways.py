"""Ways of doing the same work: a network, what runs it and in which precision, and how pictures are made."""

import importlib.util
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

__all__ = ["FAST", "VIT", "Way", "ways_of"]

FAST: Mapping[str, str] = {"views": "fast", "decode": "scaled"}
"""The fast views and the scaled decoding; the same plan fields without a value are the paper's."""

VIT = "ViT-B/32"
"""What the shape is called that `write_encoder` writes."""


@dataclass(frozen=True, kw_only=True)
class Way:
    """One setting of embshift.

    Attributes:
        network: `VIT` or "lite".
        runtime: What runs the network.
        precision: Number format of its products.
        fast: Whether views are fast and decoding is scaled; else both are as in the paper.
    """

    network: str
    runtime: str = "torch"
    precision: str = "float32"
    fast: bool = False

    @property
    def engine(self) -> str:
        """Precision and runtime in words."""
        return f"{self.precision}, {self.runtime}"

    @property
    def name(self) -> str:
        """All of it in words."""
        made = "fast views, scaled decode" if self.fast else "reference views, full decode"
        return f"{self.engine}; {made}"

    @property
    def options(self) -> dict[str, Any]:
        """Fields of the plan."""
        return {"runtime": self.runtime, "precision": self.precision, **(FAST if self.fast else {})}


def ways_of(network: str) -> Sequence[Way]:
    """What is measured end to end: float32 as in the paper, float32 as fast as it goes, half precision."""
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
