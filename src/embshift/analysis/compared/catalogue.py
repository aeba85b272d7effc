"""Statistics by which runs are compared: each is a mean over images that survives a change of encoder."""

from collections.abc import Mapping

from embshift.analysis.embeddings.catalogue import CALIBRATION, RETRIEVAL
from embshift.core.named import Named
from embshift.core.types import Direction, Measure

__all__ = ["COMPARED", "PRIMARY", "SHARES", "WITHIN_ONE_SPACE"]

_NEARER = Measure(
    name="nearer_share",
    summary="share of the other originals that lie at least as near to the view as its own original",
    unit="1",
    bounds=(0.0, 1.0),
    identity=0.0,
    direction=Direction.LOWER,
    blind_to="by how much they are nearer",
    reference="(rank − 1) / (images − 1), ties against the view as in Douze et al. 2021 (arXiv 2106.09672)",
)

_KNOWN: Mapping[str, Measure] = {one.name: one for one in (*CALIBRATION, *RETRIEVAL, _NEARER)}

_NAMES = ("relative_shift", "neighbour_ratio", "nearer_share", "recall_at_1", "cosine_shift")

COMPARED: Mapping[str, Measure] = Named(kind="statistic", things={name: _KNOWN[name] for name in _NAMES})
"""The statistics by name, the one that decides first."""

PRIMARY = "relative_shift"
"""The statistic by which transforms are tested for a difference."""

SHARES = frozenset({"recall_at_1"})
"""Statistics that are 0 or 1 for a view: their intervals are score intervals."""

WITHIN_ONE_SPACE = frozenset({"cosine_shift"})
"""Statistics that shrink where all embeddings of an encoder have a part in common: they are not comparable
between different encoders."""
