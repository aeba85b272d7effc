"""Results: what each threshold keeps and lets in, transform by transform."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from embshift.core.errors import UnknownNameError
from embshift.core.named import find_position
from embshift.core.records import Record, to_pandas, write_html

__all__ = [
    "ALL_TOGETHER",
    "COUNTED",
    "LEFT_OUT",
    "Estimate",
    "NearPair",
    "Operating",
    "ThresholdRow",
    "Thresholds",
]

ALL_TOGETHER = "all"
"""Name of the row over all transforms together."""

COUNTED, LEFT_OUT = "counted", "left out"
"""Whether pairs of near-duplicates count as pairs of different images."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A value with its interval.

    Attributes:
        value: From 0 to 1; NaN where it is undefined or refused.
        low: Lower end; NaN where there is no interval.
        high: Upper end.
    """

    value: float
    low: float = float("nan")
    high: float = float("nan")


@dataclass(frozen=True, slots=True, kw_only=True)
class Operating:
    """One threshold: pairs with at least its cosine are taken to show the same image.

    Attributes:
        asked: What it was chosen for: the false-positive rate or the precision.
        threshold: The cosine τ; NaN where it is refused or no cosine will do.
        recall: Share of views whose cosine with their own original is τ or more.
        rate: Share of the other pairs whose cosine is τ or more.
        let_in: Their number.
        images: Number of different images among these pairs: of views, or of originals, whichever is less.
        refused: Why no value is given; empty where one is.
    """

    asked: float
    threshold: float
    recall: Estimate
    rate: Estimate
    let_in: int
    images: int
    refused: str = ""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ThresholdRow:
    """What thresholds do to the views of one transform.

    Attributes:
        transform: Its name; "all" for all transforms together.
        near_duplicates: "counted" as pairs of different images, or "left out".
        images: Number of images with a view.
        views: Number of views.
        pairs: Number of pairs of a view and the original of another image.
        auc: Share of cases in which a view is nearer to its own original than to another; ties half.
        uap: Micro average precision over all pairs of views and originals; ties pessimistic.
        at_precision: The smallest cosine with 9 of 10 accepted pairs right.
        at_rates: The thresholds at false-positive rates.
        curve_rates: False-positive rates of the curve, ascending.
        curve_recalls: Share of views kept at most at each of these rates.
    """

    transform: str
    near_duplicates: str
    images: int
    views: int
    pairs: int
    auc: Estimate
    uap: Estimate
    at_precision: Operating
    at_rates: tuple[Operating, ...]
    curve_rates: Float64[np.ndarray, " points"]
    curve_recalls: Float64[np.ndarray, " points"]

    @property
    def finest(self) -> Operating | None:
        """The threshold at the lowest false-positive rate that the pairs support; None without one."""
        return next((one for one in reversed(self.at_rates) if not one.refused), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class NearPair:
    """Two originals that show the same.

    Attributes:
        first: Name of one image, relative to its source.
        second: Name of the other one.
        bits: Bits of 256 in which their perceptual hashes differ.
    """

    first: str
    second: str
    bits: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Thresholds:
    """Which cosine tells views of one image from other images.

    Attributes:
        rows: One for each transform, in the order of the plan, and one for all together; each twice where
            there are near-duplicates, with their pairs counted and left out.
        near_pairs: The first pairs of near-duplicates among the originals, the nearest first.
        near_groups: Names of the images of each group that such pairs join, the largest group first.
        near_count: Number of all such pairs; None where they are not known.
        near_images: Number of images in them.
        precision: The precision asked for.
        images: Number of originals.
        queries: Number of originals whose views are compared with all originals.
        left_out: Number of images without a usable embedding.
        notes: Caveats and context.
        level: Coverage of each interval.
        resamples: Number of resamples.
    """

    rows: tuple[ThresholdRow, ...]
    near_pairs: tuple[NearPair, ...]
    near_groups: tuple[tuple[str, ...], ...]
    near_count: int | None
    near_images: int
    precision: float
    images: int
    queries: int
    left_out: int
    notes: tuple[str, ...]
    level: float
    resamples: int

    def row(self, transform: str = ALL_TOGETHER, *, near_duplicates: str = COUNTED) -> ThresholdRow:
        """Return the row of a transform.

        Args:
            transform: Its name, or "all".
            near_duplicates: "counted" or "left out"; without near-duplicates there is one row alone.

        Raises:
            UnknownNameError: If there is no such row.
        """
        if near_duplicates not in (COUNTED, LEFT_OUT):
            raise UnknownNameError("treatment of near-duplicates", near_duplicates, (COUNTED, LEFT_OUT))
        treated = [one for one in self.rows if one.near_duplicates == near_duplicates]
        rows = treated or [one for one in self.rows if one.near_duplicates == COUNTED]
        return rows[find_position([one.transform for one in rows], transform, kind="transform")]

    def records(self) -> list[Record]:
        """Return one row for each transform: AUC, µAP, and every threshold with what it keeps and lets in."""
        return [_record(row) for row in self.rows]

    to_pandas = to_pandas
    _repr_html_ = write_html


def _record(row: ThresholdRow) -> Record:
    record: Record = {
        "transform": row.transform,
        "near_duplicates": row.near_duplicates,
        "images": row.images,
        "views": row.views,
        "other_pairs": row.pairs,
    }
    record |= _estimate("auc", row.auc) | _estimate("uap", row.uap)
    record |= _operating(f"at_precision_{row.at_precision.asked:g}", row.at_precision)
    for one in row.at_rates:
        record |= _operating(f"at_rate_{one.asked:.0e}".replace("e-0", "e-"), one)
    return record


def _estimate(name: str, found: Estimate) -> Record:
    return {name: found.value, f"{name}_low": found.low, f"{name}_high": found.high}


def _operating(name: str, one: Operating) -> Record:
    return (
        {f"threshold_{name}": one.threshold}
        | _estimate(f"recall_{name}", one.recall)
        | _estimate(f"false_rate_{name}", one.rate)
        | {f"false_pairs_{name}": one.let_in, f"refused_{name}": one.refused}
    )
