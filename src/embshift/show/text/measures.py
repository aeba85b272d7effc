"""Tables of measurements and paired tests: for a terminal, a paper, a spreadsheet, a program."""

import math
from typing import Any

from rich.table import Table

from embshift.analysis.embeddings.measures import Measured
from embshift.analysis.shifts.paired_tests import PairedTest, PairedTests
from embshift.show.text.markup import Cells, find_writer, open_table
from embshift.show.text.numbers import format_cell, format_counts, format_estimate, format_exact, write_json

__all__ = ["differences_table", "format_differences", "format_measured", "measured_table"]


def measured_table(measured: Measured) -> Table:
    """Return measurements as a table for the terminal: each interval below its value, notes at the end."""
    table = open_table(_caption(measured))
    table.add_column("transform", no_wrap=True)
    for measure in measured.measures:
        table.add_column(measure.name, justify="right")
    table.add_column("n", justify="right", no_wrap=True)
    for at, transform in enumerate(measured.transforms):
        cells = [_estimate(measured, at, column, between="\n") for column in range(len(measured.measures))]
        table.add_row(transform, *cells, _counts(measured, at))
    return table


def _caption(measured: Measured) -> str:
    lines = list(measured.notes)
    if not math.isnan(measured.level):
        lines.insert(0, f"value and its {100 * measured.level:g} % interval over images")
    if measured.left_out:
        lines.append(f"images left out because they have no usable embedding: {measured.left_out:,}")
    if undefined := int(measured.undefined.sum()):
        lines.append(f"undefined values left out: {undefined:,}")
    return "\n".join(lines)


def _estimate(measured: Measured, at: int, column: int, *, between: str = " ") -> str:
    found = measured.estimates
    mean, low, high = (float(part[at, column]) for part in (found.mean, found.low, found.high))
    return format_estimate(mean, low, high, between=between, scientific=True)


def _counts(measured: Measured, at: int) -> str:
    return format_counts(measured.estimates.n[at].tolist())


def format_measured(measured: Measured, *, style: str) -> str:
    """Format measurements as text.

    Args:
        measured: The measurements.
        style: A name in `FORMATS` except "table"; "csv" and "json" keep full precision, others round.

    Raises:
        UnknownNameError: For another style.
    """
    if style == "json":
        return write_json(_content(measured))
    return find_writer(style)(*(_columns(measured) if style == "csv" else _cells(measured)))


def _cells(measured: Measured) -> Cells:
    header = ["transform", *(measure.name for measure in measured.measures), "n"]
    rows = [
        [
            transform,
            *(_estimate(measured, at, column) for column in range(len(measured.measures))),
            _counts(measured, at),
        ]
        for at, transform in enumerate(measured.transforms)
    ]
    return header, rows


_PARTS = ("mean", "low", "high", "n", "undefined")


def _part(measured: Measured, part: str, at: int, column: int) -> float | int:
    held = measured.undefined if part == "undefined" else getattr(measured.estimates, part)
    return held[at, column].item()


def _columns(measured: Measured) -> Cells:
    names = [measure.name for measure in measured.measures]
    header = ["transform", *(f"{name}_{part}" for name in names for part in _PARTS)]
    rows = [
        [
            transform,
            *(
                format_exact(_part(measured, part, at, column))
                for column in range(len(names))
                for part in _PARTS
            ),
        ]
        for at, transform in enumerate(measured.transforms)
    ]
    return header, rows


def _content(measured: Measured) -> dict[str, Any]:
    measures = [
        {
            "name": one.name,
            "summary": one.summary,
            "unit": one.unit,
            "bounds": list(one.bounds),
            "identity": one.identity,
            "direction": None if one.direction is None else str(one.direction),
            "blind_to": one.blind_to,
            "reference": one.reference,
        }
        for one in measured.measures
    ]
    rows = [
        {
            "transform": transform,
            "measures": {
                one.name: {part: _part(measured, part, at, column) for part in _PARTS}
                for column, one in enumerate(measured.measures)
            },
        }
        for at, transform in enumerate(measured.transforms)
    ]
    return {
        "name": measured.name,
        "images": measured.images,
        "left_out": measured.left_out,
        "level": measured.level,
        "notes": list(measured.notes),
        "measures": measures,
        "transforms": rows,
    }


_TESTED = ("difference", "deviation", "n", "p", "adjusted", "needed")


def _header(tests: PairedTests) -> list[str]:
    names = {"adjusted": "p_adjusted", "needed": "images_needed"}
    shown = _TESTED if tests.detect is not None else _TESTED[:-1]
    return ["first", "second", *(names.get(name, name) for name in shown)]


def _row(tests: PairedTests, one: PairedTest, *, exact: bool) -> list[str]:
    shown = _TESTED if tests.detect is not None else _TESTED[:-1]
    values = [getattr(one, name) for name in shown]
    return [one.first, one.second, *(format_exact(value) if exact else _short(value) for value in values)]


def _short(value: float | int | None) -> str:
    return (
        "–"
        if value is None
        else f"{value:,}"
        if isinstance(value, int)
        else format_cell(value, scientific=True)
    )


def differences_table(tests: PairedTests) -> Table:
    """Return paired tests as a table for the terminal; rows with adjusted p below 0.05 are bold."""
    flips = f"all {tests.resamples:,}" if tests.exact else f"{tests.resamples:,} random"
    how = f"first − second of {tests.by}; two-sided sign-flip test over images, {flips} flips"
    least = f"p_adjusted: for all comparisons together, by max-T; the least possible p is {tests.least:.2g}"
    need = (
        ()
        if tests.detect is None
        else (f"images_needed: images to detect a difference of {tests.detect:g} with 80 % power",)
    )
    caption = "\n".join([how, least, *need, *tests.notes])
    table = open_table(caption)
    for at, name in enumerate(_header(tests)):
        table.add_column(name, justify="left" if at < 2 else "right", no_wrap=True)
    for one in tests.tests:
        cells = _row(tests, one, exact=False)
        table.add_row(*cells, style="bold" if one.adjusted < 0.05 else None)
    return table


def format_differences(tests: PairedTests, *, style: str) -> str:
    """Format paired tests as text.

    Args:
        tests: The tests.
        style: A name in `FORMATS` except "table"; "csv" and "json" keep full precision, others round.

    Raises:
        UnknownNameError: For another style.
    """
    if style == "json":
        rows = [{name: getattr(one, name) for name in ("first", "second", *_TESTED)} for one in tests.tests]
        content = {
            "by": tests.by,
            "unit": tests.unit,
            "resamples": tests.resamples,
            "exact": tests.exact,
            "least_p": tests.least,
            "detect": tests.detect,
            "notes": list(tests.notes),
            "tests": rows,
        }
        return write_json(content)
    rows = [_row(tests, one, exact=style == "csv") for one in tests.tests]
    return find_writer(style)(_header(tests), rows)
