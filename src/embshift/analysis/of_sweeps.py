"""Analyses of one run folder by severity and strength: functions on its tables."""

from embshift.analysis.of_run import analyse_statistics, pair_views
from embshift.analysis.of_words import open_flips
from embshift.analysis.sampling.bootstrap import RESAMPLES
from embshift.analysis.strength.levels import is_sweep, read_levels
from embshift.analysis.strength.matched import Matched, UnmatchedRow
from embshift.analysis.strength.rank_matched import rank_matched
from embshift.analysis.strength.solved import read_solved
from embshift.analysis.strength.sweep import Sweep, compute_sweep, measure_levels
from embshift.analysis.strength.worst_case import WorstCases, compute_worst_case
from embshift.core.errors import RunError
from embshift.runs.record import MATCH, read_record_file
from embshift.runs.tables import RunTables

__all__ = ["analyse_matched", "analyse_sweep", "check_sweep", "is_sweep", "measure_worst_case"]


def analyse_sweep(
    run: RunTables, *, images: int | None = None, resamples: int = RESAMPLES, seed: int = 0
) -> Sweep:
    """Return shift and recall against severity or strength, transform by transform.

    Args:
        run: The run.
        images: Size of a seeded sample of the images; all where None.
        resamples: Number of resamples of the images.
        seed: Seed of sample and resamples.

    Raises:
        RunError: If no transform of the run has a severity or strength.
    """
    pairs = pair_views(run, images=images, seed=seed)
    return compute_sweep(pairs, read_levels(run.info), resamples=resamples, seed=seed)


def analyse_matched(run: RunTables, *, resamples: int = RESAMPLES, seed: int = 0) -> Matched:
    """Return which transform shifts most at equal damage, of a run of ``embshift match``.

    Args:
        run: The run.
        resamples: Number of resamples of the images.
        seed: Their seed.

    Raises:
        RunError: If the run was not made by ``embshift match``.
    """
    try:
        content = read_record_file(run.folder, name=MATCH)
        solved_on, solved = read_solved(content)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise RunError(
            f"{run.folder} has no readable match.json; make a run with 'embshift match'"
        ) from error
    if content.get("fingerprint", run.info.get("fingerprint")) != run.info.get("fingerprint"):
        raise RunError(f"{run.folder / MATCH} is that of another run; match again into a new folder")
    pairs = pair_views(run)
    return rank_matched(
        measure_levels(pairs, [level.name for each in solved for level in each.levels]),
        solved,
        solved_on=solved_on,
        ids=pairs.ids,
        unmatched=_unmatched(run, resamples=resamples, seed=seed),
        resamples=resamples,
        seed=seed,
    )


def _unmatched(run: RunTables, *, resamples: int, seed: int) -> list[UnmatchedRow]:
    """Return the shifts of the transforms that have no strength of their own in the plan."""
    levels = {one.name for one in read_levels(run.info)}
    names = [name for name in run.transforms if name not in levels]
    if not names or "cosine" not in [spec.name for spec in run.metrics]:
        return []
    found = analyse_statistics(run, by="cosine", resamples=resamples, seed=seed)
    rows, at = [run.transforms.index(name) for name in names], found.metrics.index("cosine")
    mean, low, high, n = (
        getattr(found.means, part)[rows, at].tolist() for part in ("mean", "low", "high", "n")
    )
    return [
        UnmatchedRow(transform=name, shift=1 - one, low=1 - most, high=1 - least, n=count)
        for name, one, least, most, count in zip(names, mean, low, high, n, strict=True)
    ]


def check_sweep(run: RunTables, /) -> None:
    """Raise `RunError` for a run that is no sweep."""
    if not is_sweep(run):
        raise RunError(
            f"'{run.folder}' is not the folder of a sweep, which measures every transform at several"
            " severities; make one with: embshift sweep SOURCE --out RUN"
        )


def measure_worst_case(
    run: RunTables, *, images: int | None = None, resamples: int = RESAMPLES, seed: int = 0
) -> WorstCases:
    """Return the divergence radius of every transform of a sweep, and how well it predicts label flips.

    Args:
        run: The run of a sweep.
        images: Size of a seeded sample of the images; all where None.
        resamples: Number of resamples of the images.
        seed: Seed of sample and resamples.

    Raises:
        RunError: If the run is no sweep, or its stored labels are damaged.
    """
    check_sweep(run)
    pairs = pair_views(run, images=images, seed=seed)
    return compute_worst_case(
        pairs, read_levels(run.info), find_flips=open_flips(run), resamples=resamples, seed=seed
    )
