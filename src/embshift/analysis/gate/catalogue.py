"""What a budget may limit: the compared statistics of transforms, and three numbers of the whole panel."""

from collections.abc import Mapping
from typing import Literal, TypeAlias

from embshift.analysis.compared.catalogue import COMPARED
from embshift.core.types import Direction, Measure

__all__ = ["KINDS", "PANEL", "SLACK", "Kind", "Scope", "Verdict", "find_measure"]

Scope: TypeAlias = Literal["transforms", "panel"]
"""transforms: a mean over images for each transform. panel: the originals beside those of the baseline."""

Kind: TypeAlias = Literal["at_most", "at_least", "worse_by_at_most"]

Verdict: TypeAlias = Literal["holds", "broken", "undecided"]

KINDS: tuple[Kind, ...] = ("at_most", "at_least", "worse_by_at_most")

SLACK = 1e-5
"""How far beyond a limit counts as held: what other processors and libraries may change in a mean."""

_SOURCE = "embeddings of the same originals by two encoders, or two versions of one"


def _panel(name: str, summary: str, *, identity: float, direction: Direction, blind_to: str) -> Measure:
    return Measure(
        name=name,
        summary=summary,
        unit="1",
        bounds=(0.0, 2.0) if direction is Direction.LOWER else (0.0, 1.0),
        identity=identity,
        direction=direction,
        blind_to=blind_to,
        reference=_SOURCE,
    )


PANEL: Mapping[str, Measure] = {
    one.name: one
    for one in (
        _panel(
            "same_image_shift",
            "greatest cosine shift of an original between baseline and run",
            identity=0.0,
            direction=Direction.LOWER,
            blind_to="all images but one",
        ),
        _panel(
            "neighbour_overlap",
            "mean Jaccard index of the ten nearest originals, before and after",
            identity=1.0,
            direction=Direction.HIGHER,
            blind_to="their order",
        ),
        _panel(
            "old_index_recall",
            "share of originals whose new embedding finds the old one first in the index of the old ones",
            identity=1.0,
            direction=Direction.HIGHER,
            blind_to="what lies behind the first",
        ),
    )
}
"""Every image is measured, so these have no sampling interval."""


def find_measure(scope: Scope, statistic: str, /) -> Measure:
    """Return the declared properties of a statistic of a scope."""
    return (PANEL if scope == "panel" else COMPARED)[statistic]
