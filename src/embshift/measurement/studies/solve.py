"""Strengths at which a transform does a wanted amount of damage, and the damage of every image there."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeAlias

import numpy as np
from jaxtyping import Float64

from embshift.analysis.strength.solved import DISPLACEMENT, SSIM, TOLERANCES, Solved, SolvedLevel
from embshift.core.errors import TransformError
from embshift.core.pixel_maps import mean_displacement
from embshift.core.types import Pixels, View, ViewKey
from embshift.metrics.ssim import compare_structures, compute_structure
from embshift.transforms import TRANSFORMS, Strength
from embshift.transforms.build import build
from embshift.transforms.perturb import perturb
from embshift.transforms.strength import make_levelled_plan

__all__ = ["DamagedImage", "choose_damage", "solve"]

_STEPS = 40

_FIRST = 64
"""Images of a first look, which finds about where a target is reached."""

_REACH = 4.0
"""Standard errors of a half's mean damage that the measured strengths reach to either side of the target."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DamagedImage:
    """One image on which strengths are solved."""

    image_id: str
    pixels: Pixels


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
    known = [DamagedImage(image_id=each, pixels=pixels) for each, pixels in zip(own, images, strict=True)]
    measure = _DAMAGES[choose_damage(name)]
    stated = TRANSFORMS[name].strength
    if stated is None:
        return ()
    damages = _Damages(measure=measure, name=name, images=known, seed=seed, held={})
    return tuple(_solve_target(name, stated, damages, target) for target in targets)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Damages:
    """The damage that a transform does at any strength, each strength measured once and held."""

    measure: "Measure"
    name: str
    images: Sequence[DamagedImage]
    seed: int
    held: dict[float, Float64[np.ndarray, " images"]]

    def of_first(self, strength: float) -> float:
        """Return the mean damage of the first images."""
        return _mean(self.by_image(strength, first=True))

    def by_image(self, strength: float, *, first: bool = False) -> Float64[np.ndarray, " images"]:
        """Return the damage of each image, or of the first ones only."""
        found = self.held.get(strength, np.empty(0))
        wanted = min(_FIRST, len(self.images)) if first else len(self.images)
        if len(found) < wanted:
            more = self.measure(self.name, strength, self.images[len(found) : wanted], self.seed)
            found = self.held[strength] = np.concatenate([found, more])
        return found[:wanted]


def _mean(values: Float64[np.ndarray, " values"]) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else math.nan


def choose_damage(name: str) -> str:
    return DISPLACEMENT if TRANSFORMS[name].family == "geometric" else SSIM


def _solve_target(name: str, stated: Strength, damages: _Damages, target: float) -> Solved:
    kind, damage = choose_damage(name), damages.of_first
    mild, severe = (stated.least, stated.greatest) if stated.rising else (stated.greatest, stated.least)
    # More damage means less similarity, or more displacement.
    sign = -1.0 if kind == SSIM else 1.0
    found = Solved(transform=name, family=TRANSFORMS[name].family, kind=kind, target=target, unit=stated.unit)
    reached, tolerance = damage(severe), found.tolerance
    if math.isnan(reached) or sign * (reached - target) < -tolerance:
        return replace(found, achieved=reached, why=f"even strength {severe:g} gives only {reached:.3g}")
    if sign * (damage(mild) - target) > tolerance:
        return replace(found, achieved=damage(mild), why=f"even strength {mild:g} gives {damage(mild):.3g}")
    # Far finer than the tolerance, but the strengths around this one need not be exact.
    fine = TOLERANCES[SSIM] / 10 * max(1.0, abs(target))
    strength = _bisect(damage, target, mild=mild, severe=severe, sign=sign, enough=fine)
    achieved = damage(strength)
    if abs(achieved - target) > tolerance:
        near = f"closest is {achieved:.3g} at {strength:.4g}"
        why = f"no strength gives {kind} {target:g} ± {tolerance:.2g}; {near}"
        return replace(found, achieved=achieved, why=why)
    reach = _reach(damages, strength, tolerance=tolerance)
    near = partial(_bisect, damage, sign=sign, enough=reach / 4)
    milder = near(target - sign * reach, mild=mild, severe=strength)
    harder = near(target + sign * reach, mild=strength, severe=severe)
    found = replace(found, strength=strength, achieved=achieved)
    return replace(found, levels=_levels(found, dict.fromkeys((milder, strength, harder)), damages))


def _reach(damages: _Damages, strength: float, *, tolerance: float) -> float:
    """Return how far from the target the mean damage of a half may be at one strength."""
    found = damages.by_image(strength, first=True)
    half = max(len(damages.images) / 2, 1.0)
    spread = float(np.nanstd(found)) if len(found) > 1 else 0.0
    return max(2 * tolerance, _REACH * spread / math.sqrt(half))


def _levels(solved: Solved, strengths: Iterable[float], damages: _Damages) -> tuple[SolvedLevel, ...]:
    """Return the levels to measure, from mild to severe, with the damage of every image."""
    found = list[SolvedLevel]()
    for strength in strengths:
        middle = strength == solved.strength
        ending = (
            ""
            if middle
            else "_milder"
            if not any(one.strength == solved.strength for one in found)
            else "_harder"
        )
        found.append(
            SolvedLevel(
                name=f"{solved.transform}_{solved.label}{ending}",
                strength=strength,
                damage=tuple(damages.by_image(strength).tolist()),
            )
        )
    return tuple(found)


def _bisect(
    damage: Callable[[float], float],
    target: float,
    *,
    mild: float,
    severe: float,
    sign: float,
    enough: float,
) -> float:
    """Return the best of the strengths that bisection visits; it stops `enough` from the target or nearer."""
    nearest = min((mild, severe), key=lambda strength: abs(damage(strength) - target))
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


def _make_views(name: str, strength: float, images: Sequence[DamagedImage], seed: int) -> list[View]:
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


def _similarities(
    name: str, strength: float, images: Sequence[DamagedImage], seed: int
) -> Float64[np.ndarray, " images"]:
    try:
        views = _make_views(name, strength, images, seed)
    except TransformError:
        return np.full(len(images), np.nan)
    pairs = zip(images, views, strict=True)
    return np.array(
        [
            compare_structures(compute_structure(one.pixels), compute_structure(view.pixels))
            for one, view in pairs
        ]
    )


def _displacements(
    name: str, strength: float, images: Sequence[DamagedImage], seed: int
) -> Float64[np.ndarray, " images"]:
    views = _make_views(name, strength, images, seed)
    return np.array([mean_displacement(v.coordinates() if v.coordinates else None) for v in views])


Measure: TypeAlias = Callable[[str, float, Sequence[DamagedImage], int], Float64[np.ndarray, " images"]]
"""Takes a transform, a strength, images and the run's seed; returns the damage of each image."""

_DAMAGES: dict[str, Measure] = {SSIM: _similarities, DISPLACEMENT: _displacements}
