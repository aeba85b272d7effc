"""Probe: a digest of how this machine encodes fixed views; all of a run is made by the same arithmetic.

Processors differ in the last digits of the same product. Weights, versions and pixels can be equal and every
embedding differ by some 1e-7, which nothing else would notice.
"""

import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from embshift.core.encoding import Encoder
from embshift.core.errors import ResumeError
from embshift.core.types import Capture, Views
from embshift.encoders.open import find_trust
from embshift.measurement.pipeline.batches import is_no_memory
from embshift.measurement.plan.plan import Plan
from embshift.measurement.session.resume import NEW_FOLDER

__all__ = ["check_probe", "make_probe_views", "measure_probe"]

_FEW = 4


def measure_probe(encoder: Encoder, /, *, plan: Plan) -> dict[str, Any] | None:
    """Encode fixed views twice, and return what ``run.json`` records of it.

    Args:
        encoder: The opened encoder.
        plan: The plan, with nothing left open.

    Returns:
        The SHA-256 over the embeddings, or None under "digest" if the two encodings differ or do not fit into
        memory; the number of views; the instructions that torch uses on this processor. None for a service,
        which is not asked.

    Raises:
        EncoderError: If the encoder fails.
    """
    import torch

    if find_trust(encoder.spec.name) == "remote":
        return None
    # Anything but plain torch is prepared for one shape: another one would be compiled for the probe alone.
    batch = plan.batch or 1
    views = make_probe_views(min(_FEW, batch) if encoder.spec.runtime == "torch" else batch, plan.image_size)
    try:
        first, second = _digest(encoder, views), _digest(encoder, views)
    except Exception as error:
        if not is_no_memory(error):
            raise
        first = second = None  # the run itself halves its batches, or says what to do
    return {
        "digest": first if first == second else None,
        "views": len(views),
        "processor": torch.backends.cpu.get_cpu_capability(),
    }


def make_probe_views(count: int, size: tuple[int, int], /) -> Views:
    """Return views that are the same everywhere: whole numbers, smooth and rough parts, no two views alike.

    Args:
        count: Number of views.
        size: Height and width in pixels.
    """
    view, y, x, channel = np.ogrid[:count, : size[0], : size[1], :3]
    smooth, rough = (3 + view) * x + 2 * y + 80 * channel, (x * y * (7 + view)) % 61
    return ((smooth + rough) % 256).astype(np.uint8)


def _digest(encoder: Encoder, views: Views) -> str:
    found = encoder.encode(views, capture=Capture.EMBEDDING).embedding
    return hashlib.sha256(found.detach().float().cpu().numpy().tobytes()).hexdigest()


def check_probe(
    before: Mapping[str, Any] | None, now: Mapping[str, Any] | None, /, *, mixed: bool
) -> tuple[dict[str, Any] | None, str]:
    """Check that this machine encodes as the one that began the run.

    Args:
        before: What the run has recorded; None for a new run, or one of an earlier version.
        now: What `measure_probe` returns here.
        mixed: Whether other arithmetic is allowed.

    Returns:
        What is recorded from now on, and a line for the user, which is empty where nothing differs.

    Raises:
        ResumeError: If the digests differ and that is not allowed.
    """
    if before is None:
        return None if now is None else dict(now), ""
    if now is None or before["digest"] is None or now["digest"] is None:
        return dict(before), ""
    known = {before["digest"], *before.get("others", ())}
    if now["digest"] in known:
        return dict(before), ""
    differs = (
        f"this machine's arithmetic differs from that of the run's: the same views are encoded to"
        f" {now['digest'][:8]} here ({now['processor']}) and to {before['digest'][:8]} there"
        f" ({before['processor']}), typically by 1e-7"
    )
    if not mixed:
        raise ResumeError(
            f"{differs}; continue it on a machine of that kind, or give --mixed-hardware"
            f" (mixed_hardware=True), which the run records; or {NEW_FOLDER}"
        )
    others = sorted({*before.get("others", ()), now["digest"]})
    return {**before, "others": others}, differs
