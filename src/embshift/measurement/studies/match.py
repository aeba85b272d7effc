"""Match: strengths of equal damage, solved on one half of the images to rank transforms on the other."""

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from embshift.analysis.strength.matched import DISPLACEMENT, SSIM, Solved
from embshift.core.errors import PlanError, SourceError, TransformError
from embshift.core.pixel_maps import mean_displacement
from embshift.core.progress import Reporter, Silent
from embshift.core.seeding import make_generator
from embshift.core.types import ImageRecord, Pixels, View, ViewKey
from embshift.core.words import count_noun
from embshift.images import decode, list_sources, resize
from embshift.measurement.plan.plan import Plan, make_plan
from embshift.measurement.session.carry_out import carry_out, default_folder
from embshift.measurement.studies.sweep import chosen_transforms
from embshift.metrics.ssim import compare_structures, compute_structure
from embshift.runs.record import MATCH, write_record_file
from embshift.show.run import Run
from embshift.transforms import TRANSFORMS, Strength
from embshift.transforms.build import build
from embshift.transforms.perturb import perturb
from embshift.transforms.presets import TransformPlan, load_preset
from embshift.transforms.strength import make_levelled_plan

__all__ = ["DISPLACEMENTS", "SSIMS", "measure_matched", "solve", "split_halves"]

SSIMS = (0.9, 0.7, 0.5)
"""Structural similarities at which transforms that move no pixels are compared."""

DISPLACEMENTS = (4.0, 10.0, 20.0)
"""Mean pixel displacements, in pixels, at which transforms that move pixels are compared."""

TOLERANCE = 0.005
"""Tolerance of the mean structural similarity around its target."""

_RELATIVE = 0.01
"""Tolerance of the mean displacement around its target, as a share of it."""

_STEPS = 40
_MOST = 128  # images of the first half that strengths are solved on: the mean of more hardly differs


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Image:
    """One image of the half on which strengths are solved."""

    image_id: str
    pixels: Pixels


def split_halves(records: Sequence[ImageRecord], *, seed: int) -> tuple[list[ImageRecord], list[ImageRecord]]:
    """Split the listing into a half to solve strengths on and one to rank on, by seed and length alone.

    Raises:
        SourceError: If there are fewer than two images.
    """
    if len(records) < 2:
        found = count_noun(len(records), "image")
        raise SourceError(f"{found} found; matching needs at least 2, one for each half")
    order = make_generator(seed, "match").permutation(len(records))
    first = sorted(order[: len(records) // 2].tolist())
    second = sorted(order[len(records) // 2 :].tolist())
    return [records[at] for at in first], [records[at] for at in second]


def solve(
    name: str,
    images: Sequence[Pixels],
    /,
    *,
    targets: Sequence[float],
    ids: Sequence[str] = (),
    seed: int = 0,
) -> tuple[Solved, ...]:
    """Solve the strengths at which a transform's mean damage reaches its targets, by bisection.

    The damage is the mean structural similarity (RGB) where no pixel moves, else the mean pixel displacement.
    It is assumed to be monotone in the strength; the contract tests hold every transform to that. A target
    that no strength comes near is reported as out of reach; nothing is extrapolated.

    Args:
        name: A registered transform with a strength.
        images: Images of one size, (height, width, 3), uint8.
        targets: Wanted means: similarities from −1 to 1, or pixels.
        ids: Their image ids, which the views' random streams depend on.
        seed: The run's seed.
    """
    own = ids or [f"{at:032x}" for at in range(len(images))]
    known = [_Image(image_id=each, pixels=pixels) for each, pixels in zip(own, images, strict=True)]
    measure = _DAMAGES[_choose_damage(name)]
    stated = TRANSFORMS[name].strength
    if stated is None:
        return ()
    held = dict[float, float]()

    def damage(strength: float) -> float:
        if strength not in held:
            held[strength] = measure(name, strength, known, seed)
        return held[strength]

    return tuple(_solve_target(name, stated, damage, target) for target in targets)


def _choose_damage(name: str) -> str:
    return DISPLACEMENT if TRANSFORMS[name].family == "geometric" else SSIM


def _solve_target(name: str, stated: Strength, damage: Callable[[float], float], target: float) -> Solved:
    kind = _choose_damage(name)
    mild, severe = (stated.least, stated.greatest) if stated.rising else (stated.greatest, stated.least)
    tolerance = TOLERANCE if kind == SSIM else _RELATIVE * target
    # More damage means less similarity, or more displacement.
    sign = -1.0 if kind == SSIM else 1.0
    found = Solved(transform=name, family=TRANSFORMS[name].family, kind=kind, target=target, unit=stated.unit)
    reached = damage(severe)
    if math.isnan(reached) or sign * (reached - target) < -tolerance:
        return replace(found, achieved=reached, why=f"even strength {severe:g} gives only {reached:.3g}")
    if sign * (damage(mild) - target) > tolerance:
        return replace(found, achieved=damage(mild), why=f"even strength {mild:g} gives {damage(mild):.3g}")
    strength = _bisect(damage, target, mild=mild, severe=severe, sign=sign)
    achieved = damage(strength)
    if abs(achieved - target) > tolerance:
        near = f"closest is {achieved:.3g} at {strength:.4g}"
        why = f"no strength gives {kind} {target:g} ± {tolerance:.2g}; {near}"
        return replace(found, achieved=achieved, why=why)
    return replace(found, strength=strength, achieved=achieved)


def _bisect(
    damage: Callable[[float], float], target: float, *, mild: float, severe: float, sign: float
) -> float:
    """Return the best of the strengths that bisection visits; it stops within a tenth of the tolerance."""
    nearest = min((mild, severe), key=lambda strength: abs(damage(strength) - target))
    enough = TOLERANCE / 10 * max(1.0, abs(target))
    for _ in range(_STEPS):
        middle = (mild + severe) / 2
        if middle in (mild, severe) or abs(damage(nearest) - target) <= enough:
            break
        if sign * (damage(middle) - target) < 0:
            mild = middle
        else:
            severe = middle
        if abs(damage(middle) - target) < abs(damage(nearest) - target):
            nearest = middle
    return nearest


def _make_views(name: str, strength: float, images: Sequence[_Image], seed: int) -> list[View]:
    plan = make_levelled_plan(name, strength=strength)
    transform = build(plan)
    return [
        perturb(
            one.pixels,
            transform,
            key=ViewKey(run_seed=seed, image_id=one.image_id, transform=plan.name),
        )
        for one in images
    ]


def _mean_similarity(name: str, strength: float, images: Sequence[_Image], seed: int) -> float:
    try:
        views = _make_views(name, strength, images, seed)
    except TransformError:
        return float("nan")
    pairs = zip(images, views, strict=True)
    similarities = [
        compare_structures(compute_structure(one.pixels), compute_structure(view.pixels))
        for one, view in pairs
    ]
    return float(np.mean(similarities))


def _mean_displacement_of(name: str, strength: float, images: Sequence[_Image], seed: int) -> float:
    views = _make_views(name, strength, images, seed)
    found = [mean_displacement(None if v.coordinates is None else v.coordinates()) for v in views]
    known = [one for one in found if not math.isnan(one)]
    return float(np.mean(known)) if known else float("nan")


_DAMAGES = {SSIM: _mean_similarity, DISPLACEMENT: _mean_displacement_of}


def measure_matched(
    source: Any,
    /,
    *,
    transforms: Sequence[str] | None = None,
    ssim: Sequence[float] | None = None,
    displacement: Sequence[float] | None = None,
    out: str | Path | None = None,
    reporter: Reporter | None = None,
    **options: Any,
) -> Run:
    """Measure transforms at strengths of equal damage; ``run.matched()`` ranks them.

    Strengths are solved on one half of the images, at most 128 of them; the run is over the other half.

    Args:
        source: As for `embshift.measure`, at least two images.
        transforms: Registered transforms with a strength; "all" for every one, None for the paper's eight.
        ssim: Mean structural similarities; 0.9, 0.7 and 0.5 where None.
        displacement: Mean pixel displacements, in pixels; 4, 10 and 20 where None.
        out: The run folder; ``runs/<time>-<encoder>`` where None.
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
    sources = list(source) if isinstance(source, (list, tuple)) else [source]
    metrics = options.pop("metrics", None) or ("cosine",)
    plan = make_plan(metrics=metrics, **options)
    targets = _check_targets(ssim=ssim or SSIMS, displacement=displacement or DISPLACEMENTS)
    first, second = split_halves(list_sources(sources)[: plan.limit], seed=plan.seed)
    chosen = chosen_transforms(transforms)
    progress.note(
        f"solving the strengths of {count_noun(len(chosen), 'transform')}"
        f" on {count_noun(min(len(first), _MOST), 'image')}"
    )
    solved = _solve_all(chosen, _read_images(first, plan), targets=targets, plan=plan, reporter=progress)
    ranked = [each.content if each.path is None else Path(each.path) for each in second]
    levels = [_plan_level(each) for each in solved if each.strength is not None]
    if not levels:
        raise SourceError("no transform reaches any of the targets on these images; ask for milder ones")
    named = tuple(str(one) if isinstance(one, Path) else "memory" for one in ranked)
    plan = replace(plan, sources=named, transforms=(*levels, *_list_unmatched(chosen)), limit=None)
    folder = default_folder(plan) if out is None else Path(out)
    run = carry_out(plan, sources=ranked, out=folder, reporter=progress)
    found = {
        "fingerprint": run.info["fingerprint"],
        "solved_on": min(len(first), _MOST),
        "solved": _solved_content(solved),
    }
    write_record_file(folder, found, name=MATCH)
    return run


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


def _solved_content(solved: Sequence[Solved]) -> list[dict[str, Any]]:
    return [asdict(one) | {"achieved": None if math.isnan(one.achieved) else one.achieved} for one in solved]


def _solve_all(
    names: Sequence[str],
    images: Sequence[_Image],
    *,
    targets: dict[str, Sequence[float]],
    plan: Plan,
    reporter: Reporter,
) -> list[Solved]:
    found = list[Solved]()
    for name in names:
        take = partial(solve, name, [one.pixels for one in images], seed=plan.seed)
        own = take(targets=targets[_choose_damage(name)], ids=[one.image_id for one in images])
        for each in own:
            reached = each.why or f"strength {each.strength:.4g} gives {each.achieved:.4g}"
            reporter.note(f"{name} at {each.kind} {each.target:g}: {reached}")
        found += own
    return found


def _read_images(records: Sequence[ImageRecord], plan: Plan) -> list[_Image]:
    """Read images of the first half as a run would see them; unreadable ones are skipped."""
    found = list[_Image]()
    for record in records:
        decoded = decode(record, limits=plan.limits)
        if decoded.pixels is not None and len(found) < _MOST:
            pixels = resize(decoded.pixels, size=plan.image_size, rule=plan.resize)
            found.append(_Image(image_id=str(decoded.image_id), pixels=pixels))
    if not found:
        raise SourceError("no image of the half on which strengths are solved can be read")
    return found


def _plan_level(solved: Solved) -> Any:
    return make_levelled_plan(solved.transform, strength=solved.strength, label=solved.label)
