"""Tables of shift against severity: for a terminal, a paper, a spreadsheet, a program."""

import math
from typing import Any

from rich.table import Table

from embshift.analysis.sampling.bootstrap import Intervals
from embshift.analysis.strength.sweep import Curve, Sweep
from embshift.show.text.markup import Cells, find_writer, open_table
from embshift.show.text.numbers import format_counts, format_estimate, format_exact, write_json

__all__ = ["format_sweep", "s50_ends", "s50_text", "strength_text", "sweep_table"]


_MEANS = ("mean", "low", "high")


def strength_text(value: float, unit: str) -> str:
    """Format a strength with its unit, e.g. "15°", "2.5 px" or "0.3"."""
    return f"{value:g}" + ("" if unit == "1" else unit if unit == "°" else f" {unit}")


def s50_text(curve: Curve) -> str:
    """Format the level at which recall@1 falls below one half: "2.4", "> 5", "< 1"; "–" if unknown."""
    if curve.censored:
        end = curve.at[-1] if curve.censored == ">" else curve.at[0]
        return f"{curve.censored} {end:g}"
    return "–" if math.isnan(curve.s50) else f"{curve.s50:.3g}"


def s50_ends(curve: Curve) -> str:
    """Format the interval of s50: "1.9 to 3.1", "4.2 to > 5"; empty if unknown."""
    if math.isnan(curve.s50_low):
        return ""
    low, high = (_s50_end(curve, end) for end in (curve.s50_low, curve.s50_high))
    return low if low == high else f"{low} to {high}"


def _s50_end(curve: Curve, end: float) -> str:
    if math.isinf(end):
        return f"> {curve.at[-1]:g}" if end > 0 else f"< {curve.at[0]:g}"
    return f"{end:.3g}"


def sweep_table(sweep: Sweep) -> Table:
    """Return the curves as a table for the terminal: one row per transform, one column per level."""
    table = open_table(_caption(sweep))
    table.add_column("transform", no_wrap=True)
    for at in range(_longest(sweep)):
        table.add_column(str(at + 1), justify="right")
    for name in ("area", "s50", "monotone", "n"):
        table.add_column(name, justify="right", no_wrap=True)
    for curve in sweep.curves:
        cells = [_level(curve, at, between="\n") for at in range(len(curve.at))]
        cells += [""] * (_longest(sweep) - len(cells))
        table.add_row(curve.transform, *cells, *_ends(curve, between="\n"))
    return table


def _longest(sweep: Sweep) -> int:
    return max(len(curve.at) for curve in sweep.curves)


def _caption(sweep: Sweep) -> str:
    return (
        f"per level: mean shift (1 − cosine), its {100 * sweep.level:g} % interval over images, strength;"
        " the other intervals are of the same level\n"
        "area: mean height of the curve · monotone: mean Spearman correlation of shift and level\n"
        f"s50: lowest level at which recall@1 among {sweep.gallery:,} originals is below 50 %"
    )


def _level(curve: Curve, at: int, *, between: str = " ") -> str:
    mean, low, high = (float(getattr(curve.shift, part)[at]) for part in _MEANS)
    shift = format_estimate(mean, low, high, between=between)
    return f"{shift}{between}{strength_text(curve.strengths[at], curve.unit)}"


def _ends(curve: Curve, *, between: str = " ") -> list[str]:
    area, monotone = curve.area, curve.monotonicity
    ends = s50_ends(curve)
    correlation = f"{float(monotone.mean[0]):.2f}".replace("nan", "–")
    if not math.isnan(float(monotone.low[0])):
        correlation += f"{between}({float(monotone.low[0]):.2f} to {float(monotone.high[0]):.2f})"
    return [
        format_estimate(*(float(getattr(area, part)[0]) for part in _MEANS), between=between),
        s50_text(curve) + (f"{between}({ends})" if ends else ""),
        correlation,
        format_counts(curve.shift.n.tolist()),
    ]


def format_sweep(sweep: Sweep, *, style: str) -> str:
    """Format curves as text.

    Args:
        sweep: The curves.
        style: A name in `FORMATS` except "table"; "csv" and "json" keep full precision, and "csv" has one row
            per level.

    Raises:
        UnknownNameError: For another style.
    """
    if style == "json":
        return write_json(_content(sweep))
    return find_writer(style)(*(_columns(sweep) if style == "csv" else _cells(sweep)))


def _cells(sweep: Sweep) -> Cells:
    longest = _longest(sweep)
    header = ["transform", *(str(at + 1) for at in range(longest)), "area", "s50", "monotone", "n"]
    rows = [
        [
            curve.transform,
            *(_level(curve, at) for at in range(len(curve.at))),
            *[""] * (longest - len(curve.at)),
            *_ends(curve),
        ]
        for curve in sweep.curves
    ]
    return header, rows


def _columns(sweep: Sweep) -> Cells:
    header = ["transform", "family", "name", "axis", "level", "strength", "unit"]
    header += [f"{part}_{end}" for part in ("shift", "recall_at_1", "area") for end in _MEANS]
    header += ["n", "s50", "s50_censored", "s50_low", "s50_high"]
    header += [f"monotonicity_{end}" for end in _MEANS] + ["gallery"]
    rows = list[list[str]]()
    for curve in sweep.curves:
        for at, name in enumerate(curve.names):
            numbers = [(curve.shift, at), (curve.recall, at), (curve.area, 0)]
            rows.append(
                [curve.transform, curve.family, name, curve.axis]
                + [format_exact(curve.at[at]), format_exact(curve.strengths[at]), curve.unit]
                + [
                    format_exact(float(getattr(found, end)[place]))
                    for found, place in numbers
                    for end in _MEANS
                ]
                + [str(int(curve.shift.n[at])), format_exact(curve.s50), curve.censored]
                + [format_exact(curve.s50_low), format_exact(curve.s50_high)]
                + [format_exact(float(getattr(curve.monotonicity, end)[0])) for end in _MEANS]
                + [str(sweep.gallery)]
            )
    return header, rows


def _content(sweep: Sweep) -> dict[str, Any]:
    return {
        "gallery": sweep.gallery,
        "level": sweep.level,
        "resamples": sweep.resamples,
        "seed": sweep.seed,
        "transforms": [_curve_content(curve) for curve in sweep.curves],
    }


def _numbers(found: Intervals, at: int) -> dict[str, float]:
    return {end: float(getattr(found, end)[at]) for end in _MEANS}


def _curve_content(curve: Curve) -> dict[str, Any]:
    levels = [
        {
            "name": name,
            "level": curve.at[at],
            "strength": curve.strengths[at],
            "shift": _numbers(curve.shift, at),
            "recall_at_1": _numbers(curve.recall, at),
            "n": int(curve.shift.n[at]),
        }
        for at, name in enumerate(curve.names)
    ]
    return {
        "transform": curve.transform,
        "family": curve.family,
        "axis": curve.axis,
        "unit": curve.unit,
        "meaning": curve.meaning,
        "area": _numbers(curve.area, 0),
        "s50": curve.s50,
        "s50_censored": curve.censored,
        "s50_low": curve.s50_low,
        "s50_high": curve.s50_high,
        "monotonicity": _numbers(curve.monotonicity, 0),
        "monotone_images": int(curve.monotonicity.n[0]),
        "levels": levels,
    }
