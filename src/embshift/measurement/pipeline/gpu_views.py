"""Views that workers drew become pixels, on the encoder's device: the second half of ``--views gpu``.

Some pictures go together. What is made of one does not depend on the others. A GPU makes the views of the
next group, and threads hash those of the last, while this thread hands views to the encoder.
"""

from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
import torch
from jaxtyping import Int64, UInt8

from embshift.core.device_copy import beside, fetched, marked, moved
from embshift.core.types import Views
from embshift.measurement.pipeline.perturb import Attempt, Drawn, Perturbed, Recipe, Values, pixel_values
from embshift.metrics.gpu import DEVICE_METRICS
from embshift.transforms.build import pixels_digest
from embshift.transforms.gpu import Drafting, maker

__all__ = ["finish_views"]

_HASHING = 8  # threads: a digest takes a tenth of a millisecond, and no turn of the interpreter's
_AHEAD = 2  # groups that are being made and hashed while one is encoded

Held: TypeAlias = UInt8[torch.Tensor, "views height width 3"]


def finish_views(
    stream: Iterable[Perturbed], /, *, recipe: Recipe, device: str, pictures: int
) -> Iterator[Perturbed]:
    """Pictures whose views are all made, measured and hashed, in order.

    Args:
        stream: Pictures, some of whose views are only drawn. What a worker lends is copied.
        recipe: What holds the pixel metrics. Where it draws nothing, the stream is passed on as it is.
        device: Where views are made, as torch spells it.
        pictures: How many go together.

    Yields:
        The same pictures. A view that cannot be made is an attempt with the status "transform_failed".
    """
    if not any(isinstance(transform, Drafting) for transform in recipe.transforms.values()):
        yield from stream
        return
    filling, making = beside(device), deque[_Making]()
    with ThreadPoolExecutor(_HASHING, thread_name_prefix="embshift-digest") as hashing:
        for group in _grouped(stream, pictures):
            with filling():
                making.append(_start(group, recipe=recipe, device=device, hashing=hashing))
            if len(making) > _AHEAD:
                yield from _finished(making.popleft(), recipe=recipe)
        for each in making:
            yield from _finished(each, recipe=recipe)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Taken:
    """A picture as it came, without what the worker lent.

    Attributes:
        perturbed: Without pixels.
        count: Its views, the original among them.
        here: Places of those that are made.
        pixels: Those.
    """

    perturbed: Perturbed
    count: int
    here: Int64[np.ndarray, " made"]
    pixels: Views | None


def _grouped(stream: Iterable[Perturbed], pictures: int) -> Iterator[list[_Taken]]:
    group = list[_Taken]()
    for one in stream:
        group.append(_taken(one))
        if len(group) == pictures:
            yield group
            group = []
    if group:
        yield group


def _taken(one: Perturbed) -> _Taken:
    bare = replace(one, pixels=None)
    if one.pixels is None:
        return _Taken(perturbed=bare, count=0, here=np.empty(0, np.int64), pixels=None)
    made = np.ones(len(one.pixels), bool)
    made[[each.at for each in one.drawn]] = False
    return _Taken(perturbed=bare, count=len(made), here=np.flatnonzero(made), pixels=one.pixels[made])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Making:
    """A group whose views are being made.

    Attributes:
        group: Its pictures.
        starts: Where each picture's views begin.
        held: All views on the device; None where there are none, or the device is main memory.
        pixels: All views in main memory, once they are there.
        failed: Why a view could not be made, by its place among all.
        measured: Waits for the pixel metrics that are taken on the device, of every picture.
        digests: Of every picture's views.
    """

    group: Sequence[_Taken]
    starts: Sequence[int]
    held: Held | None
    pixels: Views
    failed: Mapping[int, str]
    measured: Callable[[], list[Values]]
    digests: Sequence[Future[list[str]]]


def _start(group: Sequence[_Taken], *, recipe: Recipe, device: str, hashing: Executor) -> _Making:
    """Queue all that the device does for a group, and have the threads wait for it."""
    counts = np.array([one.count for one in group])
    starts = np.cumsum(counts) - counts
    held, failed = _made(group, starts, size=recipe.size, device=device)
    measured = _measured(group, starts, held, recipe=recipe)
    pixels = fetched(held).numpy()
    wait = marked(device)

    def digests(start: int, count: int) -> list[str]:
        wait()
        return [pixels_digest(view) for view in pixels[start : start + count]]

    places = list(zip(starts.tolist(), counts.tolist(), strict=True))
    return _Making(
        group=group,
        starts=starts.tolist(),
        held=None if torch.device(device).type == "cpu" else held,
        pixels=pixels,
        failed=failed,
        measured=measured,
        digests=[hashing.submit(digests, start, count) for start, count in places],
    )


def _made(
    group: Sequence[_Taken], starts: Int64[np.ndarray, " pictures"], *, size: tuple[int, int], device: str
) -> tuple[Held, dict[int, str]]:
    """All views of the group, on the device, and which of them could not be made."""
    parts = [one.pixels for one in group if one.pixels is not None]
    if not parts:
        return moved(torch.empty((0, *size, 3), dtype=torch.uint8), device=device), {}
    here = np.concatenate([start + one.here for start, one in zip(starts, group, strict=True)])
    given = moved(torch.from_numpy(np.concatenate(parts)), device=device)
    held = given.new_empty((sum(one.count for one in group), *size, 3))
    held[_index(here, held)] = given
    jobs, failed = defaultdict[str, list[tuple[int, Drawn]]](list), dict[int, str]()
    for start, one in zip(starts.tolist(), group, strict=True):
        for each in one.perturbed.drawn:
            jobs[each.target].append((start, each))
    for target, wanted in jobs.items():
        failed |= _together(target, wanted, held)
    return held, failed


def _index(places: Sequence[int] | Int64[np.ndarray, " places"], like: torch.Tensor) -> torch.Tensor:
    return moved(torch.as_tensor(np.asarray(places, np.int64)), device=str(like.device))


def _together(target: str, wanted: Sequence[tuple[int, Drawn]], held: Held) -> dict[int, str]:
    """Make views of one transform; where one fails, each is tried by itself, and the others stand.

    Args:
        target: Key of the device form.
        wanted: Where a picture's views begin, and the view.
        held: Takes the views; has the originals.

    Returns:
        Why a view could not be made, by its place.
    """
    originals, views = ([start for start, _ in wanted], [start + one.at for start, one in wanted])
    try:
        made = maker(target)(held[_index(originals, held)], [one.values for _, one in wanted])
        if made.shape != (len(wanted), *held.shape[1:]) or made.dtype != torch.uint8:
            raise ValueError(f"it gave {tuple(made.shape)} of {made.dtype}")
        held[_index(views, held)] = made
        return {}
    except torch.OutOfMemoryError:
        if len(wanted) == 1:
            raise
        parts = [wanted[: len(wanted) // 2], wanted[len(wanted) // 2 :]]
    except Exception as error:  # noqa: BLE001 - whatever a making half of the user's raises
        if len(wanted) == 1:
            held[views[0]] = 0
            return {views[0]: f"failed on the device: {type(error).__name__}: {error}"}
        parts = [[one] for one in wanted]
    return {place: reason for part in parts for place, reason in _together(target, part, held).items()}


def _measured(
    group: Sequence[_Taken], starts: Int64[np.ndarray, " pictures"], held: Held, *, recipe: Recipe
) -> Callable[[], list[Values]]:
    """Queue the pixel metrics that have a form on the device, of the sample's pictures."""
    metrics = {name: DEVICE_METRICS[name] for name in _there(recipe)}
    places = [at for at, one in enumerate(group) if one.perturbed.item.sampled and one.count > 1]
    if not metrics or not places:
        return lambda: [{} for _ in group]
    counts = [group[at].count - 1 for at in places]
    rows = np.concatenate([np.arange(1, group[at].count) + starts[at] for at in places])
    originals, views = held[_index(starts[places], held)], held[_index(rows, held)]
    owners = _index(np.repeat(np.arange(len(places)), counts), held)
    sums = {
        name: {key: fetched(each) for key, each in metric.measure(originals, views, owners).items()}
        for name, metric in metrics.items()
    }
    wait, (height, width) = marked(str(held.device)), recipe.size

    def finish() -> list[Values]:
        wait()
        found = [Values() for _ in group]
        for name, metric in metrics.items():
            whole = {key: each.numpy() for key, each in sums[name].items()}
            with np.errstate(divide="ignore", invalid="ignore"):  # undefined is NaN, as the metric documents
                column = metric.finish(whole, height=height, width=width)
            for at, part in zip(places, np.split(column, np.cumsum(counts)[:-1]), strict=True):
                found[at][name] = part
        return found

    return finish


def _there(recipe: Recipe) -> list[str]:
    """Pixel metrics that are taken on the device."""
    return [
        name for name in recipe.metrics if name in DEVICE_METRICS and DEVICE_METRICS[name].fits(*recipe.size)
    ]


def _finished(making: _Making, *, recipe: Recipe) -> Iterator[Perturbed]:
    there = _there(recipe)
    here = replace(recipe, metrics={n: metric for n, metric in recipe.metrics.items() if n not in there})
    digests, values = [each.result() for each in making.digests], making.measured()
    if making.held is not None and making.held.is_cuda:
        # Made beside the queue that now reads it: its memory is free when that is through, too.
        making.held.record_stream(torch.cuda.current_stream())
    for one, start, hashed, measured in zip(making.group, making.starts, digests, values, strict=True):
        yield _whole(one, start, hashed, measured, making=making, recipe=here) if one.count else one.perturbed


def _whole(
    one: _Taken, start: int, digests: Sequence[str], values: Values, *, making: _Making, recipe: Recipe
) -> Perturbed:
    """The picture with its views in place, without those that could not be made."""
    failed = {at: making.failed[start + at] for at in range(one.count) if start + at in making.failed}
    pixels = making.pixels[start : start + one.count]
    held = None if making.held is None else making.held[start : start + one.count]
    maps = one.perturbed.coordinates
    if failed:
        kept = [at for at in range(one.count) if at not in failed]
        pixels, held = pixels[kept], None if held is None else held[kept]
        values = {name: column[[at - 1 for at in kept[1:]]] for name, column in values.items()}
        maps = tuple(maps[at - 1] for at in kept[1:]) if maps else ()
    if one.perturbed.item.sampled:
        values = values | pixel_values(pixels[0], pixels[1:], maps, recipe=recipe)
    return replace(
        one.perturbed,
        attempts=_told(one.perturbed.attempts, failed, digests),
        pixels=pixels,
        values=values,
        coordinates=maps if recipe.mapped else (),
        drawn=(),
        held=held,
    )


def _told(
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
