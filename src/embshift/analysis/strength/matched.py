"""Transforms compared at equal damage: which of them shifts embeddings most."""

from dataclasses import dataclass

from embshift.analysis.strength.solved import Solved
from embshift.core.records import Record, list_fields, to_pandas, write_html

__all__ = ["Matched", "MatchedGroup", "MatchedRow", "UnmatchedRow"]


@dataclass(frozen=True, slots=True, kw_only=True)
class MatchedRow:
    """One transform at one amount of damage, every image at a strength solved on other images.

    Attributes:
        transform: The registered transform.
        family: Its family.
        strength: Mean of the strengths that the halves of the images are evaluated at, in `unit`.
        unit: Unit of the strength.
        damage: Mean damage on the images that are evaluated: similarity or displacement.
        damage_low: Lower end of the interval of that mean.
        damage_high: Upper end.
        off_target: Whether the damage differs from the target by more than the tolerance.
        shift: Mean over images of d = 1 − cosine.
        low: Lower end of the interval of that mean.
        high: Upper end.
        recall: Share of views whose original is the nearest of all originals.
        recall_low: Lower end of the interval of that share.
        recall_high: Upper end.
        best: Least plausible rank, 1 for the transform that shifts most; all rows hold jointly at the level.
        worst: Greatest plausible rank.
        above: Transforms of the group that certainly shift less, by paired differences, jointly.
        n: Number of images.
    """

    transform: str
    family: str
    strength: float
    unit: str
    damage: float
    damage_low: float
    damage_high: float
    off_target: bool
    shift: float
    low: float
    high: float
    recall: float
    recall_low: float
    recall_high: float
    best: int
    worst: int
    above: tuple[str, ...]
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
        solved_on: Number of images whose damage is known: strengths are solved on one half of them at a time.
        gallery: Number of different originals, all of which are evaluated.
        splits: Number of splits into halves; every image is evaluated once in each.
        level: Coverage of each interval.
        unmatched: The same transforms, on the same images, with the parameters of the preset "paper", sorted
            by shift, greatest first; empty if the run has no cosine.
    """

    groups: tuple[MatchedGroup, ...]
    solved_on: int
    gallery: int
    splits: int
    level: float
    unmatched: tuple[UnmatchedRow, ...] = ()

    def records(self) -> list[Record]:
        """Return one row for each transform of each group that reaches the damage."""
        names = (
            "transform",
            "family",
            "strength",
            "unit",
            "damage",
            "damage_low",
            "damage_high",
            "off_target",
        )
        more = ("shift", "low", "high", "recall", "recall_low", "recall_high", "best", "worst", "n")
        return [
            list_fields(group, ("kind", "target")) | list_fields(row, (*names, *more))
            for group in self.groups
            for row in group.rows
        ]

    to_pandas = to_pandas
    _repr_html_ = write_html
