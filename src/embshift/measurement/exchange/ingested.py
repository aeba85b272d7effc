"""The encoder of an ingested run: it states what is known, gives views embeddings, and encodes nothing."""

from dataclasses import replace
from pathlib import Path
from typing import NoReturn, final

import numpy as np
import torch
from jaxtyping import Int64

from embshift.core.encoding import AnyViews, Encoding
from embshift.core.errors import EncoderError
from embshift.core.types import Capture, EncoderSpec, Field
from embshift.measurement.exchange.matching import Vectors
from embshift.measurement.pipeline.encode import Encoded, without_pixels
from embshift.measurement.pipeline.perturb import Perturbed

__all__ = ["IngestedEncoder", "state_spec"]


def state_spec(path: Path, /, *, dim: int, digest: str, views: str) -> EncoderSpec:
    """Return what a run records of an encoder that was never opened.

    Args:
        path: The file of embeddings.
        dim: Length of an embedding.
        digest: SHA-256 of the file.
        views: SHA-256 over the digests of the views.
    """
    return EncoderSpec(
        name=f"{path.name} (ingested)",
        family="ingested",
        dim=dim,
        embedding="computed elsewhere and ingested",
        map_name="",
        map_source="none",
        layers=0,
        heads=0,
        digest=digest,
        preprocessing={"views": views},
        precision="float32",
        device="cpu",
    )


@final
class IngestedEncoder:
    """Gives views the embeddings that were computed elsewhere.

    Args:
        spec: What is known of the encoder.
        vectors: The embeddings, in the order of the keys.
        places: Position of every image's first view among the keys.
        size: Height and width of a view, in pixels.
    """

    def __init__(
        self,
        spec: EncoderSpec,
        *,
        vectors: Vectors,
        places: Int64[np.ndarray, " images"],
        size: tuple[int, int],
    ) -> None:
        self.spec = spec
        self._vectors, self._places = vectors, places
        self._field = Field(0.0, 0.0, float(size[0]), float(size[1]))

    def encode(self, views: AnyViews, /, *, capture: Capture) -> NoReturn:
        """Refuse: nothing here can encode.

        Raises:
            EncoderError: Always.
        """
        raise EncoderError(f"no other view can be encoded: the embeddings are those of {self.spec.name}")

    def fill(self, perturbed: Perturbed, /) -> Encoded:
        """Return an image with the embeddings of its views; NaN where there is none."""
        encoded = without_pixels(perturbed)
        if perturbed.pixels is None:
            return encoded
        first = int(self._places[perturbed.listed.record.row])
        vectors, given = self._vectors.read(first, len(perturbed.pixels))
        encoding = Encoding(embedding=torch.from_numpy(vectors), grid=(1, 1), field=self._field)
        return replace(encoded, encoding=encoding, lacking=None if given.all() else ~given)
