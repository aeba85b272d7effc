"""Render: views that workers drew become pixels on the encoder's device, for ``--views gpu``.

Several images are rendered together; what is made of one does not depend on the others. A GPU renders the
next group, and threads hash the last one, while this thread hands views to the encoder.
"""

from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TypeAlias, cast

import numpy as np
import torch
from jaxtyping import Int64, UInt8

from embshift.core.device_copy import copy_to_device, copy_to_host, open_second_queue, record_event
from embshift.core.types import Views
from embshift.measurement.pipeline.gpu_metrics import index_on, list_device_metrics, measure_on_device
from embshift.measurement.pipeline.perturb import (
    Attempt,
    Draft,
    Drafted,
    Perturbed,
    PixelValues,
    measure_pixels,
)
from embshift.measurement.pipeline.recipe import Recipe
from embshift.transforms.gpu import load_maker
from embshift.transforms.perturb import pixels_digest

__all__ = ["render_drafts"]

_HASHING = 8  # threads: a digest takes a tenth of a millisecond, and does not hold the interpreter's lock
_AHEAD = 2  # groups that are rendered and hashed while one is encoded

Held: TypeAlias = UInt8[torch.Tensor, "views height width 3"]


def render_drafts(
    stream: Iterable[Perturbed | Drafted], /, *, recipe: Recipe, device: str, images: int
) -> Iterator[Perturbed]:
    """Render, measure and hash the views that workers only drew; images stay in order.

    Args:
        stream: Images, some of whose views are drafts. What a worker lends is copied.
        recipe: What holds the pixel metrics. Where it drafts nothing, the stream is passed on as it is.
        device: Where views are rendered, as torch spells it.
        images: How many are rendered together.

    Yields:
        The same images with all of their views. A view that cannot be rendered is an attempt with the status
        "transform_failed".
    """
    if not recipe.drafts:
        yield from cast("Iterable[Perturbed]", stream)
        return
    filling, rendering = open_second_queue(device), deque[_Rendering]()
    with ThreadPoolExecutor(_HASHING, thread_name_prefix="embshift-digest") as hashing:
        for group in _group(stream, images):
            with filling():
                rendering.append(_start(group, recipe=recipe, device=device, hashing=hashing))
            if len(rendering) > _AHEAD:
                yield from _finish(rendering.popleft(), recipe=recipe)
        for each in rendering:
            yield from _finish(each, recipe=recipe)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Copied:
    """An image as it came, with its own copy of what the worker lent.

    Attributes:
        image: As it came; its pixels may no longer be read.
        count: Its views, the original included; 0 for an image that could not be read.
        here: Positions of those that are rendered already.
        pixels: Those.
    """

    image: Perturbed | Drafted
    count: int
    here: Int64[np.ndarray, " made"]
    pixels: Views | None

    @property
    def drafts(self) -> tuple[Draft, ...]:
        return self.image.drafts if isinstance(self.image, Drafted) else ()


def _group(stream: Iterable[Perturbed | Drafted], images: int) -> Iterator[list[_Copied]]:
    group = list[_Copied]()
    for one in stream:
        group.append(_copy(one))
        if len(group) == images:
            yield group
            group = []
    if group:
        yield group


def _copy(image: Perturbed | Drafted) -> _Copied:
    if isinstance(image, Perturbed):  # it could not be read
        return _Copied(image=image, count=0, here=np.empty(0, np.int64), pixels=None)
    made = np.ones(len(image.pixels), bool)
    made[[each.at for each in image.drafts]] = False
    return _Copied(image=image, count=len(made), here=np.flatnonzero(made), pixels=image.pixels[made])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Rendering:
    """A group whose views are being rendered.

    Attributes:
        group: Its images.
        starts: Where each image's views begin.
        held: All views on the device; None where there are none, or the device is main memory.
        pixels: All views in main memory, once they are there.
        failed: Why a view could not be rendered, by its position among all.
        measured: Waits for the pixel metrics that are computed on the device, of every image.
        digests: Of every image's views.
    """

    group: Sequence[_Copied]
    starts: Sequence[int]
    held: Held | None
    pixels: Views
    failed: Mapping[int, str]
    measured: Callable[[], list[PixelValues]]
    digests: Sequence[Future[list[str]]]


def _start(group: Sequence[_Copied], *, recipe: Recipe, device: str, hashing: Executor) -> _Rendering:
    """Queue all that the device does for a group, and have the threads wait for it."""
    counts = np.array([one.count for one in group])
    starts = np.cumsum(counts) - counts
    held, failed = _render(group, starts, size=recipe.size, device=device)
    sampled = np.array([one.image.listed.sampled for one in group], bool)
    measured = measure_on_device(held, starts=starts, counts=np.where(sampled, counts, 0), recipe=recipe)
    pixels = copy_to_host(held).numpy()
    wait = record_event(device)

    def hash_views(start: int, count: int) -> list[str]:
        wait()
        return [pixels_digest(view) for view in pixels[start : start + count]]

    places = list(zip(starts.tolist(), counts.tolist(), strict=True))
    return _Rendering(
        group=group,
        starts=starts.tolist(),
        held=None if torch.device(device).type == "cpu" else held,
        pixels=pixels,
        failed=failed,
        measured=measured,
        digests=[hashing.submit(hash_views, start, count) for start, count in places],
    )


def _render(
    group: Sequence[_Copied], starts: Int64[np.ndarray, " images"], *, size: tuple[int, int], device: str
) -> tuple[Held, dict[int, str]]:
    """Return all views of the group, on the device, and why some could not be rendered."""
    parts = [one.pixels for one in group if one.pixels is not None]
    if not parts:
        return copy_to_device(torch.empty((0, *size, 3), dtype=torch.uint8), device=device), {}
    here = np.concatenate([start + one.here for start, one in zip(starts, group, strict=True)])
    given = copy_to_device(torch.from_numpy(np.concatenate(parts)), device=device)
    held = given.new_empty((sum(one.count for one in group), *size, 3))
    held[index_on(held, here)] = given
    jobs, failed = defaultdict[str, list[tuple[int, Draft]]](list), dict[int, str]()
    for start, one in zip(starts.tolist(), group, strict=True):
        for each in one.drafts:
            jobs[each.target].append((start, each))
    for target, wanted in jobs.items():
        failed |= _render_transform(target, wanted, held)
    return held, failed


def _render_transform(target: str, wanted: Sequence[tuple[int, Draft]], held: Held) -> dict[int, str]:
    """Render views of one transform; where one fails, each is tried by itself, and the others stand.

    Args:
        target: Key of the device form.
        wanted: Where an image's views begin, and the view.
        held: Takes the views; has the originals.

    Returns:
        Why a view could not be rendered, by its position.
    """
    originals, views = ([start for start, _ in wanted], [start + one.at for start, one in wanted])
    try:
        made = load_maker(target)(held[index_on(held, originals)], [one.values for _, one in wanted])
        if made.shape != (len(wanted), *held.shape[1:]) or made.dtype != torch.uint8:
            raise ValueError(f"it gave {tuple(made.shape)} of {made.dtype}")
        held[index_on(held, views)] = made
        return {}
    except torch.OutOfMemoryError:
        if len(wanted) == 1:
            raise
        parts = [wanted[: len(wanted) // 2], wanted[len(wanted) // 2 :]]
    except Exception as error:  # noqa: BLE001 - whatever a user's kernel raises
        if len(wanted) == 1:
            held[views[0]] = 0
            return {views[0]: f"failed on the device: {type(error).__name__}: {error}"}
        parts = [[one] for one in wanted]
    return {
        place: reason for part in parts for place, reason in _render_transform(target, part, held).items()
    }


def _finish(rendering: _Rendering, *, recipe: Recipe) -> Iterator[Perturbed]:
    on_device = list_device_metrics(recipe)
    here = replace(recipe, metrics={n: metric for n, metric in recipe.metrics.items() if n not in on_device})
    digests, values = [each.result() for each in rendering.digests], rendering.measured()
    if rendering.held is not None and rendering.held.is_cuda:
        # Rendered beside the queue that now reads it: its memory is free when that is through, too.
        rendering.held.record_stream(torch.cuda.current_stream())
    for one, start, hashed, measured in zip(rendering.group, rendering.starts, digests, values, strict=True):
        if isinstance(one.image, Perturbed):
            yield one.image
        else:
            yield _complete(one.image, start, hashed, measured, rendering=rendering, recipe=here)


def _complete(
    image: Drafted,
    start: int,
    digests: Sequence[str],
    values: PixelValues,
    *,
    rendering: _Rendering,
    recipe: Recipe,
) -> Perturbed:
    """Return the image with its views in place, without those that could not be rendered."""
    count = len(digests)
    failed = {at: rendering.failed[start + at] for at in range(count) if start + at in rendering.failed}
    pixels = rendering.pixels[start : start + count]
    held = None if rendering.held is None else rendering.held[start : start + count]
    maps = image.coordinates
    if failed:
        kept = [at for at in range(count) if at not in failed]
        pixels, held = pixels[kept], None if held is None else held[kept]
        values = {name: column[[at - 1 for at in kept[1:]]] for name, column in values.items()}
        maps = tuple(maps[at - 1] for at in kept[1:]) if maps else ()
    if image.listed.sampled:
        values = values | measure_pixels(pixels[0], pixels[1:], maps, recipe=recipe)
    return Perturbed(
        listed=image.listed,
        decoded=image.decoded,
        attempts=_complete_attempts(image.attempts, failed, digests),
        pixels=pixels,
        values=values,
        coordinates=maps if recipe.mapped else (),
        held=held,
    )


def _complete_attempts(
    attempts: Sequence[Attempt], failed: Mapping[int, str], digests: Sequence[str]
) -> tuple[Attempt, ...]:
    found, places = list[Attempt](), iter(range(len(digests)))
    for attempt in attempts:
        at = next(places) if attempt.status == "ok" else None
        if at is None:
            found.append(attempt)
        elif at in failed:
            error = f"transform '{attempt.transform}': {failed[at]}"
            found.append(attempt._replace(status="transform_failed", error=error))
        else:
            found.append(attempt._replace(digest=digests[at]))
    return tuple(found)
