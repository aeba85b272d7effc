"""The floor of a service: how far its answers for the same image differ, measured when a run starts."""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from itertools import combinations, islice
from typing import Any

import numpy as np
from jaxtyping import Float32, Float64

from embshift.core.encoding import Encoder
from embshift.core.types import Capture, FrozenRow, Views
from embshift.core.words import count_noun
from embshift.encoders.open import find_trust
from embshift.measurement.pipeline.perturb import perturb_image
from embshift.measurement.pipeline.recipe import BuildRecipe, Recipe

__all__ = ["measure_floor"]

_IMAGES, _REPEATS = 8, 3


def measure_floor(
    encoder: Encoder,
    /,
    *,
    info: Mapping[str, Any] | None,
    rows: Iterable[FrozenRow],
    build: BuildRecipe,
    note: Callable[[str], None],
) -> dict[str, Any]:
    """Return what ``run.json`` records of a service's repeats, under "service"; empty for another encoder.

    The originals of the first images are sent three times, the second time in reverse, so that each has other
    neighbours. Recorded are the mean and maximum, over images and pairs of answers, of 1 − cosine.

    Args:
        encoder: The opened encoder.
        info: The content of ``run.json`` of a run that is continued, whose floor is kept; None for a new one.
        rows: The listing.
        build: Builds the run's recipe.
        note: Tells the user one line.

    Raises:
        EncoderError: If the service does not answer.
    """
    if find_trust(encoder.spec.name) != "remote":
        return {}
    if info is not None and "service" in info:
        return {"service": info["service"]}
    originals = _read_originals(rows, recipe=replace(build(), transforms={}, metrics={}, aligned={}))
    if originals is None:
        return {}
    answers = np.stack([_ask(encoder, originals, reverse=at % 2 == 1) for at in range(_REPEATS)])
    found = _compare(answers)
    note(_describe(found))
    return {"service": found}


def _read_originals(rows: Iterable[FrozenRow], *, recipe: Recipe) -> Views | None:
    """Return the first images that can be read, resized; None where there is none."""
    made = (perturb_image(replace(row, sampled=False), recipe=recipe).pixels for row in rows)
    found = list(islice((pixels[0] for pixels in made if pixels is not None), _IMAGES))
    return np.stack(found) if found else None


def _ask(encoder: Encoder, images: Views, *, reverse: bool) -> Float32[np.ndarray, "images dim"]:
    order = slice(None, None, -1 if reverse else 1)
    encoding = encoder.encode(np.ascontiguousarray(images[order]), capture=Capture.EMBEDDING)
    return encoding.embedding.numpy()[order]


def _compare(answers: Float32[np.ndarray, "repeats images dim"]) -> dict[str, Any]:
    shifts = np.stack([_shift(one, other) for one, other in combinations(answers.astype(np.float64), 2)])
    return {
        "images": answers.shape[1],
        "repeats": len(answers),
        "equal": all(one.tobytes() == answers[0].tobytes() for one in answers),
        "mean": _null_for_json(float(shifts.mean())),
        "max": _null_for_json(float(shifts.max())),
    }


def _shift(
    one: Float64[np.ndarray, "images dim"], other: Float64[np.ndarray, "images dim"]
) -> Float64[np.ndarray, " images"]:
    """Return 1 − cosine as half the squared distance of the directions, which is exactly 0 for equals."""
    with np.errstate(invalid="ignore", divide="ignore"):
        first, second = (each / np.linalg.norm(each, axis=1, keepdims=True) for each in (one, other))
        return ((first - second) ** 2).sum(axis=1) / 2


def _null_for_json(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _describe(found: Mapping[str, Any]) -> str:
    asked = f"{count_noun(found['images'], 'image')} asked {found['repeats']} times"
    if found["equal"]:
        return f"the service's answers for the same image are equal bit for bit ({asked})"
    most = "by values that are not finite" if found["max"] is None else f"by up to {found['max']:.2g}"
    return f"the service's answers for the same image differ {most} in 1 − cosine ({asked})"
