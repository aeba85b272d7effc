"""Tables of the worst case of a sweep: for a terminal, a paper, a spreadsheet, a program."""

import math
from typing import Any

from rich.table import Table

from embshift.analysis.sampling.bootstrap import Intervals
from embshift.analysis.strength.flip_prediction import FEWEST_IMAGES, FlipPrediction
from embshift.analysis.strength.worst_case import PREDICTORS, WorstCases
from embshift.core.words import count_noun
from embshift.show.text.markup import Cells, find_writer, open_table
from embshift.show.text.numbers import format_estimate, format_exact, write_json

__all__ = ["describe_prediction", "format_worst_case", "worst_case_table"]

_SPELT = {"radius": "radius", "shift": "mean shift", "neighbour_ratio": "neighbour ratio"}


def worst_case_table(found: WorstCases) -> Table:
    """Return the worst case as a table for the terminal, the largest radius first."""
    table = open_table(_caption(found))
    header, rows = _cells(found)
    for name in header:
        table.add_column(name, justify="left" if name == "transform" else "right", no_wrap=True)
    for cells in rows:
        table.add_row(*cells)
    return table


def format_worst_case(found: WorstCases, *, style: str) -> str:
    """Format the worst case as text.

    Args:
        found: The worst case.
        style: "markdown", "csv", "json" or "latex"; csv and json keep full precision, and json has how well
            flips are predicted.

    Raises:
        UnknownNameError: For another style.
    """
    if style == "json":
        return write_json(_content(found))
    return find_writer(style)(*(_columns(found) if style == "csv" else _cells(found)))


def describe_prediction(found: WorstCases) -> str:
    """Return one line: how well flips of labels are predicted, or why not; empty without labels."""
    if found.refused:
        return f"no prediction of label flips: {found.refused}"
    if found.prediction is None:
        return ""
    values = [
        f"{_SPELT[name]} {_format_correlation(*found.prediction.measure(name))}"
        for name in found.prediction.predictors
    ]
    few = (
        f"; fewer than {FEWEST_IMAGES} images, so no interval"
        if found.prediction.images < FEWEST_IMAGES
        else ""
    )
    return (
        f"rank correlation with the flip rate over {count_noun(found.prediction.transforms, 'transform')}"
        f" (Spearman): {', '.join(values)}{few}"
    )


def _format_correlation(value: float, low: float, high: float) -> str:
    if math.isnan(value):
        return "undefined"
    ends = "" if math.isnan(low) else f" ({low:.2f} to {high:.2f})"
    return f"{value:.2f}{ends}".replace("-", "−")


def _caption(found: WorstCases) -> str:
    lines = [
        "radius: of the smallest ball that holds the unit embeddings of an image and of its views at all"
        f" severities; mean over images, {100 * found.level:g} % interval",
        describe_prediction(found),
    ]
    return "\n".join(line for line in lines if line)


def _cells(found: WorstCases) -> Cells:
    header = ["transform", "severities", "radius", *(["flip rate"] if found.flip_rate else []), "n"]
    shown = [one for one in (found.radius, found.flip_rate) if one is not None]
    rows = [
        [
            transform,
            str(found.severities[at]),
            *(format_estimate(*_list_numbers(one, at).values()) for one in shown),
            f"{int(found.radius.n[at]):,}",
        ]
        for at, transform in enumerate(found.transforms)
    ]
    return header, rows


def _columns(found: WorstCases) -> Cells:
    records = found.records()
    rows = [
        [format_exact(value) if isinstance(value, float) else str(value) for value in record.values()]
        for record in records
    ]
    return list(records[0]), rows


def _content(found: WorstCases) -> dict[str, Any]:
    return {
        "images": found.images,
        "level": found.level,
        "resamples": found.resamples,
        "seed": found.seed,
        "transforms": found.records(),
        "prediction": None if found.prediction is None else _list_correlations(found.prediction),
        "prediction_refused": found.refused or None,
    }


def _list_correlations(found: FlipPrediction) -> dict[str, Any]:
    sides = {"spearman": found.spearman, "kendall": found.kendall}
    return {"transforms": found.transforms, "images": found.images} | {
        name: {side: _list_numbers(one, at) for side, one in sides.items()}
        for at, name in enumerate(PREDICTORS)
    }


def _list_numbers(found: Intervals, at: int) -> dict[str, float]:
    return {part: float(getattr(found, part)[at]) for part in ("mean", "low", "high")}
