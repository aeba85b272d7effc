"""Values of several runs on the images and draws that all of them have."""

from collections.abc import Sequence

from embshift.analysis.compared.values import ComparedValues, measure_values
from embshift.analysis.embeddings.pairs import Pairs
from embshift.analysis.of_run import pair_views
from embshift.analysis.pairing.pairing import Pairing
from embshift.runs.tables import RunTables

__all__ = ["measure_runs", "pair_shared"]


def pair_shared(runs: Sequence[RunTables], pairings: Sequence[Pairing]) -> list[Pairs]:
    """Return the originals and views of every run, restricted to what all of them have.

    Args:
        runs: The runs.
        pairings: What the first run has in common with each of the others.
    """
    pairs = [pair_views(run) for run in runs]
    shared = set(pairs[0].ids).intersection(
        *(one.ids for one in pairs[1:]), *(one.images for one in pairings)
    )
    draws = set(pairings[0].draws).intersection(*(one.draws for one in pairings)) if pairings else None
    return [one.among(shared, draws=draws) for one in pairs]


def measure_runs(runs: Sequence[RunTables], pairings: Sequence[Pairing]) -> list[ComparedValues]:
    """Compute the values of every run: images and gallery are those that all runs have.

    Args:
        runs: The runs.
        pairings: What the first run has in common with each of the others.
    """
    names = [one.name for one in pairings[0].transforms] if pairings else list(runs[0].transforms)
    for pairing in pairings[1:]:
        names = [name for name in names if name in {one.name for one in pairing.transforms}]
    return [measure_values(pairs, transforms=names) for pairs in pair_shared(runs, pairings)]
