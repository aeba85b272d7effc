"""Verdicts: whether a limit holds, is broken, or cannot be decided with so few images."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64
from scipy.special import ndtr

from embshift.analysis.compared.intervals import Estimates, Sample, estimate
from embshift.analysis.gate.budgets import Budget, Gate
from embshift.analysis.gate.catalogue import SLACK, Verdict, find_measure
from embshift.analysis.gate.power import images_for_difference, images_for_mean, images_for_share
from embshift.analysis.sampling.bootstrap import FEWEST
from embshift.core.types import Direction
from embshift.core.words import count_noun

__all__ = [
    "LEAST_DEFINED",
    "Bound",
    "Judged",
    "bound_samples",
    "count_images",
    "decide",
    "judge",
    "judge_value",
    "worst_verdict",
]

RESAMPLES = 10_000

LEAST_DEFINED = 0.95
"""Least share of the images that must have a value: a mean of those that did not fail says nothing of all."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Bound:
    """A mean over images with both of its bounds on either side.

    Attributes:
        value: The mean, or the mean difference.
        low: One-sided lower bound of it alone.
        high: One-sided upper bound of it alone.
        joint_low: Lower bound; those of all budgets hold together.
        joint_high: Upper bound of the same kind.
        n: Number of images with a value.
        deviation: Standard deviation over images.
        reach: Distance of the joint bounds from the mean, in standard errors, before skewness changes it.
        share: Whether the bounds are score bounds of a share.
        pulls: How far each image moves the mean, times the number of images.
    """

    value: float
    low: float
    high: float
    joint_low: float
    joint_high: float
    n: int
    deviation: float
    reach: float
    share: bool
    pulls: Float64[np.ndarray, " images"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A verdict with its reason.

    Attributes:
        verdict: "holds", "broken" or "undecided".
        limit: The limit of the value, with its sign.
        bound: The bound that must keep to the limit.
        joint_bound: The bound that shows a broken budget.
        reason: Why nothing is decided; empty otherwise.
        images_needed: Number of images that would decide; None where no number is known, or none is needed.
    """

    verdict: Verdict
    limit: float
    bound: float
    joint_bound: float
    reason: str
    images_needed: int | None


def bound_samples(
    samples: Sequence[Sample], *, level: float, seed: int, families: int, resamples: int = RESAMPLES
) -> list[dict[tuple[str, str], Bound]]:
    """Compute the bounds of every mean: alone, and those of all families together.

    Args:
        samples: Values of the same images, one sample for each family: the transforms of a statistic.
        level: Coverage of a one-sided bound.
        seed: Seed of the resamples.
        families: Number of all families, of other images too: they share the error of broken budgets.
        resamples: Number of resamples.

    Returns:
        For each sample, bounds by transform and statistic.
    """
    error = 1 - level
    alone = estimate(samples, level=1 - 2 * error, resamples=resamples, seed=seed)
    joint = estimate(samples, level=1 - 2 * error / max(families, 1), resamples=resamples, seed=seed)
    return [_bounds(*each) for each in zip(samples, alone, joint, strict=True)]


def _bounds(sample: Sample, alone: Estimates, joint: Estimates) -> dict[tuple[str, str], Bound]:
    shape = alone.mean.shape
    shares, pulls = sample.shares.reshape(shape), sample.pulls.reshape(-1, *shape)
    return {
        (transform, statistic): Bound(
            value=float(alone.mean[row, column]),
            low=float(alone.low[row, column]),
            high=float(alone.high[row, column]),
            joint_low=float(joint.joint_low[row, column]),
            joint_high=float(joint.joint_high[row, column]),
            n=int(alone.n[row, column]),
            deviation=float(alone.deviation[row, column]),
            reach=float(joint.reach[row, column]),
            share=bool(shares[row, column]),
            pulls=pulls[:, row, column],
        )
        for row, transform in enumerate(alone.transforms)
        for column, statistic in enumerate(alone.statistics)
    }


def judge(budget: Budget, bound: Bound, *, gate: Gate, images: int, families: int) -> Judged:
    """Return the verdict on one transform.

    Args:
        budget: The budget.
        bound: Bounds of the mean, or of the mean difference.
        gate: Level and least number of images.
        images: Number of images, with a value or without.
        families: Number of families of bounds, which share the error of broken budgets.
    """
    limit, upper = _signed_limit(budget)
    far, near = (bound.high, bound.joint_low) if upper else (bound.low, bound.joint_high)
    verdict = decide(budget, bound)
    reason = _find_reason(bound, gate=gate, images=images)
    if reason:
        verdict = "undecided"
    needed = None
    if verdict == "undecided":
        needed = _count_needed(budget, bound, limit=limit, gate=gate, upper=upper, families=families)
        reason = reason or "its interval holds the limit"
    return Judged(
        verdict=verdict, limit=limit, bound=far, joint_bound=near, reason=reason, images_needed=needed
    )


def decide(budget: Budget, bound: Bound, /) -> Verdict:
    """Return the verdict by the bounds alone; those of too few images are undefined, and decide nothing."""
    limit, upper = _signed_limit(budget)
    if upper:
        far, near = bound.high - limit, bound.joint_low - limit
    else:
        far, near = limit - bound.low, limit - bound.joint_high
    if far <= SLACK:
        return "holds"
    return "broken" if near > SLACK else "undecided"


def judge_value(budget: Budget, value: float, /, *, images: int, least: int) -> Judged:
    """Return the verdict on a number without a sampling interval, as those of the panel are.

    Args:
        budget: A budget of the panel.
        value: The number; NaN where it is undefined.
        images: Number of images behind it.
        least: Number of images that the gate asks for.
    """
    limit, upper = _signed_limit(budget)
    reason = f"{count_noun(images, 'image')}; {least:,} or more are needed" if images < least else ""
    if math.isnan(value):
        reason = reason or f"{budget.statistic} is undefined for so few images"
    if reason:
        return Judged(
            verdict="undecided",
            limit=limit,
            bound=value,
            joint_bound=value,
            reason=reason,
            images_needed=least if images < least else None,
        )
    # Shifts of unchanged images are limited at 1e-5 and below, where a fixed slack would be all.
    slack = min(SLACK, 0.01 * limit) if budget.statistic == "same_image_shift" else SLACK
    held = value <= limit + slack if upper else value >= limit - slack
    return Judged(
        verdict="holds" if held else "broken",
        limit=limit,
        bound=value,
        joint_bound=value,
        reason="",
        images_needed=None,
    )


def _signed_limit(budget: Budget) -> tuple[float, bool]:
    """Return the limit, and whether the value must stay below it."""
    if budget.kind != "worse_by_at_most":
        return budget.limit, budget.kind == "at_most"
    upper = find_measure(budget.scope, budget.statistic).direction is Direction.LOWER
    return (budget.limit if upper else -budget.limit), upper


def _find_reason(bound: Bound, *, gate: Gate, images: int) -> str:
    """Return why no verdict can be given; empty where one can."""
    least = max(gate.min_images, FEWEST)
    if images < least:
        return f"{count_noun(images, 'image')}; {least:,} or more are needed"
    if bound.n < LEAST_DEFINED * images:
        return f"only {bound.n:,} of {images:,} images have a value"
    return ""


def _count_needed(
    budget: Budget, bound: Bound, *, limit: float, gate: Gate, upper: bool, families: int
) -> int | None:
    """Return how many images would decide, on the side where the mean lies."""
    holds = (limit > bound.value) == upper
    error = (1 - gate.level) / (1 if holds else max(families, 1))
    compares = budget.kind == "worse_by_at_most"
    found = count_images(
        bound, limit=limit, error=error, reach=0.0 if holds else bound.reach, compares=compares
    )
    return None if found is None else max(found, gate.min_images)


def count_images(
    bound: Bound, /, *, limit: float, error: float, reach: float = 0.0, compares: bool = False
) -> int | None:
    """Return the number of images whose bound decides with probability .8, if images stayed what they are.

    Args:
        bound: Bounds of the mean so far.
        limit: The limit.
        error: One less the level of a one-sided bound of it alone.
        reach: Least distance of the bound from the mean, in standard errors; 0 for a bound of it alone.
        compares: Whether the mean is one of differences.

    Returns:
        10 or more; None if no number of up to 10,000,000 is known.
    """
    if math.isnan(bound.deviation):
        return None
    apart = limit - bound.value
    if not bound.share:
        return images_for_mean(apart, pulls=bound.pulls, error=error, reach=reach)
    # Each share has its own part of the error, and no maximum over transforms.
    own = min(error, float(ndtr(-reach)))
    if compares:
        return images_for_difference(apart, difference=bound.value, deviation=bound.deviation, error=own)
    return images_for_share(apart, share=bound.value, deviation=bound.deviation, error=own)


_ORDER: tuple[Verdict, ...] = ("holds", "undecided", "broken")


def worst_verdict(verdicts: Sequence[Verdict], /) -> Verdict:
    """Return "broken" if any is, else "undecided" if any is, else "holds"."""
    return _ORDER[max((_ORDER.index(one) for one in verdicts), default=0)]
