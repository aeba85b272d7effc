"""Cards of a sweep and of a matched run."""

import math
from collections.abc import Iterator

from embshift.analysis.strength.matched import Matched
from embshift.analysis.strength.sweep import Curve, Sweep
from embshift.core.words import count_noun
from embshift.show.report.facts.levels import format_damage
from embshift.show.report.first.card import Card, make_card
from embshift.show.report.first.estimates import Estimate
from embshift.show.report.first.headline import first_losses, spell_level
from embshift.show.text.sweep import s50_ends
from embshift.show.text.words import format_percent, join_transforms

__all__ = ["list_matched_cards", "list_sweep_cards"]


def list_sweep_cards(sweep: Sweep) -> Iterator[Card]:
    """Yield the first loss of originals, the edits without one, and the largest mean shift over levels."""
    lost = first_losses(sweep)
    if lost:
        yield _loss_card(lost[0], sweep)
    kept = [one for one in sweep.curves if one.censored == ">"]
    yield Card(
        about="edits without a loss",
        number=f"{len(kept)} of {len(sweep.curves)}",
        ends="",
        text="edits keep at least half of the originals found, at every level",
        section="context",
    )
    known = [one for one in sweep.curves if not math.isnan(float(one.area.mean[0]))]
    if known:
        most = max(known, key=lambda one: float(one.area.mean[0]))
        yield make_card(
            "largest area",
            _estimate(most),
            f"mean shift (1 − cosine) of {join_transforms([most.transform])} over its levels, the largest",
            section="context",
            level=sweep.level,
        )


def _loss_card(curve: Curve, sweep: Sweep) -> Card:
    ends = s50_ends(curve)
    number = f"≤ {spell_level(curve, curve.at[0])}" if curve.censored else spell_level(curve, curve.s50)
    return Card(
        about="first loss",
        number=number,
        ends=f"{format_percent(sweep.level)} interval {ends}" if ends else "",
        text=f"is where {join_transforms([curve.transform])} loses half of the originals, before all others",
        section="context",
    )


def _estimate(curve: Curve) -> Estimate:
    low, high = float(curve.area.low[0]), float(curve.area.high[0])
    return Estimate(value=float(curve.area.mean[0]), low=low, high=high, percent=False)


def list_matched_cards(matched: Matched) -> Iterator[Card]:
    """Yield the largest and the smallest shift at the greatest damage of each kind, and the lowest recall."""
    last = {group.kind: group for group in matched.groups if group.rows}
    for group in last.values():
        at = format_damage(group)
        for about, row, word in (
            ("largest at equal damage", group.rows[0], "largest"),
            ("smallest at equal damage", group.rows[-1], "smallest"),
        ):
            if about.startswith("smallest") and len(group.rows) < 2:
                continue
            yield make_card(
                about,
                Estimate(value=row.shift, low=row.low, high=row.high, percent=False),
                f"1 − cosine of {join_transforms([row.transform])} at {at}, the {word} of"
                f" {count_noun(len(group.rows), 'transform')}",
                section="context",
                level=matched.level,
            )
        worst = min(group.rows, key=lambda one: one.recall)
        yield make_card(
            "found at equal damage",
            Estimate(value=worst.recall, low=worst.recall_low, high=worst.recall_high),
            f"of the views of {join_transforms([worst.transform])} find their original at {at}, the fewest",
            section="context",
            level=matched.level,
        )
