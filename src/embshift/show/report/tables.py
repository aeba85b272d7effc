"""Tables of the page beside the metrics': what shifts amount to, severity, equal damage."""

import math
from collections.abc import Iterator, Sequence
from typing import Any

from embshift.analysis.embeddings.measures import Measured
from embshift.analysis.strength.matched import Matched, MatchedGroup
from embshift.analysis.strength.sweep import Curve, Sweep
from embshift.show.report.beyond import Beyond
from embshift.show.report.facts import Facts
from embshift.show.report.levels import damage_text
from embshift.show.report.numbers import rounded
from embshift.show.report.palette import transform_colours
from embshift.show.report.text import counted, number, percent, visible
from embshift.show.text.sweep import s50_text, strength_text

__all__ = ["curves", "tables"]

_SHOWN = {
    "calibration": ("floor_ratio", "relative_shift", "neighbour_ratio", "neighbour_percentile"),
    "retrieval": ("recall_at_1", "mrr", "knn_jaccard"),
    "direction": ("consistency", "corrected_mean"),
    "structure": ("unbiased_cka", "procrustes", "rsa"),
}
_SPOKEN = {
    "floor_ratio": "times the floor",
    "relative_shift": "of the mean distance",
    "neighbour_ratio": "of the nearest distance",
    "neighbour_percentile": "nearest neighbours passed",
    "recall_at_1": "recall@1",
    "mrr": "MRR",
    "knn_jaccard": "neighbours kept",
    "corrected_mean": "removed by a vector",
    "unbiased_cka": "CKA",
    "procrustes": "Procrustes",
    "rsa": "RSA",
}
_CHANCE = {"procrustes": "procrustes_chance", "rsa": "rsa_chance"}

Cell = dict[str, str]
Table = dict[str, Any]


def tables(facts: Facts) -> list[Table]:
    """All tables that hold for a run, in order: title, note, header and rows of cells."""
    found = list[Table]()
    if facts.levels.sweep is not None:
        found.append(_sweep(facts.levels.sweep))
    if facts.levels.matched is not None:
        found.append(_matched(facts.levels.matched))
    if facts.beyond is not None:
        found += _amounts(facts.beyond)
    return found


def _cell(text: str, *small: str) -> Cell:
    return {"text": visible(text), "small": visible(" ".join(one for one in small if one))}


def _head(text: str, title: str = "") -> Cell:
    return {"text": visible(text), "title": visible(title)}


def _ends(low: float, high: float) -> str:
    return "" if math.isnan(low) else f"[{number(low)}, {number(high)}]"


def _amounts(beyond: Beyond) -> Iterator[Table]:
    yield _of_measures(
        [beyond.calibration, beyond.retrieval],
        title="What the shifts amount to",
        note=(
            f"Of 1 − cosine, on {counted(beyond.calibration.images, 'picture')}. In brackets 95 % intervals."
            " Point at a heading for what it says."
        ),
    )
    yield _of_measures(
        [beyond.direction, beyond.structure],
        title="Whether they go one way, and whether the arrangement stays",
        note=(
            f"Directions on {counted(beyond.direction.images, 'picture')}; the arrangement (CKA, Procrustes,"
            f" RSA) on {counted(beyond.structure.images, 'picture')}, with what chance alone gives below it."
        ),
    )


def _of_measures(found: Sequence[Measured], *, title: str, note: str) -> Table:
    columns = [
        (each, measure) for each in found for measure in each.measures if measure.name in _SHOWN[each.name]
    ]
    heads = [
        _head(f"{_SPOKEN.get(one.name, one.name)}{'' if one.unit == '1' else f' ({one.unit})'}", one.summary)
        for _, one in columns
    ]
    rows = [
        [_cell(name), *(_measured(each, name, measure.name) for each, measure in columns)]
        for name in found[0].transforms
    ]
    return {"title": title, "note": note, "header": [_head("transform"), *heads], "rows": rows}


def _measured(found: Measured, name: str, measure: str) -> Cell:
    below = _ends(*found.interval(name, measure))
    if measure in _CHANCE:
        below = f"chance {number(found.mean(name, _CHANCE[measure]))}"
    return _cell(number(found.mean(name, measure)), below)


def _sweep(sweep: Sweep) -> Table:
    rows = [
        [
            _cell(curve.transform, curve.family),
            _cell(
                number(float(curve.area.mean[0])), _ends(float(curve.area.low[0]), float(curve.area.high[0]))
            ),
            _cell(s50_text(curve), "" if curve.axis == "severity" or curve.unit == "1" else curve.unit),
            _cell(number(curve.monotonicity)),
            _cell(_strengths(curve), curve.meaning),
            _cell(f"{int(curve.shift.n.max()):,}"),
        ]
        for curve in sweep.curves
    ]
    return {
        "title": "Shift against severity",
        "note": (
            f"In brackets {percent(sweep.level)} intervals. Originals are sought among"
            f" {counted(sweep.gallery, 'picture')}."
        ),
        "header": [
            _head("transform"),
            _head("area", "mean height of the curve of 1 − cosine over its levels"),
            _head("s50", "least level at which under half of the views find their original"),
            _head("monotone", "mean rank correlation of shift and level, −1 to 1"),
            _head("strengths", "from the mildest level to the most severe"),
            _head("pictures", "that the curve is a mean over"),
        ],
        "rows": rows,
    }


def _strengths(curve: Curve) -> str:
    return " to ".join(strength_text(one, curve.unit) for one in (curve.strengths[0], curve.strengths[-1]))


def _matched(matched: Matched) -> Table:
    return {
        "title": "Transforms at equal damage",
        "note": (
            f"Strengths were solved on {counted(matched.solved_on, 'picture')}; shift and recall are of"
            f" {matched.gallery:,} others. In brackets {percent(matched.level)} intervals. The two kinds of"
            " damage are not comparable."
        ),
        "header": [
            _head("transform"),
            _head("damage", "what all of a group were brought to"),
            _head("strength"),
            _head("reached", "damage that the strength does, where it was solved"),
            _head("shift", "mean of 1 − cosine"),
            _head("recall@1", "share of views whose original is the nearest picture"),
            _head("pictures"),
        ],
        "rows": [*(row for group in matched.groups for row in _group(group)), *_unmatched(matched)],
    }


def _unmatched(matched: Matched) -> Iterator[Sequence[Cell]]:
    for row in matched.unmatched:
        shift = _cell(number(row.shift), _ends(row.low, row.high))
        damage = _cell("unmatched", "as the preset paper sets it")
        yield [_cell(row.transform), damage, _cell("–"), _cell("–"), shift, _cell("–"), _cell(f"{row.n:,}")]


def _group(group: MatchedGroup) -> Iterator[Sequence[Cell]]:
    damage = damage_text(group)
    for row in group.rows:
        yield [
            _cell(row.transform, row.family),
            _cell(damage),
            _cell(strength_text(float(f"{row.strength:.4g}"), row.unit)),
            _cell(f"{row.achieved:.4g}"),
            _cell(number(row.shift), _ends(row.low, row.high)),
            _cell(number(row.recall)),
            _cell(f"{row.n:,}"),
        ]
    for each in group.out_of_reach:
        reached = [_cell(f"{each.achieved:.4g}"), _cell("out of reach"), _cell(""), _cell("")]
        yield [_cell(each.transform, each.family), _cell(damage), _cell("–", each.why), *reached]


def curves(facts: Facts) -> dict[str, Any] | None:
    """Mean shift at every level of every transform; None for a run without levels."""
    sweep = facts.levels.sweep
    if sweep is None:
        return None
    colours = transform_colours([curve.transform for curve in sweep.curves])
    first = sweep.curves[0]
    unit = "" if first.unit == "1" else f" ({first.unit})"
    axis = "severity, 1 to 5" if first.axis == "severity" else f"{first.meaning}{unit}"
    return {
        "axis": visible(axis),
        "lines": [
            {
                "name": visible(curve.transform),
                "colour": colour,
                "points": [[rounded(at), rounded(mean)] for at, mean in _points(curve)],
                "strengths": [visible(strength_text(one, curve.unit)) for one in curve.strengths],
            }
            for curve, colour in zip(sweep.curves, colours, strict=True)
        ],
    }


def _points(curve: Curve) -> list[tuple[float, float]]:
    """Level and mean shift, from the untouched picture where the axis has a place for it."""
    start = [] if curve.left is None else [(curve.left, 0.0)]
    return [*start, *((at, float(mean)) for at, mean in zip(curve.at, curve.shift.mean, strict=True))]
