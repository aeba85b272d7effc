"""Tables on shifts in context: calibration, retrieval, direction, structure, severity, equal damage."""

from collections.abc import Iterator, Sequence
from typing import Any

from embshift.analysis.embeddings.measures import Measured
from embshift.analysis.strength.matched import Matched, MatchedGroup
from embshift.analysis.strength.sweep import Curve, Sweep
from embshift.core.words import count_noun
from embshift.show.report.cells import Cell, format_ends, make_cell, make_head
from embshift.show.report.facts.embeddings import EmbeddingFacts
from embshift.show.report.facts.levels import format_damage
from embshift.show.report.facts.run import Facts
from embshift.show.report.first.shifts import rank_shifts
from embshift.show.report.parts.palette import transform_colours
from embshift.show.report.parts.rounding import round_value
from embshift.show.report.threshold_table import build_threshold_table
from embshift.show.text.numbers import format_counts, spell_number
from embshift.show.text.sweep import s50_ends, s50_text, strength_text
from embshift.show.text.words import format_percent, make_visible

__all__ = ["build_curves", "build_tables"]

_SHOWN = {
    "calibration": ("floor_ratio", "relative_shift", "neighbour_ratio", "neighbour_percentile"),
    "retrieval": ("recall_at_1", "mrr", "knn_jaccard"),
    "direction": ("consistency", "corrected_mean"),
    "structure": ("unbiased_cka", "procrustes", "rsa"),
}
_HEADINGS = {
    "floor_ratio": "shift / preparation floor",
    "relative_shift": "shift / mean distance",
    "neighbour_ratio": "shift / nearest distance",
    "neighbour_percentile": "nearest neighbours passed",
    "recall_at_1": "recall@1",
    "mrr": "MRR",
    "knn_jaccard": "neighbours kept",
    "corrected_mean": "removed by mean vector",
    "unbiased_cka": "CKA",
    "procrustes": "Procrustes",
    "rsa": "RSA",
}
_CHANCE = {"procrustes": "procrustes_chance", "rsa": "rsa_chance"}

Table = dict[str, Any]


def build_tables(facts: Facts) -> list[Table]:
    """Return all tables that apply to a run, in order: title, note, header and rows of cells."""
    found = list[Table]()
    if facts.levels.sweep is not None:
        found.append(_sweep(facts.levels.sweep))
    if facts.levels.matched is not None:
        found.append(_matched(facts.levels.matched))
    if facts.embeddings is not None:
        order = [row.transform for row in rank_shifts(facts).rows]
        found += _embeddings(facts.embeddings, order=order)
        found.append(build_threshold_table(facts.embeddings.thresholds, order=order))
    return found


def _embeddings(found: EmbeddingFacts, *, order: Sequence[str]) -> Iterator[Table]:
    yield _measured(
        [found.calibration, found.retrieval],
        order=order,
        title="How large are the shifts, and are originals still found?",
        note=(
            f"Shift: 1 − cosine, {count_noun(found.calibration.images, 'image')}. Brackets: 95 % intervals."
            " Hover over a heading for its definition."
        ),
    )
    yield _measured(
        [found.direction, found.structure],
        order=order,
        title="Is the shift consistent, and is the geometry preserved?",
        note=(
            f"Consistency and removal: {count_noun(found.direction.images, 'image')}. CKA, Procrustes and"
            f" RSA: {count_noun(found.structure.images, 'image')}. Brackets: 95 % intervals. Chance: mean"
            " and 95 % range over random permutations of the views."
        ),
    )


def _measured(found: Sequence[Measured], *, order: Sequence[str], title: str, note: str) -> Table:
    columns = [
        (each, measure) for each in found for measure in each.measures if measure.name in _SHOWN[each.name]
    ]
    heads = [
        make_head(
            f"{_HEADINGS.get(one.name, one.name)}{'' if one.unit == '1' else f' ({one.unit})'}", one.summary
        )
        for _, one in columns
    ]
    rows = [
        [
            make_cell(name),
            *(_measured_cell(each, name, measure.name) for each, measure in columns),
            make_cell(format_counts(each.count(name, measure.name) for each, measure in columns)),
        ]
        for name in sorted(found[0].transforms, key=order.index)
    ]
    last = make_head(
        "images", "number of images behind the values; several numbers where values differ in it"
    )
    return {"title": title, "note": note, "header": [make_head("transform"), *heads, last], "rows": rows}


def _measured_cell(found: Measured, name: str, measure: str) -> Cell:
    below = format_ends(*found.interval(name, measure))
    if measure in _CHANCE:
        chance = _CHANCE[measure]
        ends = format_ends(*found.interval(name, chance))
        below = f"{below} chance {spell_number(found.mean(name, chance))} {ends}".strip()
    return make_cell(spell_number(found.mean(name, measure)), below)


def _sweep(sweep: Sweep) -> Table:
    rows = [
        [
            make_cell(curve.transform, curve.family),
            make_cell(
                spell_number(float(curve.area.mean[0])),
                format_ends(float(curve.area.low[0]), float(curve.area.high[0])),
            ),
            make_cell(
                s50_text(curve),
                "" if curve.axis == "severity" or curve.unit == "1" else curve.unit,
                f"[{s50_ends(curve)}]" if s50_ends(curve) else "",
            ),
            make_cell(
                spell_number(float(curve.monotonicity.mean[0])),
                format_ends(float(curve.monotonicity.low[0]), float(curve.monotonicity.high[0])),
            ),
            make_cell(_strengths(curve), curve.meaning),
            make_cell(f"{int(curve.shift.n.max()):,}"),
        ]
        for curve in sweep.curves
    ]
    return {
        "title": "Shift by level",
        "note": (
            f"Brackets: {format_percent(sweep.level)} intervals. Recall@1 is among"
            f" {count_noun(sweep.gallery, 'image')}. Hover over a heading for its definition."
        ),
        "header": [
            make_head("transform"),
            make_head("area", "mean height of the curve of 1 − cosine over its levels"),
            make_head("s50", "lowest level at which recall@1 is below 50 %"),
            make_head("monotone", "mean rank correlation of shift and level, −1 to 1"),
            make_head("strengths", "from the mildest to the most severe level"),
            make_head("images", "number of images that the curve averages"),
        ],
        "rows": rows,
    }


def _strengths(curve: Curve) -> str:
    return " to ".join(strength_text(one, curve.unit) for one in (curve.strengths[0], curve.strengths[-1]))


def _matched(matched: Matched) -> Table:
    return {
        "title": "Transforms at equal damage",
        "note": (
            f"Each half of {count_noun(matched.gallery, 'image')} is measured at strengths that were solved"
            f" on the other half, over {matched.splits} splits. Brackets: {format_percent(matched.level)}"
            " intervals; ranks hold jointly. *: off its target. SSIM and displacement are not comparable."
        ),
        "header": [
            make_head("transform"),
            make_head("damage", "target of all transforms in a group"),
            make_head("strength"),
            make_head("reached", "mean damage on the images that are measured"),
            make_head("shift", "mean of 1 − cosine"),
            make_head("rank", "plausible ranks within the group; 1 shifts most"),
            make_head("recall@1", "share of views whose nearest image is their own original"),
            make_head("images"),
        ],
        "rows": [*(row for group in matched.groups for row in _group(group)), *_unmatched(matched)],
    }


def _unmatched(matched: Matched) -> Iterator[Sequence[Cell]]:
    for row in matched.unmatched:
        shift = make_cell(spell_number(row.shift), format_ends(row.low, row.high))
        damage = make_cell("unmatched", "strength of the preset paper")
        none = make_cell("–")
        yield [make_cell(row.transform), damage, none, none, shift, none, none, make_cell(f"{row.n:,}")]


def _group(group: MatchedGroup) -> Iterator[Sequence[Cell]]:
    damage = format_damage(group)
    for row in group.rows:
        yield [
            make_cell(row.transform, row.family),
            make_cell(damage),
            make_cell(strength_text(float(f"{row.strength:.4g}"), row.unit)),
            make_cell(
                f"{row.damage:.4g}{' *' if row.off_target else ''}",
                format_ends(row.damage_low, row.damage_high),
            ),
            make_cell(spell_number(row.shift), format_ends(row.low, row.high)),
            make_cell(f"{row.best}" if row.best == row.worst else f"{row.best} to {row.worst}"),
            make_cell(spell_number(row.recall), format_ends(row.recall_low, row.recall_high)),
            make_cell(f"{row.n:,}"),
        ]
    for each in group.out_of_reach:
        reached = [make_cell(one) for one in (f"{each.achieved:.4g}", "out of reach", "", "", "")]
        yield [make_cell(each.transform, each.family), make_cell(damage), make_cell("–", each.why), *reached]


def build_curves(facts: Facts) -> dict[str, Any] | None:
    """Return the mean shift at every level of every transform; None for a run without levels."""
    sweep = facts.levels.sweep
    if sweep is None:
        return None
    colours = transform_colours([curve.transform for curve in sweep.curves])
    first = sweep.curves[0]
    unit = "" if first.unit == "1" else f" ({first.unit})"
    axis = "severity (1 to 5)" if first.axis == "severity" else f"{first.meaning}{unit}"
    return {
        "axis": make_visible(axis),
        "lines": [
            {
                "name": make_visible(curve.transform),
                "colour": colour,
                "points": [[round_value(at), round_value(mean)] for at, mean in _points(curve)],
                "strengths": [make_visible(strength_text(one, curve.unit)) for one in curve.strengths],
            }
            for curve, colour in zip(sweep.curves, colours, strict=True)
        ],
    }


def _points(curve: Curve) -> list[tuple[float, float]]:
    """Return level and mean shift, starting with the original if the axis has a place for it."""
    start = [] if curve.left is None else [(curve.left, 0.0)]
    return [*start, *((at, float(mean)) for at, mean in zip(curve.at, curve.shift.mean, strict=True))]
