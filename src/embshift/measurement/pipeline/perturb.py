"""A picture becomes its views: the part of the line that workers do. Knows no encoder, imports no torch."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from jaxtyping import Float64

from embshift.core.errors import TransformError
from embshift.core.types import ORIGINAL, Coordinates, ImageRecord, Pixels, Transform, View, ViewKey, Views
from embshift.images import Decoded, Limits, decode, resize
from embshift.metrics.shared_gray import take_together
from embshift.transforms.build import perturb, pixels_digest
from embshift.transforms.gpu import DraftedView
from embshift.transforms.parameters import jsonable
from embshift.transforms.strength import level_of

__all__ = [
    "AlignedMetric",
    "Attempt",
    "Drawn",
    "Item",
    "Perturbed",
    "PixelMetric",
    "Recipe",
    "Values",
    "perturb_image",
    "pixel_values",
]

Values: TypeAlias = dict[str, Float64[np.ndarray, " views"]]
"""By metric."""

PixelMetric = Callable[[Pixels, Views], Float64[np.ndarray, " views"]]
AlignedMetric = Callable[..., Float64[np.ndarray, " views"]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One row of the frozen listing: a record, whether it is in the metric sample, and its chunk."""

    record: ImageRecord
    sampled: bool
    chunk: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """What happens to every picture before the encoder.

    Attributes:
        limits: What a picture may ask for.
        size: Height and width after the resize, in pixels.
        rule: The resize rule.
        seed: The run's seed.
        draws: Repeats of every transform.
        transforms: The transforms by name, in order.
        metrics: The pixel metrics by name; taken for the metric sample.
        aligned: The metrics on pixels that take the maps of the views; for the metric sample.
        mapped: Whether the maps of the sample's views are kept for the metrics on encodings.
    """

    limits: Limits
    size: tuple[int, int]
    rule: str
    seed: int
    draws: int
    transforms: Mapping[str, Transform]
    metrics: Mapping[str, PixelMetric]
    aligned: Mapping[str, AlignedMetric] = field(default_factory=dict[str, AlignedMetric])
    mapped: bool = False

    @property
    def views(self) -> int:
        """Most views of one picture, the original among them."""
        return 1 + len(self.transforms) * self.draws


class Attempt(NamedTuple):
    """One view as tried, or the original: a row of ``embeddings``.

    A tuple, since each view has one, and a frozen class is sent and changed in several times the time.

    Attributes:
        transform: The transform's name, or "original".
        draw: The repeat.
        severity: Level 1-5; None where the plan asks for none.
        strength: In the transform's unit; None for one without strength.
        status: "ok", "transform_failed" or "non_finite".
        error: The reason in words; None for "ok".
        parameters: JSON of the values drawn.
        digest: `pixels_digest` of the view; None where it failed.
    """

    transform: str
    draw: int
    severity: int | None = None
    strength: float | None = None
    status: str = "ok"
    error: str | None = None
    parameters: str = "{}"
    digest: str | None = None


class Drawn(NamedTuple):
    """A view that is still to be made.

    Attributes:
        at: Its place among the picture's views that succeeded, the original being 0.
        target: Key of its device form.
        values: What the form's making half needs.
    """

    at: int
    target: str
    values: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Perturbed:
    """A picture with its views, ready for the encoder.

    Attributes:
        item: Its row of the listing.
        decoded: What was read, without its pixels; a status other than "ok" means that there are no views.
        attempts: The original first, then every transform and draw, also those that failed.
        pixels: The attempts that succeeded, in their order. What a worker made is lent: it stands until the
            next picture is taken from the stream that it came in.
        values: Pixel metrics of the views that succeeded (the original is not among them).
        coordinates: Their maps, None for those whose pixels stay; empty where no metric takes them.
        drawn: Views that are still to be made: until then the original stands in their places, they have no
            digest, and no pixel metric is taken of the picture.
        held: All views in the memory of a device, as a tensor; None where they stand in `pixels` alone.
    """

    item: Item
    decoded: Decoded
    attempts: tuple[Attempt, ...] = ()
    pixels: Views | None = None
    values: Mapping[str, Float64[np.ndarray, " rows"]]
    coordinates: Sequence[Coordinates | None] = ()
    drawn: tuple[Drawn, ...] = ()
    held: Any = None


def perturb_image(item: Item, /, *, recipe: Recipe, into: Views | None = None) -> Perturbed:
    """Read a picture, resize it, and make every view of it; what fails is a status, never an exception.

    Args:
        item: A row of the listing.
        recipe: What happens to it.
        into: Where the views are written, at least `Recipe.views` of them; newly made where None.
    """
    decoded = decode(item.record, limits=recipe.limits)
    if decoded.pixels is None:
        return Perturbed(item=item, decoded=decoded, values={})
    original = resize(decoded.pixels, size=recipe.size, rule=recipe.rule)
    attempts = [Attempt(transform=ORIGINAL, draw=0, digest=pixels_digest(original))]
    pixels, views = [original], list[View]()
    for attempt, view in _views(original, image_id=str(decoded.image_id), recipe=recipe):
        attempts.append(attempt)
        if view is not None:
            pixels.append(view.pixels)
            views.append(view)
    stacked = np.stack(pixels, out=None if into is None else into[: len(pixels)])
    maps = _maps(views) if item.sampled and (recipe.aligned or recipe.mapped) else ()
    drawn = tuple(_drawn(views))
    whole = item.sampled and not drawn
    return Perturbed(
        item=item,
        decoded=decoded._replace(pixels=None),
        attempts=tuple(attempts),
        pixels=stacked,
        values=pixel_values(original, stacked[1:], maps, recipe=recipe) if whole else {},
        coordinates=maps if recipe.mapped or drawn else (),
        drawn=drawn,
    )


def _drawn(views: Iterable[View]) -> Iterator[Drawn]:
    for at, view in enumerate(views, start=1):
        if isinstance(view, DraftedView):
            yield Drawn(at=at, target=view.target, values=view.values)


def _maps(views: Iterable[View]) -> tuple[Coordinates | None, ...]:
    return tuple(None if view.coordinates is None else view.coordinates() for view in views)


def pixel_values(
    original: Pixels, views: Views, maps: Sequence[Coordinates | None], *, recipe: Recipe
) -> Values:
    """The pixel metrics of a picture's views.

    Args:
        original: The untouched picture.
        views: Its views.
        maps: Their maps, for the metrics that take them.
        recipe: What holds the metrics.
    """
    return take_together(recipe.metrics, original, views) | {
        name: metric(original, views, coordinates=maps) for name, metric in recipe.aligned.items()
    }


def _views(original: Pixels, *, image_id: str, recipe: Recipe) -> Iterator[tuple[Attempt, View | None]]:
    for name, transform in recipe.transforms.items():
        for draw in range(recipe.draws):
            key = ViewKey(run_seed=recipe.seed, image_id=image_id, transform=name, draw=draw)
            yield _view(original, transform, key)


def _view(original: Pixels, transform: Transform, key: ViewKey) -> tuple[Attempt, View | None]:
    level = level_of(transform)
    attempt = Attempt(
        transform=key.transform, draw=key.draw, severity=level.severity, strength=level.strength
    )
    try:
        view = perturb(original, transform, key=key)
    except TransformError as error:
        return attempt._replace(status="transform_failed", error=str(error)), None
    parameters = json.dumps(jsonable(view.parameters), sort_keys=True)
    digest = None if isinstance(view, DraftedView) else pixels_digest(view.pixels)
    return attempt._replace(parameters=parameters, digest=digest), view
