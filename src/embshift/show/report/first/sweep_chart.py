"""The first chart of a sweep: one row for each edit, one cell for each level, filled by the share found."""

from collections.abc import Sequence
from typing import Any

from embshift.analysis.strength.sweep import Curve, Sweep
from embshift.core.words import count_noun
from embshift.runs.tables import RunTables
from embshift.show.report.facts.run import Facts
from embshift.show.report.first.estimates import Estimate, list_estimate
from embshift.show.report.first.headline import first_losses
from embshift.show.report.first.typical import list_typical_views
from embshift.show.report.parts.palette import transform_colours
from embshift.show.text.sweep import strength_text
from embshift.show.text.words import format_percent, make_visible

__all__ = ["build_sweep_chart"]

_HALF = 0.5
"""Share of found originals below which search is broken."""


def build_sweep_chart(run: RunTables, facts: Facts, sweep: Sweep) -> dict[str, Any]:
    """Return the chart: the edit that breaks search first is on top."""
    curves = _sort(sweep)
    shown = {curve.transform: curve.names[_find_loss(curve)] for curve in curves}
    views = list_typical_views(run, facts, list(shown.values()))
    colours = transform_colours([curve.transform for curve in curves])
    rows = [
        {
            "name": make_visible(curve.transform),
            "colour": colour,
            "view": views.get(shown[curve.transform]),
            "cells": [_cell(facts, curve, at) for at in range(len(curve.at))],
        }
        for curve, colour in zip(curves, colours, strict=True)
    ]
    return {
        "kind": "sweep",
        "title": f"Originals found among {count_noun(sweep.gallery, 'image')}, from mild to severe",
        "note": (
            "Number: share of views whose nearest original is their own. Framed: below"
            f" {format_percent(_HALF)}. Images: an original, and its view at the first level that is framed,"
            " or else at the last."
        ),
        "groups": [{"title": "", "rows": rows}],
    }


def _sort(sweep: Sweep) -> list[Curve]:
    lost = first_losses(sweep)
    rest = [curve for curve in sweep.curves if curve not in lost]
    return [*lost, *sorted(rest, key=lambda curve: float(curve.recall.mean.min()))]


def _find_loss(curve: Curve) -> int:
    """Return the first level below one half, or the last one."""
    below: Sequence[int] = [at for at, share in enumerate(curve.recall.mean.tolist()) if share < _HALF]
    return below[0] if below else len(curve.at) - 1


def _cell(facts: Facts, curve: Curve, at: int) -> dict[str, Any]:
    means = curve.recall
    share = Estimate(value=float(means.mean[at]), low=float(means.low[at]), high=float(means.high[at]))
    strength = strength_text(curve.strengths[at], curve.unit)
    level = f"severity {curve.at[at]:g}, {strength}" if curve.axis == "severity" else strength
    return {
        "level": make_visible(level),
        "head": make_visible(f"{curve.at[at]:g}"),
        "found": list_estimate(share),
        "broken": bool(share.value < _HALF),
        "transform": facts.transforms.index(curve.names[at]),
    }
