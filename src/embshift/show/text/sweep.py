"""Curves over severity as text: for a terminal, a paper, a spreadsheet, a program."""

import json
import math
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Table

from embshift.analysis.sampling.bootstrap import Intervals
from embshift.analysis.strength.sweep import Curve, Sweep
from embshift.core.errors import UnknownNameError
from embshift.show.text.markup import comma_separated, latex, markdown
from embshift.show.text.summary import FORMATS

__all__ = ["format_sweep", "s50_text", "strength_text", "sweep_table"]


def strength_text(value: float, unit: str) -> str:
    """A strength with its unit, e.g. "15°", "2.5 px" or "0.3"."""
    return f"{value:g}" + ("" if unit == "1" else unit if unit == "°" else f" {unit}")


def s50_text(curve: Curve) -> str:
    """Where half of the originals are no longer found: "2.4", "> 5", "< 1"; a dash where it is unknown."""
    if curve.censored:
        end = curve.at[-1] if curve.censored == ">" else curve.at[0]
        return f"{curve.censored} {end:g}"
    return "–" if math.isnan(curve.s50) else f"{curve.s50:.3g}"


def sweep_table(sweep: Sweep) -> Table:
    """The curves for a terminal: one row a transform, its shifts with their intervals."""
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), caption=_caption(sweep), caption_justify="left")
    table.add_column("transform", no_wrap=True)
    for at in range(_longest(sweep)):
        table.add_column(str(at + 1), justify="right")
    for name in ("area", "s50", "monotone", "n"):
        table.add_column(name, justify="right", no_wrap=True)
    for curve in sweep.curves:
        cells = [_level(curve, at, between="\n") for at in range(len(curve.at))]
        cells += [""] * (_longest(sweep) - len(cells))
        table.add_row(escape(curve.transform), *cells, *_ends(curve))
    return table


def _longest(sweep: Sweep) -> int:
    return max(len(curve.at) for curve in sweep.curves)


def _caption(sweep: Sweep) -> str:
    return (
        f"mean shift (1 − cosine) at each level, {100 * sweep.level:g} % interval over images, strength\n"
        "area: mean height of the curve · monotone: mean Spearman correlation of shift and level\n"
        f"s50: least level at which under half of the views find their original among {sweep.gallery:,}"
    )


def _number(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:.4f}"


def _interval(found: Intervals, at: int, *, between: str = " ") -> str:
    if math.isnan(found.low[at]):
        return _number(float(found.mean[at]))
    ends = f"({_number(float(found.low[at]))} to {_number(float(found.high[at]))})"
    return f"{_number(float(found.mean[at]))}{between}{ends}"


def _level(curve: Curve, at: int, *, between: str = " ") -> str:
    where = strength_text(curve.strengths[at], curve.unit)
    return f"{_interval(curve.shift, at, between=between)}{between}{where}"


def _ends(curve: Curve) -> list[str]:
    counts = sorted(set(curve.shift.n.tolist()), reverse=True)
    return [
        _number(float(curve.area.mean[0])),
        s50_text(curve),
        "–" if math.isnan(curve.monotonicity) else f"{curve.monotonicity:.2f}",
        " / ".join(f"{count:,}" for count in counts),
    ]


def format_sweep(sweep: Sweep, *, style: str) -> str:
    """Curves as text.

    Args:
        sweep: The curves.
        style: A name in `FORMATS` but "table"; "csv" has one row a level, and with "json" full precision.

    Raises:
        UnknownNameError: For another style.
    """
    if style == "json":
        return json.dumps(_content(sweep), indent=2, allow_nan=False)
    writers = {"markdown": markdown, "latex": latex, "csv": comma_separated}
    if style not in writers:
        raise UnknownNameError("format", style, [name for name in FORMATS if name != "table"])
    return writers[style](*(_columns(sweep) if style == "csv" else _cells(sweep)))


def _cells(sweep: Sweep) -> tuple[list[str], list[list[str]]]:
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


_MEANS = ("mean", "low", "high")


def _columns(sweep: Sweep) -> tuple[list[str], list[list[str]]]:
    header = ["transform", "family", "name", "axis", "level", "strength", "unit"]
    header += [f"{part}_{end}" for part in ("shift", "recall_at_1", "area") for end in _MEANS]
    header += ["n", "s50", "s50_censored", "monotonicity", "gallery"]
    rows = list[list[str]]()
    for curve in sweep.curves:
        for at, name in enumerate(curve.names):
            numbers = [(curve.shift, at), (curve.recall, at), (curve.area, 0)]
            rows.append(
                [curve.transform, curve.family, name, curve.axis]
                + [_exact(curve.at[at]), _exact(curve.strengths[at]), curve.unit]
                + [_exact(float(getattr(found, end)[place])) for found, place in numbers for end in _MEANS]
                + [str(int(curve.shift.n[at])), _exact(curve.s50), curve.censored]
                + [_exact(curve.monotonicity), str(sweep.gallery)]
            )
    return header, rows


def _exact(value: float) -> str:
    return "" if math.isnan(value) else repr(value)


def _null(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _content(sweep: Sweep) -> dict[str, Any]:
    return {
        "gallery": sweep.gallery,
        "level": sweep.level,
        "resamples": sweep.resamples,
        "seed": sweep.seed,
        "transforms": [_curve_content(curve) for curve in sweep.curves],
    }


def _curve_content(curve: Curve) -> dict[str, Any]:
    def numbers(found: Intervals, at: int) -> dict[str, float | None]:
        return {end: _null(float(getattr(found, end)[at])) for end in _MEANS}

    levels = [
        {
            "name": name,
            "level": curve.at[at],
            "strength": curve.strengths[at],
            "shift": numbers(curve.shift, at),
            "recall_at_1": numbers(curve.recall, at),
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
        "area": numbers(curve.area, 0),
        "s50": _null(curve.s50),
        "s50_censored": curve.censored,
        "monotonicity": _null(curve.monotonicity),
        "monotone_images": curve.monotone_images,
        "levels": levels,
    }
