"""Views that workers drew become pixels, on the encoder's device: the second half of ``--views gpu``.

Some pictures go together. What is made of one does not depend on the others.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import replace
from typing import Any, TypeAlias

import numpy as np
import torch
from jaxtyping import Float64, UInt8

from embshift.metrics.on_device import DEVICE_METRICS
from embshift.perturbing import Attempt, Drawn, Perturbed, Recipe, pixel_values
from embshift.transforms.building import pixels_digest
from embshift.transforms.on_device import maker
from embshift.uploads import moved

__all__ = ["finish_views"]

_HASHING = 4  # threads: a digest takes a millisecond of a processor, and no turn of the interpreter's

_Made: TypeAlias = UInt8[torch.Tensor, "height width 3"] | str
"""A view on the device; or why it could not be made."""


def finish_views(
    stream: Iterable[Perturbed], /, *, recipe: Recipe, device: str, pictures: int
) -> Iterator[Perturbed]:
    """Pictures whose views are all made, measured and hashed, in order.

    Args:
        stream: Pictures, some of whose views are only drawn. What a worker lends is copied.
        recipe: What holds the pixel metrics.
        device: Where views are made, as torch spells it.
        pictures: How many go together.

    Yields:
        The same pictures. A view that cannot be made is an attempt with the status "transform_failed".
    """
    with ThreadPoolExecutor(_HASHING, thread_name_prefix="embshift-digest") as hashing:
        group = list[Perturbed]()
        for one in stream:
            group.append(one if one.pixels is None else replace(one, pixels=one.pixels.copy()))
            if len(group) == pictures:
                yield from _finished(group, recipe=recipe, device=device, hashing=hashing)
                group = []
        yield from _finished(group, recipe=recipe, device=device, hashing=hashing)


def _finished(
    group: Sequence[Perturbed], *, recipe: Recipe, device: str, hashing: Executor
) -> list[Perturbed]:
    places = [at for at, one in enumerate(group) if one.drawn]
    if not places:
        return list(group)
    originals = moved(torch.from_numpy(np.stack([_original(group[at]) for at in places])), device=device)
    made = _made([group[at].drawn for at in places], originals)
    whole = [
        _whole(group[at], made[place], device=device, hashing=hashing) for place, at in enumerate(places)
    ]
    done = dict(zip(places, _measured(whole, recipe=recipe, device=device), strict=True))
    return [done.get(at, one) for at, one in enumerate(group)]


def _original(one: Perturbed) -> Any:
    assert one.pixels is not None
    return one.pixels[0]


def _made(
    drawn: Sequence[Sequence[Drawn]], originals: UInt8[torch.Tensor, "pictures height width 3"]
) -> list[dict[int, _Made]]:
    """For each picture its views by their places; those of one transform are made together."""
    jobs = defaultdict[str, list[tuple[int, Drawn]]](list)
    for picture, each in enumerate(drawn):
        for one in each:
            jobs[one.target].append((picture, one))
    found = [dict[int, _Made]() for _ in drawn]
    for target, wanted in jobs.items():
        for (picture, one), view in zip(wanted, _together(target, wanted, originals), strict=True):
            found[picture][one.at] = view
    return found


def _together(
    target: str,
    wanted: Sequence[tuple[int, Drawn]],
    originals: UInt8[torch.Tensor, "pictures height width 3"],
) -> list[_Made]:
    """Views of one transform; where one fails, each is tried by itself, and the others stand."""
    try:
        views = maker(target)(
            originals[[picture for picture, _ in wanted]], [one.values for _, one in wanted]
        )
        if views.shape != (len(wanted), *originals.shape[1:]) or views.dtype != torch.uint8:
            raise ValueError(f"it gave {tuple(views.shape)} of {views.dtype}")
    except torch.OutOfMemoryError:
        raise
    except Exception as error:  # noqa: BLE001 - whatever a making half of the user's raises
        if len(wanted) == 1:
            return [f"failed on the device: {type(error).__name__}: {error}"]
        return [view for one in wanted for view in _together(target, [one], originals)]
    return list(views)


def _whole(one: Perturbed, made: Mapping[int, _Made], *, device: str, hashing: Executor) -> Perturbed:
    """The picture with its views in place, without those that could not be made."""
    assert one.pixels is not None
    views: list[_Made] = [
        made[at] if at in made else moved(torch.from_numpy(one.pixels[at]), device=device)
        for at in range(len(one.pixels))
    ]
    kept = [at for at, view in enumerate(views) if not isinstance(view, str)]
    held = torch.stack([view for view in views if not isinstance(view, str)])
    pixels = held.cpu().numpy()
    digests = dict(zip(kept, hashing.map(pixels_digest, pixels), strict=True))
    return replace(
        one,
        attempts=_told(one.attempts, views, digests),
        pixels=pixels,
        coordinates=tuple(one.coordinates[at - 1] for at in kept[1:]) if one.coordinates else (),
        drawn=(),
        held=None if torch.device(device).type == "cpu" else held,
    )


def _told(
    attempts: Sequence[Attempt], views: Sequence[_Made], digests: Mapping[int, str]
) -> tuple[Attempt, ...]:
    found, places = list[Attempt](), iter(range(len(views)))
    for attempt in attempts:
        at = next(places) if attempt.status == "ok" else None
        if at is None:
            found.append(attempt)
        elif isinstance(views[at], str):
            error = f"transform '{attempt.transform}': {views[at]}"
            found.append(replace(attempt, status="transform_failed", error=error))
        else:
            found.append(replace(attempt, digest=digests[at]))
    return tuple(found)


def _measured(group: Sequence[Perturbed], *, recipe: Recipe, device: str) -> list[Perturbed]:
    """The pixel metrics of the sample: on the device where they have a form there, else here."""
    sampled = [at for at, one in enumerate(group) if one.item.sampled]
    values = dict(zip(sampled, _values([group[at] for at in sampled], recipe, device), strict=True))
    return [
        replace(one, values=values.get(at, {}), coordinates=one.coordinates if recipe.mapped else ())
        for at, one in enumerate(group)
    ]


def _values(
    group: Sequence[Perturbed], recipe: Recipe, device: str
) -> list[dict[str, Float64[np.ndarray, " views"]]]:
    there = [
        name for name in recipe.metrics if name in DEVICE_METRICS and DEVICE_METRICS[name].fits(*recipe.size)
    ]
    here = replace(
        recipe, metrics={name: metric for name, metric in recipe.metrics.items() if name not in there}
    )
    found = [dict[str, Float64[np.ndarray, " views"]]() for _ in group]
    if there and group:
        held = [_on_device(one, device) for one in group]
        counts = [len(views) - 1 for views in held]
        originals, views = torch.stack([one[0] for one in held]), torch.cat([one[1:] for one in held])
        owners = torch.repeat_interleave(torch.arange(len(held)), torch.tensor(counts)).to(views.device)
        ends = np.cumsum(counts)[:-1]
        for name in there:
            column = _column(name, originals, views, owners, size=recipe.size)
            for at, part in enumerate(np.split(column, ends)):
                found[at][name] = part
    for at, one in enumerate(group):
        pixels = one.pixels
        assert pixels is not None
        found[at] |= pixel_values(pixels[0], pixels[1:], one.coordinates, recipe=here)
    return found


def _on_device(one: Perturbed, device: str) -> UInt8[torch.Tensor, "views height width 3"]:
    return moved(torch.from_numpy(one.pixels), device=device) if one.held is None else one.held


def _column(
    name: str, originals: Any, views: Any, owners: Any, *, size: tuple[int, int]
) -> Float64[np.ndarray, " views"]:
    metric = DEVICE_METRICS[name]
    sums = {key: each.cpu().numpy() for key, each in metric.measure(originals, views, owners).items()}
    with np.errstate(divide="ignore", invalid="ignore"):  # undefined is NaN, as the metric documents
        return metric.finish(sums, height=size[0], width=size[1])
