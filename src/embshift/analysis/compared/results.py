"""Results of a comparison of runs, and its rows as a table."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from embshift.analysis.compared.intervals import Estimates
from embshift.analysis.compared.spaces import Relation, SpaceShift
from embshift.analysis.compared.stability import Overview
from embshift.analysis.pairing.pairing import Pairing
from embshift.analysis.strength.sweep import Sweep
from embshift.core.records import Record, to_pandas, write_html

__all__ = ["ComparedPair", "ComparedRun", "Comparison", "Row", "Verdicts"]

Row = Float64[np.ndarray, " transforms"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ComparedRun:
    """One of the compared runs.

    Attributes:
        name: Name that tells it from the others.
        folder: Its folder.
        encoder: Name of its encoder.
        estimates: Mean of each transform and statistic on the shared images, with intervals.
        sweep: Its curves against severity, of a sweep; else None.
    """

    name: str
    folder: str
    encoder: str
    estimates: Estimates
    sweep: Sweep | None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Verdicts:
    """Whether transforms are worse by no more than a margin.

    Attributes:
        margin: The margin, in the unit of the statistic.
        worse: By how much the second run is worse, on average; below 0 where it is better.
        bound: Upper end of the one-sided interval of that; NaN for fewer than ten images.
        level: Coverage of each bound.
    """

    margin: float
    worse: Row
    bound: Row
    level: float

    def holds(self, at: int) -> bool:
        """Return whether a transform is shown to be worse by no more than the margin."""
        return bool(self.bound[at] <= self.margin)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ComparedPair:
    """A run beside the reference.

    Attributes:
        name: Name of the run.
        relation: How its encoder is related to that of the reference.
        pairing: What was paired.
        space: What happens to the embeddings of unchanged images; None for different encoders.
        differences: Run − reference, with intervals.
        p: Two-sided p of a difference in the chosen statistic, by sign flips.
        adjusted: The same, adjusted for all transforms by max-T.
        verdicts: Whether it is not worse by more than a margin; None where no margin was asked for.
    """

    name: str
    relation: Relation
    pairing: Pairing
    space: SpaceShift | None
    differences: Estimates
    p: Row
    adjusted: Row
    verdicts: Verdicts | None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Comparison:
    """Runs of the same images and transforms; the first is the reference.

    Attributes:
        by: The statistic that is tested for differences, and that a margin is in.
        images: Number of images that all runs have: the unit of every interval, and the gallery.
        transforms: The transforms that all runs have.
        statistics: The statistics.
        runs: The runs, the reference first.
        pairs: The other runs beside the reference.
        overview: Every run by stability, recall and separation.
        floor: Numeric floor of the statistic `by`: its mean under the transform `identity`, less its value
            for unchanged images; NaN without such a transform.
        level: Coverage of intervals.
        notes: What the numbers rest on.
    """

    by: str
    images: int
    transforms: tuple[str, ...]
    statistics: tuple[str, ...]
    runs: tuple[ComparedRun, ...]
    pairs: tuple[ComparedPair, ...]
    overview: Overview
    floor: float
    level: float
    notes: tuple[str, ...]

    def records(self) -> list[Record]:
        """Return one row for each run, transform and statistic; differences are to the reference."""
        return list(_list_records(self))

    to_pandas = to_pandas
    _repr_html_ = write_html


def _list_records(found: Comparison) -> Iterator[Record]:
    beside: Mapping[str, ComparedPair] = {pair.name: pair for pair in found.pairs}
    for run in found.runs:
        pair = beside.get(run.name)
        for at, transform in enumerate(found.transforms):
            for column, statistic in enumerate(found.statistics):
                yield _record(found, run, pair, place=(at, column), names=(transform, statistic))


_NAN = float("nan")


def _record(
    found: Comparison,
    run: ComparedRun,
    pair: ComparedPair | None,
    *,
    place: tuple[int, int],
    names: tuple[str, str],
) -> Record:
    parts = ("mean", "low", "high")
    joint = ("joint_low", "joint_high")
    transform, statistic = names
    record: Record = {"run": run.name, "folder": run.folder, "encoder": run.encoder}
    record |= {"relation": "reference" if pair is None else pair.relation}
    record |= {"transform": transform, "statistic": statistic}
    record |= {"grade": None if pair is None else pair.pairing.grade(transform)}
    record |= {part: float(getattr(run.estimates, part)[place]) for part in parts}
    record |= {"n": int(run.estimates.n[place])}
    other = None if pair is None else pair.differences
    record |= {
        f"difference_{part}": _NAN if other is None else float(getattr(other, part)[place])
        for part in (*parts, *joint)
    }
    tested = pair is not None and statistic == found.by
    record |= {name: float(getattr(pair, name)[place[0]]) if tested else _NAN for name in ("p", "adjusted")}
    verdicts = pair.verdicts if pair is not None and tested else None
    record |= {"worse_at_most": _NAN if verdicts is None else float(verdicts.bound[place[0]])}
    record |= {"not_worse": None if verdicts is None else verdicts.holds(place[0])}
    return record
