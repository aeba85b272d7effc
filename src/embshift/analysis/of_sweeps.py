"""What a sweep says of the worst case of its transforms: functions on its run folder."""

from embshift.analysis.of_run import pair_views
from embshift.analysis.of_words import open_flips
from embshift.analysis.sampling.bootstrap import RESAMPLES
from embshift.analysis.strength.levels import read_levels
from embshift.analysis.strength.worst_case import WorstCases, compute_worst_case
from embshift.core.errors import RunError
from embshift.runs.places import file_in
from embshift.runs.record import MATCH
from embshift.runs.tables import RunTables

__all__ = ["check_sweep", "is_sweep", "measure_worst_case"]


def is_sweep(run: RunTables, /) -> bool:
    """Return whether every transform of a run has a level, and some transform several.

    What ``embshift match`` has measured is none: its levels are solved for equal damage.
    """
    levels = read_levels(run.info)
    several = len({one.transform for one in levels}) < len(levels)
    return several and len(levels) == len(run.transforms) and not file_in(run.folder, MATCH).exists()


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
