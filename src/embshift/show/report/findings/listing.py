"""The list of all findings, in the order in which the report shows them."""

from collections.abc import Callable, Sequence

from embshift.show.report.facts.run import Facts
from embshift.show.report.findings.data import (
    describe_failures,
    describe_left_out,
    describe_map,
    describe_run,
    describe_service,
    describe_undefined,
    warn_few_images,
    warn_unfinished,
)
from embshift.show.report.findings.disagreement import describe_disagreement
from embshift.show.report.findings.embeddings import (
    describe_consistency,
    describe_distance_order,
    describe_floor_ratio,
    describe_neighbour_ratio,
    describe_removal,
    describe_retrieval,
    describe_thresholds,
)
from embshift.show.report.findings.levels import (
    describe_curves,
    describe_equal_damage,
    describe_first_losses,
)
from embshift.show.report.findings.order import (
    describe_certain_extremes,
    describe_certain_order,
    describe_common_images,
    describe_extremes,
    describe_missing_embedding,
)
from embshift.show.report.findings.sizes import describe_relative_size

__all__ = ["list_findings"]

_ALL: Sequence[tuple[str, Callable[[Facts], str | None]]] = (
    ("run", describe_run),
    ("unfinished", warn_unfinished),
    ("extremes", describe_missing_embedding),
    ("extremes", describe_extremes),
    ("certain extremes", describe_certain_extremes),
    ("order", describe_certain_order),
    ("common images", describe_common_images),
    ("relative size", describe_relative_size),
    ("retrieval", lambda facts: describe_retrieval(facts.embeddings)),
    ("thresholds", lambda facts: describe_thresholds(facts.embeddings)),
    ("neighbours", lambda facts: describe_neighbour_ratio(facts.embeddings)),
    ("floor", lambda facts: describe_floor_ratio(facts.embeddings)),
    ("consistency", lambda facts: describe_consistency(facts.embeddings)),
    ("removal", lambda facts: describe_removal(facts.embeddings)),
    ("distance order", lambda facts: describe_distance_order(facts.embeddings)),
    ("first losses", lambda facts: describe_first_losses(facts.levels)),
    ("curves", lambda facts: describe_curves(facts.levels)),
    ("equal damage", lambda facts: describe_equal_damage(facts.levels)),
    ("metrics", describe_disagreement),
    ("failures", describe_failures),
    ("left out", describe_left_out),
    ("undefined", describe_undefined),
    ("few images", warn_few_images),
    ("map", describe_map),
    ("service", describe_service),
)


def list_findings(facts: Facts) -> list[dict[str, str]]:
    """Return all sentences that apply to a run, in order, each with its subject."""
    told = [(about, describe(facts)) for about, describe in _ALL]
    return [{"about": about, "text": text} for about, text in told if text]
