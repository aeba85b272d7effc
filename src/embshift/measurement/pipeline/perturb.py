"""Perturb: an image becomes its views. Workers run this stage; it knows no encoder and imports no torch."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from jaxtyping import Float64

from embshift.core.errors import TransformError
from embshift.core.types import ORIGINAL, Coordinates, FrozenRow, Pixels, Transform, View, ViewKey, Views
from embshift.images import Decoded, decode, hash_pixels, resize
from embshift.measurement.pipeline.recipe import Recipe
from embshift.metrics.shared_gray import compute_pixel_metrics
from embshift.transforms.gpu import DraftedView
from embshift.transforms.parameters import to_json_value
from embshift.transforms.perturb import perturb, pixels_digest
from embshift.transforms.strength import find_level

__all__ = [
    "Attempt",
    "Draft",
    "Drafted",
    "Perturbed",
    "PixelValues",
    "draft_image",
    "measure_pixels",
    "perturb_image",
    "perturb_or_draft",
]

PixelValues: TypeAlias = dict[str, Float64[np.ndarray, " views"]]
"""Values of the pixel metrics, by metric."""


class Attempt(NamedTuple):
    """One view as tried, or the original: a row of ``embeddings``.

    A tuple, since each view has one, and a frozen class is sent and changed in several times the time.

    Attributes:
        transform: The transform's name, or "original".
        draw: The repeat.
        severity: Level 1-5; None where the plan asks for none.
        strength: In the transform's unit; None for one without strength.
        status: "ok", "transform_failed", "non_finite" or "no_embedding".
        error: The reason in words; None for "ok".
        parameters: JSON of the values drawn.
        digest: `pixels_digest` of the view; None where it failed or is not rendered yet.
    """

    transform: str
    draw: int
    severity: int | None = None
    strength: float | None = None
    status: str = "ok"
    error: str | None = None
    parameters: str = "{}"
    digest: str | None = None


class Draft(NamedTuple):
    """A view that is drawn and not rendered yet.

    Attributes:
        at: Its position among the image's views that succeeded, the original being 0.
        target: Key of its device form.
        values: What rendering it needs.
    """

    at: int
    target: str
    values: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Perturbed:
    """An image with all of its views, ready for the encoder.

    Attributes:
        listed: Its row of the listing.
        decoded: What was read, without its pixels; a status other than "ok" means that there are no views.
        attempts: The original first, then every transform and draw, also those that failed.
        pixels: The attempts that succeeded, in their order; None where the image could not be read. What a
            worker made is lent: it stands until the next image is taken from the stream that it came in.
        values: Pixel metrics of the views that succeeded (the original is not among them).
        coordinates: Coordinate maps of those views, None for one whose pixels stay; empty where no metric
            takes them.
        held: All views in the memory of a device, as a tensor; None where they are in `pixels` alone.
    """

    listed: FrozenRow
    decoded: Decoded
    attempts: tuple[Attempt, ...] = ()
    pixels: Views | None = None
    values: Mapping[str, Float64[np.ndarray, " rows"]]
    coordinates: Sequence[Coordinates | None] = ()
    held: Any = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Drafted:
    """An image, some of whose views are still to be rendered on the encoder's device.

    Attributes:
        listed: Its row of the listing.
        decoded: What was read, without its pixels.
        attempts: As in `Perturbed`; a view that is not rendered yet has no digest.
        pixels: The attempts that succeeded, in their order; the original stands in for a view that is not
            rendered yet. Lent, as in `Perturbed`.
        coordinates: Coordinate maps of the views that succeeded; empty where no metric takes them.
        drafts: The views that are not rendered yet.
    """

    listed: FrozenRow
    decoded: Decoded
    attempts: tuple[Attempt, ...]
    pixels: Views
    coordinates: Sequence[Coordinates | None]
    drafts: tuple[Draft, ...]


def perturb_or_draft(
    listed: FrozenRow, /, *, recipe: Recipe, into: Views | None = None
) -> Perturbed | Drafted:
    """Run `draft_image` where the recipe drafts views, and `perturb_image` elsewhere."""
    return (draft_image if recipe.drafts else perturb_image)(listed, recipe=recipe, into=into)


def perturb_image(listed: FrozenRow, /, *, recipe: Recipe, into: Views | None = None) -> Perturbed:
    """Read an image, resize it, and make every view of it; what fails is a status, never an exception.

    Args:
        listed: A row of the listing.
        recipe: What happens to the image; one that drafts no views.
        into: Where the views are written, at least `Recipe.views` of them; newly allocated where None.
    """
    made = _make_views(listed, recipe=recipe, into=into)
    if isinstance(made, Decoded):
        return Perturbed(listed=listed, decoded=made, values={})
    maps, pixels = made.coordinates, made.pixels
    return Perturbed(
        listed=listed,
        decoded=made.decoded,
        attempts=made.attempts,
        pixels=pixels,
        values=measure_pixels(pixels[0], pixels[1:], maps, recipe=recipe) if listed.sampled else {},
        coordinates=maps if recipe.mapped else (),
    )


def draft_image(listed: FrozenRow, /, *, recipe: Recipe, into: Views | None = None) -> Perturbed | Drafted:
    """Read an image, resize it, and draw every view of it; what can only be rendered here is rendered.

    Args:
        listed: A row of the listing.
        recipe: What happens to the image.
        into: Where the views are written, as in `perturb_image`.

    Returns:
        The image with its drafts; a `Perturbed` without views where it could not be read.
    """
    made = _make_views(listed, recipe=recipe, into=into)
    return Perturbed(listed=listed, decoded=made, values={}) if isinstance(made, Decoded) else made


def measure_pixels(
    original: Pixels, views: Views, maps: Sequence[Coordinates | None], *, recipe: Recipe
) -> PixelValues:
    """Compute the pixel metrics of an image's views.

    Args:
        original: The untouched image.
        views: Its views.
        maps: Their coordinate maps, for the metrics that take them.
        recipe: What holds the metrics.

    Returns:
        One float64 value for each metric and view; NaN where a metric is undefined.
    """
    return compute_pixel_metrics(recipe.metrics, original, views) | {
        name: metric(original, views, coordinates=maps) for name, metric in recipe.aligned.items()
    }


def _make_views(listed: FrozenRow, *, recipe: Recipe, into: Views | None) -> Drafted | Decoded:
    """Make, draw or read every view of an image; `Decoded` alone where the image cannot be read."""
    if recipe.stored is not None:
        return _place(recipe.stored(listed), into)
    decoded = decode(listed.record, limits=recipe.limits, read=recipe.read)
    if decoded.pixels is None:
        return decoded
    original = resize(decoded.pixels, size=recipe.size, rule=recipe.rule)
    attempts = [Attempt(transform=ORIGINAL, draw=0, digest=pixels_digest(original))]
    pixels, views = [original], list[View]()
    for attempt, view in _try_transforms(original, image_id=str(decoded.image_id), recipe=recipe):
        attempts.append(attempt)
        if view is not None:
            pixels.append(view.pixels)
            views.append(view)
    return Drafted(
        listed=listed,
        decoded=decoded._replace(pixels=None, perceptual_hash=hash_pixels(original)),
        attempts=tuple(attempts),
        pixels=np.stack(pixels, out=None if into is None else into[: len(pixels)]),
        coordinates=_map_views(views) if listed.sampled and (recipe.aligned or recipe.mapped) else (),
        drafts=tuple(_list_drafts(views)),
    )


def _place(stored: Drafted | Decoded, into: Views | None) -> Drafted | Decoded:
    """Return stored views, copied to where they are expected."""
    if isinstance(stored, Decoded) or into is None:
        return stored
    return replace(stored, pixels=np.stack(list(stored.pixels), out=into[: len(stored.pixels)]))


def _list_drafts(views: Iterable[View]) -> Iterator[Draft]:
    for at, view in enumerate(views, start=1):
        if isinstance(view, DraftedView):
            yield Draft(at=at, target=view.target, values=view.values)


def _map_views(views: Iterable[View]) -> tuple[Coordinates | None, ...]:
    return tuple(None if view.coordinates is None else view.coordinates() for view in views)


def _try_transforms(
    original: Pixels, *, image_id: str, recipe: Recipe
) -> Iterator[tuple[Attempt, View | None]]:
    for name, transform in recipe.transforms.items():
        for draw in range(recipe.draws):
            key = ViewKey(run_seed=recipe.seed, image_id=image_id, transform=name, draw=draw)
            yield _try_transform(original, transform, key)


def _try_transform(original: Pixels, transform: Transform, key: ViewKey) -> tuple[Attempt, View | None]:
    level = find_level(transform)
    attempt = Attempt(
        transform=key.transform, draw=key.draw, severity=level.severity, strength=level.strength
    )
    try:
        view = perturb(original, transform, key=key)
    except TransformError as error:
        return attempt._replace(status="transform_failed", error=str(error)), None
    parameters = json.dumps(to_json_value(view.parameters), sort_keys=True)
    digest = None if isinstance(view, DraftedView) else pixels_digest(view.pixels)
    return attempt._replace(parameters=parameters, digest=digest), view
