"""Compared runs as sentences, and as tables for a terminal, a paper, a spreadsheet, a program."""

import math
from collections.abc import Iterator
from typing import Any

from rich.table import Table

from embshift.analysis.compared.catalogue import COMPARED
from embshift.analysis.compared.results import ComparedPair, Comparison
from embshift.analysis.compared.spaces import SpaceShift
from embshift.analysis.compared.stability import OVERVIEW
from embshift.core.types import Direction
from embshift.core.words import count_noun
from embshift.show.text.markup import Cells, find_writer, open_table
from embshift.show.text.names import join_names
from embshift.show.text.numbers import format_cell, format_estimate, format_exact, spell_number, write_json
from embshift.show.text.words import format_percent

__all__ = [
    "compared_cells",
    "compared_table",
    "describe_margin",
    "describe_overview",
    "describe_pair",
    "describe_space",
    "format_compared",
    "list_answers",
    "overview_cells",
    "space_cells",
]

_ALIKE = 0.95
"""Overlap of neighbours from which on an index need not be built again for searches of neighbours."""

_ERROR = 0.05

_MOST = 6
"""Names of transforms in a sentence."""


def list_answers(found: Comparison) -> tuple[str, ...]:
    """Return the answers in words: what differs, whether to re-index, what is not worse, what ranks first."""
    answers = list[str]()
    for pair in found.pairs:
        answers.append(describe_pair(found, pair))
        answers += [text for text in (describe_margin(found, pair),) if text]
    overview = describe_overview(found)
    return (overview, *answers) if len(found.runs) > 2 else (*answers, overview)


def describe_pair(found: Comparison, pair: ComparedPair) -> str:
    """Return in one or two sentences how a run differs from the reference."""
    reference = found.runs[0].name
    if pair.space is None:
        first = f"{pair.name} and {reference} are different encoders; each needs an index of its own."
    else:
        first = f"{pair.name} against {reference} ({_relate(pair)}): {describe_space(pair.space)}"
    return f"{first} {_describe_differences(found, pair)}"


def _relate(pair: ComparedPair) -> str:
    """Return how two runs are related; images that were prepared otherwise explain a change by themselves."""
    if not pair.pairing.originals.differing:
        return pair.relation
    why = ", ".join(pair.pairing.prepared)
    return f"{pair.relation}, other pixels{f': {why}' if why else ''}"


def describe_space(space: SpaceShift) -> str:
    """Return whether an index of the old embeddings can be kept, with the numbers that tell."""
    found, overlap = space.old_index_recall, space.neighbour_overlap
    if math.isnan(found):
        shift = spell_number(space.same_image_shift)
        return f"too few images to say whether to re-index (cosine shift of the image {shift})."
    numbers = (
        f"greatest cosine shift of an image {spell_number(space.same_image_shift)},"
        f" overlap@{space.neighbours} of neighbours {spell_number(overlap)},"
        f" {format_percent(found)} of images find themselves first in the old index"
    )
    if found < 1:
        return f"re-index ({numbers})."
    if math.isnan(overlap):
        return f"a search for the same image still works; too few images to say more ({numbers})."
    if overlap < _ALIKE:
        return f"re-index for searches of neighbours; a search for the same image still works ({numbers})."
    return f"no need to re-index ({numbers})."


def space_cells(found: Comparison) -> Cells:
    """Return what happens to the embeddings of unchanged images, for runs that share a space."""
    header = [
        "run",
        "relation",
        "greatest shift",
        "overlap of neighbours",
        "found first in the old index",
        "numeric floor",
    ]
    rows = [
        [
            pair.name,
            pair.relation,
            spell_number(pair.space.same_image_shift),
            spell_number(pair.space.neighbour_overlap),
            format_percent(pair.space.old_index_recall),
            "not measured" if math.isnan(found.floor) else spell_number(found.floor),
        ]
        for pair in found.pairs
        if pair.space is not None
    ]
    return header, rows


def _describe_differences(found: Comparison, pair: ComparedPair) -> str:
    at = found.statistics.index(found.by)
    means = pair.differences.mean[:, at].tolist()
    shown = [p <= _ERROR for p in pair.adjusted.tolist()]
    worse = 1 if COMPARED[found.by].direction is Direction.LOWER else -1
    less, more = (
        [
            f"{name} ({_signed(mean)})"
            for name, mean, sure in zip(found.transforms, means, shown, strict=True)
            if sure and sign * mean > 0
        ]
        for sign in (worse, -worse)
    )
    by = found.by.replace("_", " ")
    spread = pair.differences.deviation[:, at].tolist()
    if not any(means) and not any(spread):  # NaN counts as a difference
        return f"Every image has the same {by} in both, under every transform."
    if not less and not more:
        return f"No transform is shown to differ in {by}; that does not show that they are equal."
    parts = [f"less stable under {join_names(less, most=_MOST)}"] if less else []
    parts += [f"more stable under {join_names(more, most=_MOST)}"] if more else []
    rest = len(means) - len(less) - len(more)
    left = f"; no difference is shown for {count_noun(rest, 'transform')}" if rest else ""
    return f"By {by}, {pair.name} is {' and '.join(parts)}{left}."


def _signed(value: float) -> str:
    return f"{'+' if value > 0 else ''}{spell_number(value)}"


def describe_margin(found: Comparison, pair: ComparedPair) -> str:
    """Return which transforms are shown to be worse by no more than the margin; empty without one."""
    verdicts = pair.verdicts
    if verdicts is None:
        return ""
    open_ = [
        f"{name} (up to {spell_number(float(verdicts.bound[at]))})"
        for at, name in enumerate(found.transforms)
        if not verdicts.holds(at)
    ]
    kept = len(found.transforms) - len(open_)
    text = (
        f"{pair.name} is shown not to be worse in {found.by.replace('_', ' ')} by more than"
        f" {verdicts.margin:g} under {kept} of {count_noun(len(found.transforms), 'transform')}"
    )
    return f"{text}; not shown for {join_names(open_, most=_MOST)}." if open_ else f"{text}."


def describe_overview(found: Comparison) -> str:
    """Return which run ranks first by each number, and where stability alone would mislead."""
    ranks = found.overview.ranks
    first = {name: [one.transform for one in ranks[name].ordered() if one.low == 1] for name in OVERVIEW}
    stable, finding = first["relative_shift"], first["recall_at_1"]
    texts = [
        f"Most stable (relative shift): {_name_first(stable, found)}; finds most originals (recall@1):"
        f" {_name_first(finding, found)}; keeps images furthest apart:"
        f" {_name_first(first['separation'], found)}."
    ]
    misleading = [
        one.transform
        for one in ranks["relative_shift"].intervals
        if one.rank == 1 and one.transform not in finding and finding
    ]
    if misleading:
        texts.append(
            f"{join_names(misleading, most=_MOST)} is stable, but finds fewer originals: it tells images"
            " apart less well, and its stability alone is no reason to choose it."
        )
    return " ".join(texts)


def _name_first(names: list[str], found: Comparison) -> str:
    if len(names) == len(found.runs):
        return "not decided"
    return join_names(names, most=_MOST, word="or") if names else "undefined"


def compared_cells(found: Comparison) -> Cells:
    """Return the table of the statistic that was tested: runs, differences, and p adjusted by max-T."""
    at, several = found.statistics.index(found.by), len(found.pairs) > 1
    beside = [f" {pair.name}" if several else "" for pair in found.pairs]
    header = ["transform", *(run.name for run in found.runs)]
    for name, pair in zip(beside, found.pairs, strict=True):
        header += [f"difference{name}", f"p{name}"]
        header += [] if pair.verdicts is None else [f"worse by at most{name}"]
    rows = [_row(found, place, column=at) for place in range(len(found.transforms))]
    return header, rows


def _row(found: Comparison, at: int, *, column: int) -> list[str]:
    cells = [found.transforms[at]]
    for run in found.runs:
        values = run.estimates
        cells.append(
            format_estimate(*(float(part[at, column]) for part in (values.mean, values.low, values.high)))
        )
    for pair in found.pairs:
        other = pair.differences
        ends = (other.mean, other.joint_low, other.joint_high)
        cells += [format_estimate(*(float(part[at, column]) for part in ends)), _p(float(pair.adjusted[at]))]
        if pair.verdicts is not None:
            mark = " ✓" if pair.verdicts.holds(at) else ""
            cells.append(f"{format_cell(float(pair.verdicts.bound[at]))}{mark}")
    return cells


def _p(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:.2g}"


def overview_cells(found: Comparison) -> Cells:
    """Return every run by stability, recall and separation, each with its joint ranks."""
    ranks = {name: {one.transform: one for one in found.overview.ranks[name].intervals} for name in OVERVIEW}
    rows = []
    for name, each in zip(found.overview.runs, found.overview.estimates, strict=True):
        cells = [name]
        for column, number in enumerate(OVERVIEW):
            ends = (float(part[0, column]) for part in (each.mean, each.low, each.high))
            own = ranks[number].get(name)
            rank = "–" if own is None else f"{own.rank} [{own.low}, {own.high}]"
            cells += [format_estimate(*ends), rank]
        rows.append(cells)
    header = ["run", "relative shift", "rank", "recall@1", "rank ", "separation", "rank  "]
    return header, rows


def compared_table(found: Comparison) -> Table:
    """Return the comparison as a table for the terminal; answers and notes stand below it."""
    header, rows = compared_cells(found)
    lines = [
        f"{found.by}, mean and {100 * found.level:g} % interval over {count_noun(found.images, 'image')};"
        f" difference to {found.runs[0].name}: interval of all transforms together; p: sign flips, max-T",
        *list_answers(found),
        *_list_s50(found),
        *found.notes,
    ]
    table = open_table("\n".join(lines))
    for name in header:
        first = name == "transform"
        table.add_column(name, justify="left" if first else "right", no_wrap=first)
    for row in rows:
        table.add_row(row[0], *(cell.replace(" (", "\n(") for cell in row[1:]))
    return table


def _list_s50(found: Comparison) -> Iterator[str]:
    """Return the levels at which half of the views are lost, of sweeps."""
    from embshift.show.text.sweep import s50_ends, s50_text

    for run in found.runs:
        if run.sweep is not None:
            curves = (f"{one.transform} {s50_text(one)} ({s50_ends(one)})" for one in run.sweep.curves)
            yield f"{run.name}: recall@1 falls below 50 % at {', '.join(curves)}"


def format_compared(found: Comparison, *, style: str) -> str:
    """Format a comparison as text.

    Args:
        found: The comparison.
        style: A name in `FORMATS` except "table"; "csv" and "json" keep full precision, others round.

    Raises:
        UnknownNameError: For another style.
    """
    if style == "json":
        return write_json(_content(found))
    if style != "csv":
        return find_writer(style)(*compared_cells(found))
    records = found.records()
    rows = [[_exact(value) for value in record.values()] for record in records]
    return find_writer(style)(list(records[0]), rows)


def _exact(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else format_exact(value)


def _content(found: Comparison) -> dict[str, Any]:
    return {
        "by": found.by,
        "images": found.images,
        "level": found.level,
        "numeric_floor": found.floor,
        "reference": found.runs[0].name,
        "answers": list_answers(found),
        "pairs": [_pair_content(pair) for pair in found.pairs],
        "overview": _overview_content(found),
        "rows": found.records(),
        "notes": found.notes,
    }


def _pair_content(pair: ComparedPair) -> dict[str, Any]:
    space = pair.space
    panel = (
        {}
        if space is None
        else {
            "same_image_shift": space.same_image_shift,
            "neighbour_overlap": space.neighbour_overlap,
            "old_index_recall": space.old_index_recall,
        }
    )
    return {"run": pair.name, "relation": pair.relation, "panel": panel or None}


def _overview_content(found: Comparison) -> list[dict[str, Any]]:
    rows = list[dict[str, Any]]()
    for at, name in enumerate(found.overview.runs):
        row: dict[str, Any] = {"run": name}
        each = found.overview.estimates[at]
        for column, number in enumerate(OVERVIEW):
            row |= {
                f"{number}_{part}": float(getattr(each, part)[0, column]) for part in ("mean", "low", "high")
            }
            own = next((one for one in found.overview.ranks[number].intervals if one.transform == name), None)
            row |= {f"{number}_rank": None if own is None else [own.rank, own.low, own.high]}
        rows.append(row)
    return rows
