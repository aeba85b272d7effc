"""Beside the paper: which transforms its text says move most, and where they stand in this run."""

from typing import Any

from embshift.analysis.shifts.ranks import RankInterval, Ranks
from embshift.core.words import count_noun
from embshift.runs.tables import RunTables
from embshift.show.report.cells import Cell, make_cell, make_head
from embshift.show.report.facts.run import Facts
from embshift.show.report.first.estimates import format_ends_of, format_value
from embshift.show.report.first.shifts import RELATIVE, rank_shifts
from embshift.show.text.words import format_percent, join_transforms, make_visible, shorten, spell_metric
from embshift.transforms.presets import load_preset

__all__ = ["CLAIMED", "build_paper"]

CLAIMED = ("noise", "perspective", "shift_scale_rotate")
"""Transforms whose impact on the embedding the paper's abstract calls the most drastic."""


def build_paper(run: RunTables, facts: Facts) -> dict[str, Any] | None:
    """Return text, table and note; None for a run without the paper's transforms, or without an order.

    Args:
        run: The run.
        facts: Its numbers.
    """
    ranks = facts.main
    if ranks is None or not _has_preset(run) or not set(CLAIMED) <= set(ranks.transforms):
        return None
    return {"text": _write_text(ranks), "table": _build_table(facts, ranks), "note": _write_note(facts)}


def _has_preset(run: RunTables) -> bool:
    """Return whether all transforms of a run are those of the preset "paper", with its parameters."""
    known = {one.name: one for one in load_preset("paper").transforms}
    return all(
        one["name"] in known
        and one.get("target") == known[one["name"]].target
        and dict(one.get("parameters") or {}) == _plain(known[one["name"]].parameters)
        for one in run.info["plan"]["transforms"]
    )


def _plain(parameters: Any) -> dict[str, Any]:
    return {name: list(one) if isinstance(one, tuple) else one for name, one in dict(parameters).items()}


def _from_furthest(ranks: Ranks, name: str) -> tuple[int, int, int]:
    """Return rank, best and worst plausible rank of a transform, counted from the furthest."""
    one: RankInterval = ranks.intervals[ranks.transforms.index(name)]
    ties = sum(other.rank == one.rank for other in ranks.intervals)
    size = len(ranks.transforms)
    return size + 2 - one.rank - ties, size + 1 - one.high, size + 1 - one.low


def _write_text(ranks: Ranks) -> str:
    most = len(CLAIMED)
    groups: dict[str, list[str]] = {"certain": [], "possible": [], "no": []}
    for name in CLAIMED:
        _, best, worst = _from_furthest(ranks, name)
        groups["certain" if worst <= most else "possible" if best <= most else "no"].append(name)
    told = [
        f"{join_transforms(groups[kind])} {words[len(groups[kind]) > 1]}"
        for kind, words in (
            ("certain", ("certainly belongs to them", "certainly belong to them")),
            ("possible", ("may belong to them", "may belong to them")),
            ("no", ("certainly does not", "certainly do not")),
        )
        if groups[kind]
    ]
    return (
        f"The paper's abstract says that {join_transforms(CLAIMED)} have the most drastic impact on the"
        f" embedding. Do they belong to the three that move images furthest in this run, by"
        f" {spell_metric(ranks.by)}? {'; '.join(told)} (joint {format_percent(ranks.level)})."
    )


def _build_table(facts: Facts, ranks: Ranks) -> dict[str, Any]:
    shifts = rank_shifts(facts)
    measure = (
        "of the mean distance between two different images" if shifts.kind == RELATIVE else shifts.measure
    )
    return {
        "title": "The paper's text and this run",
        "note": "Rank 1 moves images furthest. Brackets and ranges: intervals; ranks hold jointly.",
        "header": [
            make_head("transform"),
            make_head("paper's abstract", "whether it is among those with the most drastic impact"),
            make_head("shift here", measure),
            make_head("rank here", f"by {spell_metric(ranks.by)}; below it the plausible ranks"),
        ],
        "rows": [
            [
                make_cell(row.transform),
                make_cell("most drastic" if row.transform in CLAIMED else "–"),
                make_cell(format_value(row.shift), format_ends_of(row.shift)),
                _rank_cell(ranks, row.transform),
            ]
            for row in shifts.known
            if row.transform in ranks.transforms
        ],
    }


def _rank_cell(ranks: Ranks, name: str) -> Cell:
    rank, best, worst = _from_furthest(ranks, name)
    return make_cell(str(rank), "certain" if best == worst else f"{best} to {worst}")


def _write_note(facts: Facts) -> str:
    encoder = shorten(make_visible(facts.info["encoder"].get("name", "without a name")))
    return (
        "The paper measured openai/clip-vit-base-patch32 on 13,312 images of Conceptual Captions; this run"
        f" measures {encoder} on {count_noun(facts.measured, 'image')}. The strengths are those of its"
        " Algorithm 1 and are not matched, so neither order shows what the encoder is most sensitive to."
    )
