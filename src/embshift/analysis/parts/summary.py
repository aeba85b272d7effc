"""The summary table of a run that was summed in parts."""

from embshift.analysis.parts.part import Part
from embshift.analysis.shifts.table import Cell, Summary, make_summary

__all__ = ["describe_parts", "summarise_part"]


def summarise_part(part: Part, *, map_name: str, precision: str = "") -> Summary:
    """Return the summary: means and deviations are those of all values, up to rounding.

    Args:
        part: The sums of a run.
        map_name: What the encoder's maps are.
        precision: One line on the encoder's precision.
    """
    transforms, metrics = part.shape
    cells = [[_cell(part, row * metrics + at) for at in range(metrics)] for row in range(transforms)]
    return make_summary(
        cells,
        transforms=part.transforms,
        metrics=part.metrics,
        map_name=map_name,
        precision=precision,
        parts=describe_parts(part),
    )


def _cell(part: Part, column: int) -> Cell:
    return Cell(
        mean=float(part.moments.known_mean[column]),
        deviation=float(part.moments.deviation[column]),
        n=int(part.moments.n[column]),
        undefined=int(part.undefined[column]),
    )


def describe_parts(part: Part) -> str:
    """Say in one line that the numbers of a table come from sums."""
    return f"summed chunk by chunk over {part.images:,} images: equal to all values at once, up to rounding"
