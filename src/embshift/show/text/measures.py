"""Measurements as text: for a terminal, a paper, a spreadsheet, a program."""

import json
import math
from collections.abc import Callable
from typing import Any, TypeAlias

from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Table

from embshift.analysis.embeddings.measures import Measured
from embshift.analysis.shifts.paired_tests import PairedTest, PairedTests
from embshift.core.errors import UnknownNameError
from embshift.show.text.markup import comma_separated, latex, markdown
from embshift.show.text.summary import FORMATS

__all__ = ["differences_table", "format_differences", "format_measured", "measured_table"]

Cells: TypeAlias = tuple[list[str], list[list[str]]]


def measured_table(measured: Measured) -> Table:
    """Measurements for a terminal: each value with its interval below, what it is noted below all."""
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), caption=_caption(measured), caption_justify="left")
    table.add_column("transform", no_wrap=True)
    for measure in measured.measures:
        table.add_column(measure.name, justify="right")
    table.add_column("n", justify="right", no_wrap=True)
    for at, transform in enumerate(measured.transforms):
        cells = [_told(measured, at, column, between="\n") for column in range(len(measured.measures))]
        table.add_row(escape(transform), *cells, _counts(measured, at))
    return table


def _caption(measured: Measured) -> str:
    lines = list(measured.notes)
    if not math.isnan(measured.level):
        lines.insert(0, f"value and its {100 * measured.level:g} % interval over images")
    if measured.left_out:
        lines.append(f"{measured.left_out:,} pictures without a usable embedding are left out")
    if undefined := int(measured.undefined.sum()):
        lines.append(f"{undefined:,} undefined values are left out")
    return escape("\n".join(lines))


def _number(value: float) -> str:
    if math.isnan(value):
        return "–"
    size = abs(value)
    if size and size < 1e-3:
        return f"{value:.2e}"
    return f"{value:.4g}" if size >= 10 else f"{value:.4f}"


def _told(measured: Measured, at: int, column: int, *, between: str = " ") -> str:
    found = measured.estimates
    low, high = float(found.low[at, column]), float(found.high[at, column])
    value = _number(float(found.mean[at, column]))
    return value if math.isnan(low) else f"{value}{between}({_number(low)} to {_number(high)})"


def _counts(measured: Measured, at: int) -> str:
    counts = sorted(set(measured.estimates.n[at].tolist()), reverse=True)
    return " / ".join(f"{count:,}" for count in counts)


def format_measured(measured: Measured, *, style: str) -> str:
    """Measurements as text.

    Args:
        measured: The measurements.
        style: A name in `FORMATS` but "table"; "csv" and "json" hold full precision, the others are rounded.

    Raises:
        UnknownNameError: For another style.
    """
    if style == "json":
        return json.dumps(_content(measured), indent=2, allow_nan=False)
    return _writer(style)(*(_columns(measured) if style == "csv" else _cells(measured)))


def _writer(style: str) -> Callable[[list[str], list[list[str]]], str]:
    writers = {"markdown": markdown, "latex": latex, "csv": comma_separated}
    if style not in writers:
        raise UnknownNameError("format", style, [name for name in FORMATS if name != "table"])
    return writers[style]


def _cells(measured: Measured) -> Cells:
    header = ["transform", *(measure.name for measure in measured.measures), "n"]
    rows = [
        [
            transform,
            *(_told(measured, at, column) for column in range(len(measured.measures))),
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
            *(_exact(_part(measured, part, at, column)) for column in range(len(names)) for part in _PARTS),
        ]
        for at, transform in enumerate(measured.transforms)
    ]
    return header, rows


def _exact(value: float | int | None) -> str:
    return "" if value is None or (isinstance(value, float) and math.isnan(value)) else repr(value)


def _null(value: float | int) -> float | int | None:
    """JSON has no NaN and no infinity: null."""
    return value if math.isfinite(value) else None


def _content(measured: Measured) -> dict[str, Any]:
    measures = [
        {
            "name": one.name,
            "summary": one.summary,
            "unit": one.unit,
            "bounds": [_null(bound) for bound in one.bounds],
            "identity": _null(one.identity),
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
                one.name: {part: _null(_part(measured, part, at, column)) for part in _PARTS}
                for column, one in enumerate(measured.measures)
            },
        }
        for at, transform in enumerate(measured.transforms)
    ]
    return {
        "name": measured.name,
        "images": measured.images,
        "left_out": measured.left_out,
        "level": _null(measured.level),
        "notes": list(measured.notes),
        "measures": measures,
        "transforms": rows,
    }


_TESTED = ("difference", "deviation", "n", "p", "adjusted", "needed")


def _header(tests: PairedTests) -> list[str]:
    names = {"adjusted": "p_holm", "needed": "images_needed"}
    shown = _TESTED if tests.detect is not None else _TESTED[:-1]
    return ["first", "second", *(names.get(name, name) for name in shown)]


def _row(tests: PairedTests, one: PairedTest, *, exact: bool) -> list[str]:
    shown = _TESTED if tests.detect is not None else _TESTED[:-1]
    values = [getattr(one, name) for name in shown]
    return [one.first, one.second, *(_exact(value) if exact else _short(value) for value in values)]


def _short(value: float | int | None) -> str:
    return "–" if value is None else f"{value:,}" if isinstance(value, int) else _number(value)


def differences_table(tests: PairedTests) -> Table:
    """Paired tests for a terminal; differences that Holm leaves below 0.05 stand out."""
    how = f"first − second of {tests.by}, sign-flip test over images, {tests.resamples:,} flips, two-sided"
    need = (
        ()
        if tests.detect is None
        else (f"images_needed finds a difference of {tests.detect:g} in 4 of 5 runs",)
    )
    caption = escape("\n".join([how, *need, *tests.notes]))
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), caption=caption, caption_justify="left")
    for at, name in enumerate(_header(tests)):
        table.add_column(name, justify="left" if at < 2 else "right", no_wrap=True)
    for one in tests.tests:
        cells = [escape(cell) for cell in _row(tests, one, exact=False)]
        table.add_row(*cells, style="bold" if one.adjusted < 0.05 else None)
    return table


def format_differences(tests: PairedTests, *, style: str) -> str:
    """Paired tests as text, in the manner of `format_measured`."""
    if style == "json":
        rows = [
            {name: _json(getattr(one, name)) for name in ("first", "second", *_TESTED)} for one in tests.tests
        ]
        content = {
            "by": tests.by,
            "unit": tests.unit,
            "resamples": tests.resamples,
            "detect": tests.detect,
            "notes": list(tests.notes),
            "tests": rows,
        }
        return json.dumps(content, indent=2, allow_nan=False)
    rows = [_row(tests, one, exact=style == "csv") for one in tests.tests]
    return _writer(style)(_header(tests), rows)


def _json(value: Any) -> Any:
    return _null(value) if isinstance(value, float) else value
