"""Transforms that a sentence leaves out since they have no value, and why they have none."""

import math
from collections.abc import Sequence

from embshift.analysis.embeddings.measures import Measured
from embshift.core.words import count_noun
from embshift.show.text.words import join_transforms

__all__ = ["defined_means", "name_left_out", "tell_left_out"]


def defined_means(found: Measured, measure: str) -> dict[str, float]:
    """Return the defined values of a measure, by transform."""
    means = {name: found.mean(name, measure) for name in found.transforms}
    return {name: mean for name, mean in means.items() if not math.isnan(mean)}


def tell_left_out(found: Measured, measure: str) -> str:
    """Return sentences, after a space, on the transforms without a value of a measure; empty for none."""
    without = {
        name: _count_undefined(found, name, measure)
        for name in found.transforms
        if math.isnan(found.mean(name, measure))
    }
    missing = [name for name, images in without.items() if not images]
    return name_left_out(missing, why="none of their views could be used") + "".join(
        name_left_out([name], why=f"undefined on {count_noun(images, 'image')}")
        for name, images in without.items()
        if images
    )


def _count_undefined(found: Measured, name: str, measure: str) -> int:
    """Return the images behind an undefined value; a value of all images at once counts them as its own."""
    at = found.transforms.index(name), found.column(measure)
    return max(found.count(name, measure), int(found.undefined[at]))


def name_left_out(names: Sequence[str], *, why: str) -> str:
    """Return a sentence, after a space, that names what is left out and why; empty for none."""
    return f" Left out: {join_transforms(names)} ({why})." if names else ""
