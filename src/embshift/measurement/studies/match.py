"""Match: strengths around equal damage, measured on all images to rank transforms by cross-fitting."""

import math
from collections.abc import Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any, Unpack

from embshift.analysis.strength.solved import DISPLACEMENT, SSIM, Solved, SolvedLevel
from embshift.core.errors import PlanError, SourceError
from embshift.core.progress import Reporter, Silent
from embshift.core.remote import allow_private_addresses, grant_sources
from embshift.core.seeding import make_generator
from embshift.core.types import ImageRecord
from embshift.core.words import count_noun
from embshift.images import decode, list_sources, resize
from embshift.images.objects import expand_source
from embshift.measurement.plan.objects import name_objects
from embshift.measurement.plan.options import PlanOptions
from embshift.measurement.plan.plan import Plan, make_plan
from embshift.measurement.session.carry_out import carry_out, default_folder
from embshift.measurement.studies.solve import DamagedImage, choose_damage, solve
from embshift.measurement.studies.sweep import check_keeping, chosen_transforms
from embshift.runs.addresses import output_run
from embshift.runs.record import MATCH, write_record_file
from embshift.show.run import Run
from embshift.transforms.presets import TransformPlan, load_preset
from embshift.transforms.strength import make_levelled_plan

__all__ = ["DISPLACEMENTS", "SSIMS", "measure_matched"]

SSIMS = (0.9, 0.7, 0.5)
"""Structural similarities at which transforms that move no pixels are compared."""

DISPLACEMENTS = (4.0, 10.0, 20.0)
"""Mean pixel displacements, in pixels, at which transforms that move pixels are compared."""

_MOST = 256
"""Images whose damage is measured: the mean of more hardly differs."""


def measure_matched(
    source: Any,
    /,
    *,
    transforms: Sequence[str] | None = None,
    ssim: Sequence[float] | None = None,
    displacement: Sequence[float] | None = None,
    out: str | Path | None = None,
    allow_private: bool = False,
    reporter: Reporter | None = None,
    **options: Unpack[PlanOptions],
) -> Run:
    """Measure transforms at strengths of equal damage; ``run.matched()`` ranks them.

    Every transform is measured on all images, at strengths around those that do the wanted damage. The damage
    is measured on at most 256 images. What the run compares are shifts at the very damage: for each half of
    the images at the strength that the other half gives.

    Args:
        source: As for `embshift.measure`, at least two images.
        transforms: Registered transforms with a strength; "all" for every one, None for the paper's eight.
        ssim: Mean structural similarities; 0.9, 0.7 and 0.5 where None.
        displacement: Mean pixel displacements, in pixels; 4, 10 and 20 where None.
        out: The run folder; ``runs/<time>-<encoder>`` where None.
        allow_private: Whether images may be at web addresses in private networks and on this machine.
        reporter: Who is told about the progress; nobody where None.
        **options: Fields of `Plan`.

    Returns:
        The run, opened for reading.

    Raises:
        SourceError: If there are fewer than two usable images.
        UsageError: If an option or the run folder does not fit.

    Example:
        >>> run = measure_matched("photos/", transforms=["blur", "noise"])  # doctest: +SKIP
        >>> run.matched().groups[0].rows[0].transform  # doctest: +SKIP
    """
    progress = reporter or Silent()
    sources = expand_source(source)
    values, encoder = name_objects(options)
    check_keeping(values, what="embshift match")
    metrics = values.pop("metrics", None) or ("cosine",)
    plan = make_plan(metrics=metrics, **values)
    targets = _check_targets(ssim=ssim or SSIMS, displacement=displacement or DISPLACEMENTS)
    chosen = chosen_transforms(transforms)
    with allow_private_addresses(allow_private), grant_sources():
        images = _read_images(_shuffle(list_sources(sources)[: plan.limit], seed=plan.seed), plan)
    progress.note(
        f"solving the strengths of {count_noun(len(chosen), 'transform')}"
        f" on {count_noun(len(images), 'image')}"
    )
    solved = _solve_all(chosen, images, targets=targets, plan=plan, reporter=progress)
    levels = [_plan_level(each, level) for each in solved for level in each.levels]
    if not levels:
        raise SourceError("no transform reaches any of the targets on these images; ask for milder ones")
    named = tuple(str(one) if isinstance(one, (str, Path)) else "memory" for one in sources)
    plan = replace(plan, sources=named, transforms=(*levels, *_list_unmatched(chosen)))
    folder = default_folder(plan) if out is None else output_run(out)
    with allow_private_addresses(allow_private):
        run = carry_out(plan, sources=sources, encoder=encoder, out=folder, reporter=progress)
    found = {
        "fingerprint": run.info["fingerprint"],
        "images": [one.image_id for one in images],
        "solved": [_content(each) for each in solved],
    }
    write_record_file(folder, found, name=MATCH)
    return run


def _shuffle(records: Sequence[ImageRecord], *, seed: int) -> list[ImageRecord]:
    """Return the listing in an order given by seed and length alone.

    Raises:
        SourceError: If there are fewer than two images.
    """
    if len(records) < 2:
        found = count_noun(len(records), "image")
        raise SourceError(f"{found} found; matching needs at least 2, one for each half")
    order = make_generator(seed, "match").permutation(len(records)).tolist()
    return [records[at] for at in order]


def _list_unmatched(chosen: Sequence[str]) -> tuple[TransformPlan, ...]:
    """Return those of the chosen transforms that the preset "paper" has, for the unmatched order."""
    return tuple(each for each in load_preset("paper").transforms if each.name in chosen)


def _check_targets(*, ssim: Sequence[float], displacement: Sequence[float]) -> dict[str, Sequence[float]]:
    for value in ssim:
        if not 0 < value < 1:
            raise PlanError(f"ssim is {value:g}; expected similarities above 0 and below 1, e.g. 0.7")
    for value in displacement:
        if not 0 < value < math.inf:
            raise PlanError(f"displacement is {value:g}; expected more than 0 pixels, e.g. 10")
    return {SSIM: ssim, DISPLACEMENT: displacement}


def _content(solved: Solved) -> dict[str, Any]:
    levels = [asdict(one) | {"damage": [_known(each) for each in one.damage]} for one in solved.levels]
    return asdict(solved) | {"achieved": _known(solved.achieved), "levels": levels}


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value


def _solve_all(
    names: Sequence[str],
    images: Sequence[DamagedImage],
    *,
    targets: dict[str, Sequence[float]],
    plan: Plan,
    reporter: Reporter,
) -> list[Solved]:
    found = list[Solved]()
    for name in names:
        take = partial(solve, name, [one.pixels for one in images], seed=plan.seed)
        own = take(targets=targets[choose_damage(name)], ids=[one.image_id for one in images])
        for each in own:
            reached = each.why or f"strength {each.strength:.4g} gives {each.achieved:.4g}"
            reporter.note(f"{name} at {each.kind} {each.target:g}: {reached}")
        found += own
    return found


def _read_images(records: Sequence[ImageRecord], plan: Plan) -> list[DamagedImage]:
    """Read up to 256 different images as a run would see them; unreadable ones are skipped."""
    found = dict[str, DamagedImage]()
    for record in records:
        if len(found) >= _MOST:
            break
        decoded = decode(record, limits=plan.limits)
        if decoded.pixels is not None:
            pixels = resize(decoded.pixels, size=plan.image_size, rule=plan.resize)
            name = str(decoded.image_id)
            found.setdefault(name, DamagedImage(image_id=name, pixels=pixels))
    if not found:
        raise SourceError("no image can be read, so no strength can be solved")
    return list(found.values())


def _plan_level(solved: Solved, level: SolvedLevel) -> TransformPlan:
    label = level.name.removeprefix(f"{solved.transform}_")
    return make_levelled_plan(solved.transform, strength=level.strength, label=label)
