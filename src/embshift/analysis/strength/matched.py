"""Transforms compared at equal damage: which of them shifts embeddings most."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from embshift.analysis.strength.sweep import Curve, Sweep
from embshift.core.errors import RunError

__all__ = [
    "DISPLACEMENT",
    "SSIM",
    "Matched",
    "MatchedGroup",
    "MatchedRow",
    "Solved",
    "UnmatchedRow",
    "rank_matched",
    "read_solved",
]

SSIM, DISPLACEMENT = "ssim", "displacement"
"""Measures of damage: similarity where no pixel moves, else the mean displacement of the pixels."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Solved:
    """A transform's strength for one amount of damage, solved on one half of the images.

    Attributes:
        transform: The registered transform.
        family: Its family.
        kind: "ssim" or "displacement".
        target: The requested mean structural similarity, or mean displacement in pixels.
        unit: Unit of the strength.
        strength: The strength; None if the target cannot be reached.
        achieved: The mean that the strength reaches; if the target cannot be reached, that of the nearest
            strength.
        why: Why the target cannot be reached; empty if it is.
    """

    transform: str
    family: str
    kind: str
    target: float
    unit: str
    strength: float | None = None
    achieved: float = math.nan
    why: str = ""

    @property
    def label(self) -> str:
        """The suffix of its name in the plan: "ssim90", "px10"."""
        if self.kind == SSIM:
            return f"ssim{100 * self.target:g}".replace(".", "_").replace("-", "m")
        return f"px{self.target:g}".replace(".", "_")


@dataclass(frozen=True, slots=True, kw_only=True)
class MatchedRow:
    """One transform at one amount of damage.

    Attributes:
        transform: The registered transform.
        family: Its family.
        strength: Its strength, in `unit`.
        unit: Unit of the strength.
        achieved: Mean similarity or displacement of the strength on the images that it was solved on.
        shift: Mean over the other half's images of d = 1 − cosine.
        low: Lower end of the interval of that mean.
        high: Upper end.
        recall: Share of views whose original is the nearest of all originals.
        n: Number of images.
    """

    transform: str
    family: str
    strength: float
    unit: str
    achieved: float
    shift: float
    low: float
    high: float
    recall: float
    n: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MatchedGroup:
    """Transforms at one amount of damage, sorted by their shift, greatest first.

    Attributes:
        kind: "ssim" or "displacement".
        target: The amount of damage.
        rows: The transforms that reach it.
        out_of_reach: The other transforms, each with the reason.
    """

    kind: str
    target: float
    rows: tuple[MatchedRow, ...]
    out_of_reach: tuple[Solved, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class UnmatchedRow:
    """One transform with the parameters of the preset "paper", whatever damage it causes.

    Attributes:
        transform: Its name.
        shift: Mean over images of d = 1 − cosine.
        low: Lower end of the interval of that mean.
        high: Upper end.
        n: Number of images.
    """

    transform: str
    shift: float
    low: float
    high: float
    n: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Matched:
    """All groups of a run.

    Attributes:
        groups: One for each kind and amount, in the requested order.
        solved_on: Number of images in the half that strengths were solved on.
        gallery: Number of different originals in the other half.
        level: Coverage of each interval.
        unmatched: The same transforms, on the same images, with the parameters of the preset "paper", sorted
            by shift, greatest first; empty if the run has no cosine.
    """

    groups: tuple[MatchedGroup, ...]
    solved_on: int
    gallery: int
    level: float
    unmatched: tuple[UnmatchedRow, ...] = ()


def read_solved(content: Mapping[str, Any]) -> tuple[int, tuple[Solved, ...]]:
    """Return the number of images solved on, and the strengths, from the content of ``match.json``."""
    return int(content["solved_on"]), tuple(_solved(dict(each)) for each in content["solved"])


def _solved(content: dict[str, Any]) -> Solved:
    achieved = content.pop("achieved")
    return Solved(**content, achieved=math.nan if achieved is None else achieved)


def rank_matched(
    sweep: Sweep, solved: Sequence[Solved], /, *, solved_on: int, unmatched: Sequence[UnmatchedRow] = ()
) -> Matched:
    """Rank transforms at equal damage by their mean shift.

    Args:
        sweep: Curves of the half of the images that transforms are ranked on.
        solved: Strengths solved on the other half.
        solved_on: Number of images in that half.
        unmatched: The transforms with the parameters of the preset "paper".

    Raises:
        RunError: If the run lacks a strength that was solved.
    """
    curves = {curve.transform: curve for curve in sweep.curves}
    amounts = list(dict.fromkeys((each.kind, each.target) for each in solved))
    return Matched(
        groups=tuple(_group(kind, target, solved, curves) for kind, target in amounts),
        solved_on=solved_on,
        gallery=sweep.gallery,
        level=sweep.level,
        unmatched=tuple(sorted(unmatched, key=lambda row: _descending(row.shift))),
    )


def _descending(shift: float) -> float:
    """Return a sort key that puts the greatest shift first, and undefined ones last."""
    return math.inf if math.isnan(shift) else -shift


def _group(kind: str, target: float, solved: Sequence[Solved], curves: Mapping[str, Curve]) -> MatchedGroup:
    own = [each for each in solved if (each.kind, each.target) == (kind, target)]
    rows = [_row(each, curves) for each in own if each.strength is not None]
    return MatchedGroup(
        kind=kind,
        target=target,
        rows=tuple(sorted(rows, key=lambda row: _descending(row.shift))),
        out_of_reach=tuple(each for each in own if each.strength is None),
    )


def _row(solved: Solved, curves: Mapping[str, Curve]) -> MatchedRow:
    curve, name = curves.get(solved.transform), f"{solved.transform}_{solved.label}"
    if curve is None or name not in curve.names or solved.strength is None:
        raise RunError(f"match.json names {name}, but the run lacks it; match again into a new folder")
    at = curve.names.index(name)
    return MatchedRow(
        transform=solved.transform,
        family=solved.family,
        strength=solved.strength,
        unit=solved.unit,
        achieved=solved.achieved,
        shift=float(curve.shift.mean[at]),
        low=float(curve.shift.low[at]),
        high=float(curve.shift.high[at]),
        recall=float(curve.recall.mean[at]),
        n=int(curve.shift.n[at]),
    )
