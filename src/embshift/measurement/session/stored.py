"""Views that were written before, and their embeddings: what a run is made of where nothing is encoded."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from embshift.core.encoding import Encoder
from embshift.measurement.pipeline.encode import Encoded
from embshift.measurement.pipeline.perturb import Perturbed
from embshift.measurement.pipeline.recipe import ReadViews
from embshift.runs.listing_changes import Records

__all__ = ["Stored"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Stored:
    """Views that were written before, with embeddings that were computed elsewhere.

    Attributes:
        records: Lists the images, in the order in which their views were written.
        count: How many images there are.
        read: Reads the views of an image; it can be sent to worker processes.
        fill: Gives an image's views their embeddings.
        encoder: States what is known of the encoder, and encodes nothing.
        code: Digest of the code of every transform that is a function, as the views' file states it.
        about: What ``run.json`` says of the views and the embeddings.
    """

    records: Records
    count: int
    read: ReadViews
    fill: Callable[[Perturbed], Encoded]
    encoder: Encoder
    code: Mapping[str, str | None]
    about: Mapping[str, Any]
