"""The summary table: transforms by metrics, with an overall score and a rank."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from embshift.core.named import Named, find_position
from embshift.core.records import Record, list_fields, to_pandas, write_html
from embshift.core.types import Direction, MetricSpec
from embshift.runs.values import ImageValues

__all__ = ["Cell", "Summary", "SummaryRow", "make_summary", "summarise"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One metric of one transform, over the images.

    Attributes:
        mean: Mean over images, in the metric's unit; NaN without a defined value.
        deviation: Standard deviation over images (n - 1); NaN for fewer than two.
        n: Number of images with a defined value.
        undefined: Number of images whose value was computed and is undefined.
    """

    mean: float
    deviation: float
    n: int
    undefined: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SummaryRow:
    """The row of one transform.

    Attributes:
        transform: Its name.
        cells: Its metrics by name; an unknown name raises `UnknownNameError`.
        overall: Mean of the means of the performance metrics; NaN if one of them is.
        rank: 1 for the greatest overall score; None if it is NaN.
    """

    transform: str
    cells: Mapping[str, Cell]
    overall: float
    rank: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """A table of transforms by metrics, in the order of the plan.

    Attributes:
        metrics: The specs of the columns, in order.
        rows: One for each transform.
        map_name: What the encoder's maps are: "attention map", or the name of what it has in its place.
        precision: One line on the encoder's precision and its errors; empty for float32.
        parts: One line on how the values of many images were summed; empty where all were held.
    """

    metrics: tuple[MetricSpec, ...]
    rows: tuple[SummaryRow, ...]
    map_name: str
    precision: str = ""
    parts: str = ""

    def closest(self, metric: str) -> frozenset[str]:
        """Return the transforms whose mean is closest to the original under a metric.

        Raises:
            UnknownNameError: If there is no such metric; the nearest names are suggested.
        """
        return self._extreme(metric, sign=1)

    def furthest(self, metric: str) -> frozenset[str]:
        """Return the transforms whose mean is furthest from the original under a metric.

        Raises:
            UnknownNameError: If there is no such metric; the nearest names are suggested.
        """
        return self._extreme(metric, sign=-1)

    def _extreme(self, metric: str, *, sign: int) -> frozenset[str]:
        names = [spec.name for spec in self.metrics]
        spec = self.metrics[find_position(names, metric, kind="metric")]
        sign = sign if spec.direction is Direction.HIGHER else -sign
        means = {row.transform: sign * row.cells[metric].mean for row in self.rows}
        known = {name: mean for name, mean in means.items() if not np.isnan(mean)}
        if len(set(known.values())) < 2:
            return frozenset()
        return frozenset(name for name, mean in known.items() if mean == max(known.values()))

    def records(self) -> list[Record]:
        """Return one row for each transform; the columns are those of ``summarise --format csv``."""
        return [self._record(row) for row in self.rows]

    def _record(self, row: SummaryRow) -> Record:
        record: Record = {"transform": row.transform}
        for spec in self.metrics:
            parts = ("mean", "deviation", "n", "undefined")
            record |= list_fields(row.cells[spec.name], parts, prefix=f"{spec.name}_")
        return record | {"overall": row.overall, "rank": row.rank}

    to_pandas = to_pandas
    _repr_html_ = write_html


def summarise(
    values: ImageValues,
    *,
    metrics: Sequence[MetricSpec],
    map_name: str = "attention map",
    precision: str = "",
) -> Summary:
    """Compute mean and deviation over images of every metric and transform, the overall score and its rank.

    The overall score of the ranked profiles is the mean of cosine, attention, patch, edge and detail.

    Args:
        values: One value per image, transform and metric.
        metrics: Specs of the metrics along the last axis, in order.
        map_name: What the encoder's maps are.
        precision: One line on the encoder's precision, shown below the table.
    """
    cells = [
        [_cell(values, transform, metric) for metric in range(len(metrics))]
        for transform in range(len(values.transforms))
    ]
    return make_summary(
        cells, transforms=values.transforms, metrics=metrics, map_name=map_name, precision=precision
    )


def make_summary(
    cells: Sequence[Sequence[Cell]],
    *,
    transforms: Sequence[str],
    metrics: Sequence[MetricSpec],
    map_name: str = "attention map",
    precision: str = "",
    parts: str = "",
) -> Summary:
    """Make the summary of cells: compute overall scores and ranks.

    Args:
        cells: Cells of each transform, in the order of the metrics.
        transforms: Names of the transforms.
        metrics: Specs of the metrics.
        map_name: What the encoder's maps are.
        precision: One line on the encoder's precision.
        parts: One line on how the values were summed.
    """
    names = [spec.name for spec in metrics]
    named = [Named(kind="metric", things=dict(zip(names, row, strict=True))) for row in cells]
    performance = [spec.name for spec in metrics if spec.performance]
    overall = [float(np.mean([row[name].mean for name in performance] or [np.nan])) for row in named]
    ranks = _ranks(overall)
    rows = zip(transforms, named, overall, ranks, strict=True)
    return Summary(
        metrics=tuple(metrics),
        rows=tuple(SummaryRow(transform=t, cells=c, overall=o, rank=r) for t, c, o, r in rows),
        map_name=map_name,
        precision=precision,
        parts=parts,
    )


def _cell(values: ImageValues, transform: int, metric: int) -> Cell:
    column = values.values[:, transform, metric]
    defined = column[~np.isnan(column)]
    undefined = int(values.recorded[:, transform, metric].sum()) - len(defined)
    mean = float(defined.mean()) if len(defined) else float("nan")
    deviation = float(defined.std(ddof=1)) if len(defined) > 1 else float("nan")
    return Cell(mean=mean, deviation=deviation, n=len(defined), undefined=undefined)


def _ranks(scores: Sequence[float]) -> list[int | None]:
    """Return the ranks: 1 for the greatest score; equal scores share the better rank; None for NaN."""
    return [None if np.isnan(score) else 1 + sum(other > score for other in scores) for score in scores]
