"""Values of many images, and their sums in parts."""

import numpy as np

from embshift.analysis.parts.part import measure_part, merge_parts
from embshift.metrics import METRICS
from embshift.runs.image_ids import hash_ids
from embshift.runs.values import ImageValues
from tests.synthetic_runs import PAPER

SPECS = tuple(METRICS[name].spec for name in PAPER)
NAMES = ("noise", "blur", "jpeg", "flip")


def draw_values(images, *, transforms=NAMES, specs=SPECS, seed=0, missing=0.0, sampled=1.0):
    """Draw skewed values; what an image is like moves all of its values.

    Args:
        images: Number of images.
        transforms: Names of the transforms.
        specs: Specs of the metrics.
        seed: Seed of the values.
        missing: Share of undefined values.
        sampled: Share of the images on which all metrics but the first two are computed.
    """
    rng = np.random.default_rng(seed)
    own = rng.gamma(3, 0.3, size=(images, 1, 1))
    size = 0.06 + 0.01 * np.arange(len(transforms))[:, None]
    moved = np.minimum(own * size * rng.gamma(4, 0.25, size=(images, len(transforms), len(specs))), 1)
    ends = np.array([spec.bounds[0] if np.isfinite(spec.bounds[1]) else 10.0 for spec in specs])
    identity = np.array([spec.identity for spec in specs])
    values = identity + moved * (ends - identity)
    undefined = rng.random(values.shape) < missing
    values[undefined] = np.nan
    recorded = np.ones(values.shape, bool)
    left_out = rng.random(images) >= sampled
    values[left_out, :, 2:], recorded[left_out, :, 2:] = np.nan, False
    return ImageValues(
        rows=np.arange(images),
        transforms=tuple(transforms),
        metrics=tuple(spec.name for spec in specs),
        values=values,
        recorded=recorded,
        undefined=(np.isnan(values) & recorded).astype(np.int64),
    )


def sum_in_parts(values, *, size=300, specs=SPECS, wanted=()):
    """Sum values in blocks of a size, merged in order."""
    found = None
    for start in range(0, len(values.rows), size):
        part = slice(start, start + size)
        block = ImageValues(
            rows=values.rows[part],
            transforms=values.transforms,
            metrics=values.metrics,
            values=values.values[part],
            recorded=values.recorded[part],
            undefined=values.undefined[part],
        )
        ids = np.array([f"{row:032x}" for row in block.rows], "S32")
        own = measure_part(block, hash_ids(ids), metrics=specs, wanted=wanted)
        found = own if found is None else merge_parts(found, own, wanted=wanted)
    return found
