"""Strengths at which transforms do equal damage: solved on one half of the pictures, ranked on the other."""

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
from embshift.images import decode, list_sources, resize
from embshift.measurement.plan.plan import Plan, make_plan
from embshift.measurement.session.carry_out import carry_out, default_folder
from embshift.measurement.studies.sweep import chosen_transforms
from embshift.metrics.ssim import similarity, structure_of
from embshift.runs.files import write_json
from embshift.show.run import Run
from embshift.transforms import TRANSFORMS, Strength
from embshift.transforms.build import build, perturb
from embshift.transforms.presets import TransformPlan, load_preset
from embshift.transforms.strength import levelled_plan

__all__ = ["DISPLACEMENTS", "SSIMS", "halves", "measure_matched", "solve"]

SSIMS = (0.9, 0.7, 0.5)
"""Structural similarities at which transforms that move no pixel are compared."""

DISPLACEMENTS = (4.0, 10.0, 20.0)
"""Mean ways of the pixels, in pixels, at which those that move pixels are compared."""

TOLERANCE = 0.005
"""How far the mean structural similarity may be from what was asked for."""

_RELATIVE = 0.01
"""How far the mean way of the pixels may be from what was asked for, as a share of it."""

_STEPS = 40
_MOST = 128  # pictures of the first half that strengths are solved on: the mean of more is no other


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Picture:
    """One picture of the half on which strengths are solved."""

    image_id: str
    pixels: Pixels


def halves(records: Sequence[ImageRecord], *, seed: int) -> tuple[list[ImageRecord], list[ImageRecord]]:
    """The listing in two: a half to solve strengths on and one to rank on; a function of seed and length.

    Raises:
        SourceError: If there are fewer than two pictures.
    """
    if len(records) < 2:
        raise SourceError(f"{len(records)} pictures were found; matching needs two halves of at least one")
    order = make_generator(seed, "match").permutation(len(records))
    first = sorted(order[: len(records) // 2].tolist())
    second = sorted(order[len(records) // 2 :].tolist())
    return [records[at] for at in first], [records[at] for at in second]


def solve(
    name: str,
    pictures: Sequence[Pixels],
    /,
    *,
    targets: Sequence[float],
    ids: Sequence[str] = (),
    seed: int = 0,
) -> tuple[Solved, ...]:
    """Strengths at which a transform's mean damage is as asked for, by bisection.

    The damage is the mean structural similarity (RGB) where no pixel moves, else the mean way of the pixels.
    It is taken to be monotone in the strength, which the contract tests hold every transform to. A target
    that no strength comes near is said to be out of reach; nothing is extrapolated.

    Args:
        name: A registered transform with a strength.
        pictures: Pictures of one size.
        targets: What the mean shall be: a similarity from −1 to 1, or pixels.
        ids: Their image ids; what a view draws is a function of it.
        seed: The run's seed.
    """
    own = ids or [f"{at:032x}" for at in range(len(pictures))]
    known = [_Picture(image_id=each, pixels=pixels) for each, pixels in zip(own, pictures, strict=True)]
    measure = _DAMAGES[_damage(name)]
    stated = TRANSFORMS[name].strength
    if stated is None:
        return ()
    held = dict[float, float]()

    def damage(strength: float) -> float:
        if strength not in held:
            held[strength] = measure(name, strength, known, seed)
        return held[strength]

    return tuple(_solved(name, stated, damage, target) for target in targets)


def _damage(name: str) -> str:
    return DISPLACEMENT if TRANSFORMS[name].family == "geometric" else SSIM


def _solved(name: str, stated: Strength, damage: Callable[[float], float], target: float) -> Solved:
    kind = _damage(name)
    mild, severe = (stated.least, stated.greatest) if stated.rising else (stated.greatest, stated.least)
    tolerance = TOLERANCE if kind == SSIM else _RELATIVE * target
    # More damage is less similarity, and a longer way.
    sign = -1.0 if kind == SSIM else 1.0
    found = Solved(transform=name, family=TRANSFORMS[name].family, kind=kind, target=target, unit=stated.unit)
    reached = damage(severe)
    if math.isnan(reached) or sign * (reached - target) < -tolerance:
        return replace(found, achieved=reached, why=f"even {severe:g} reaches only {reached:.3g}")
    if sign * (damage(mild) - target) > tolerance:
        return replace(found, achieved=damage(mild), why=f"already {mild:g} reaches {damage(mild):.3g}")
    strength = _bisected(damage, target, mild=mild, severe=severe, sign=sign)
    achieved = damage(strength)
    if abs(achieved - target) > tolerance:
        return replace(found, achieved=achieved, why=f"jumps over it at {strength:.4g} to {achieved:.3g}")
    return replace(found, strength=strength, achieved=achieved)


def _bisected(
    damage: Callable[[float], float], target: float, *, mild: float, severe: float, sign: float
) -> float:
    """Of the strengths that halving meets, the nearest; it stops within a tenth of the tolerance."""
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


def _views(name: str, strength: float, pictures: Sequence[_Picture], seed: int) -> list[View]:
    plan = levelled_plan(name, strength=strength)
    transform = build(plan)
    return [
        perturb(
            one.pixels,
            transform,
            key=ViewKey(run_seed=seed, image_id=one.image_id, transform=plan.name),
        )
        for one in pictures
    ]


def _mean_similarity(name: str, strength: float, pictures: Sequence[_Picture], seed: int) -> float:
    try:
        views = _views(name, strength, pictures, seed)
    except TransformError:
        return float("nan")
    pairs = zip(pictures, views, strict=True)
    return float(np.mean([similarity(structure_of(one.pixels), structure_of(v.pixels)) for one, v in pairs]))


def _mean_way(name: str, strength: float, pictures: Sequence[_Picture], seed: int) -> float:
    views = _views(name, strength, pictures, seed)
    ways = [mean_displacement(None if v.coordinates is None else v.coordinates()) for v in views]
    known = [way for way in ways if not math.isnan(way)]
    return float(np.mean(known)) if known else float("nan")


_DAMAGES = {SSIM: _mean_similarity, DISPLACEMENT: _mean_way}


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
    """Which transform shifts most at equal damage; ``run.matched()`` ranks them.

    Strengths are solved on one half of the pictures, at most 128 of them; the run is over the other half.

    Args:
        source: As for `embshift.measure`, at least two pictures.
        transforms: Registered transforms with a strength; "all" for every one, None for the paper's eight.
        ssim: Mean structural similarities; 0.9, 0.7 and 0.5 where None.
        displacement: Mean ways of the pixels, in pixels; 4, 10 and 20 where None.
        out: The run folder; ``runs/<time>-<encoder>`` where None.
        reporter: Who is told how it goes; nobody where None.
        **options: Fields of `embshift.measurement.plan.plan.Plan`.

    Returns:
        The run, opened for reading.

    Raises:
        SourceError: If there are fewer than two usable pictures.
        UsageError: If an option or the run folder does not fit.

    Example:
        >>> run = measure_matched("photos/", transforms=["blur", "noise"])  # doctest: +SKIP
        >>> run.matched().groups[0].rows[0].transform  # doctest: +SKIP
    """
    told = reporter or Silent()
    sources = list(source) if isinstance(source, (list, tuple)) else [source]
    metrics = options.pop("metrics", None) or ("cosine",)
    plan = make_plan(metrics=metrics, **options)
    targets = _targets(ssim=ssim or SSIMS, displacement=displacement or DISPLACEMENTS)
    first, second = halves(list_sources(sources)[: plan.limit], seed=plan.seed)
    chosen = chosen_transforms(transforms)
    told.note(f"solving the strengths of {len(chosen)} transforms on {min(len(first), _MOST):,} pictures")
    solved = _solve_all(chosen, _read(first, plan), targets=targets, plan=plan, reporter=told)
    ranked = [each.content if each.path is None else Path(each.path) for each in second]
    levels = [_plan_of(each) for each in solved if each.strength is not None]
    if not levels:
        raise SourceError("no transform reaches any of the targets on these pictures; ask for milder ones")
    named = tuple(str(one) if isinstance(one, Path) else "memory" for one in ranked)
    plan = replace(plan, sources=named, transforms=(*levels, *_unmatched(chosen)), limit=None)
    folder = default_folder(plan) if out is None else Path(out)
    run = carry_out(plan, sources=ranked, out=folder, reporter=told)
    write_json(folder / "match.json", {"solved_on": min(len(first), _MOST), "solved": _content(solved)})
    return run


def _unmatched(chosen: Sequence[str]) -> tuple[TransformPlan, ...]:
    """Those of the chosen that the preset "paper" has, as it sets them: the order beside the matched one."""
    return tuple(each for each in load_preset("paper").transforms if each.name in chosen)


def _targets(*, ssim: Sequence[float], displacement: Sequence[float]) -> dict[str, Sequence[float]]:
    for value in ssim:
        if not 0 < value < 1:
            raise PlanError(f"ssim is {value:g}; wanted similarities above 0 and below 1, e.g. 0.7")
    for value in displacement:
        if not 0 < value < math.inf:
            raise PlanError(f"displacement is {value:g}; wanted ways above 0 pixels, e.g. 10")
    return {SSIM: ssim, DISPLACEMENT: displacement}


def _content(solved: Sequence[Solved]) -> list[dict[str, Any]]:
    return [asdict(one) | {"achieved": None if math.isnan(one.achieved) else one.achieved} for one in solved]


def _solve_all(
    names: Sequence[str],
    pictures: Sequence[_Picture],
    *,
    targets: dict[str, Sequence[float]],
    plan: Plan,
    reporter: Reporter,
) -> list[Solved]:
    found = list[Solved]()
    for name in names:
        take = partial(solve, name, [one.pixels for one in pictures], seed=plan.seed)
        own = take(targets=targets[_damage(name)], ids=[one.image_id for one in pictures])
        for each in own:
            reached = each.why or f"strength {each.strength:.4g}, reached {each.achieved:.4g}"
            reporter.note(f"{name} at {each.kind} {each.target:g}: {reached}")
        found += own
    return found


def _read(records: Sequence[ImageRecord], plan: Plan) -> list[_Picture]:
    """Pictures of the first half as a run would see them; those that cannot be read are passed over."""
    found = list[_Picture]()
    for record in records:
        decoded = decode(record, limits=plan.limits)
        if decoded.pixels is not None and len(found) < _MOST:
            pixels = resize(decoded.pixels, size=plan.image_size, rule=plan.resize)
            found.append(_Picture(image_id=str(decoded.image_id), pixels=pixels))
    if not found:
        raise SourceError("no picture of the half on which strengths are solved can be read")
    return found


def _plan_of(solved: Solved) -> Any:
    return levelled_plan(solved.transform, strength=solved.strength, label=solved.label)
