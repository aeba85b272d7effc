"""A dropped image: bytes from a page, decoded in a worker process with its limits."""

import tempfile
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from embshift.core.errors import UsageError
from embshift.core.types import FrozenRow, ImageRecord, Pixels
from embshift.measurement.engine.pool import perturb_images
from embshift.measurement.engine.worker import WorkerLimits
from embshift.measurement.pipeline.perturb import Drafted, Perturbed
from embshift.measurement.pipeline.recipe import build_recipe
from embshift.measurement.plan.plan import Plan

__all__ = ["DroppedImage", "decode_dropped"]

LIMITS = WorkerLimits(memory=2**30, seconds=20.0)
"""Memory and time that a dropped image may take."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DroppedImage:
    """A dropped image.

    Attributes:
        image_id: Its id.
        width: Width in the file.
        height: Height in the file.
        pixels: The image, resized as the run's images are.
    """

    image_id: str
    width: int
    height: int
    pixels: Pixels


def decode_dropped(content: bytes, *, plan: Plan) -> DroppedImage:
    """Decode a file from a page as the run's images were decoded.

    Args:
        content: The file's bytes.
        plan: The run's plan.

    Raises:
        UsageError: If it is no image, or larger than the limits.
    """
    if not content:
        raise UsageError("the dropped file is empty")
    # The default limits: a run's record may come from anyone, and could allow more.
    own = replace(plan, transforms=(), max_pixels=min(plan.max_pixels, Plan().max_pixels), views="reference")
    build = partial(build_recipe, own, metrics={}, objects={})
    with tempfile.TemporaryDirectory(prefix="embshift-drop-") as folder:
        path = Path(folder) / "dropped"
        path.write_bytes(content)
        record = ImageRecord(row=0, source="dropped", member="dropped image", path=str(path))
        listed = FrozenRow(record=record, sampled=False, chunk=0)
        # A loop to its end, so that the worker has ended when the folder is removed.
        (kept,) = (_keep(made) for made in perturb_images([listed], build=build, workers=1, limits=LIMITS))
        return kept


def _keep(made: Perturbed | Drafted) -> DroppedImage:
    """Return an image with pixels of its own: those that a worker made are lent."""
    decoded = made.decoded
    if made.pixels is None:
        raise UsageError(f"the dropped file cannot be used: {decoded.error}")
    return DroppedImage(
        image_id=str(decoded.image_id),
        width=int(decoded.width or 0),
        height=int(decoded.height or 0),
        pixels=made.pixels[0].copy(),
    )
