"""Originals and views of several runs, restricted to the images and draws that all of them have."""

from collections.abc import Sequence

from embshift.analysis.embeddings.pairs import Pairs
from embshift.analysis.of_run import pair_views
from embshift.analysis.pairing.pairing import Pairing
from embshift.core.errors import RunError
from embshift.runs.tables import RunTables

__all__ = ["list_draws", "pair_shared"]


def list_draws(pairings: Sequence[Pairing]) -> tuple[int, ...]:
    """Return the draws of a transform that all runs have, in ascending order.

    Args:
        pairings: What the first run has in common with each of the others, one or more.
    """
    return tuple(sorted(set(pairings[0].draws).intersection(*(one.draws for one in pairings[1:]))))


def pair_shared(runs: Sequence[RunTables], pairings: Sequence[Pairing]) -> list[Pairs]:
    """Return the originals and views of every run, restricted to what all of them have.

    Args:
        runs: The runs.
        pairings: What the first run has in common with each of the others.

    Raises:
        RunError: If no image has an embedding of a finite length above 0 in all of them.
    """
    pairs = [pair_views(run) for run in runs]
    shared = set(pairs[0].ids).intersection(
        *(one.ids for one in pairs[1:]), *(one.images for one in pairings)
    )
    if not shared:
        lost = "; ".join(f"{run.folder}: {len(one):,}" for run, one in zip(runs, pairs, strict=True))
        raise RunError(
            f"no image has a usable embedding in all runs (images with one: {lost}); embeddings that are all"
            " zeros or not finite have no angle: measure with an encoder that gives others"
        )
    draws = list_draws(pairings) if pairings else None
    return [one.among(shared, draws=draws) for one in pairs]
