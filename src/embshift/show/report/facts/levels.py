"""What a report needs from runs with severities or strengths: curves, and groups of equal damage."""

from dataclasses import dataclass

from embshift.analysis.of_sweeps import analyse_matched, analyse_sweep
from embshift.analysis.strength.levels import read_levels
from embshift.analysis.strength.matched import Matched, MatchedGroup
from embshift.analysis.strength.solved import DISPLACEMENT
from embshift.analysis.strength.sweep import Sweep
from embshift.core.errors import RunError
from embshift.core.progress import OnStep, ignore_step
from embshift.runs.places import file_in
from embshift.runs.record import MATCH
from embshift.runs.tables import RunTables
from embshift.show.report.facts.embeddings import MOST_IMAGES

__all__ = ["LevelFacts", "format_damage", "measure_levels"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LevelFacts:
    """Results over severities or strengths.

    Attributes:
        sweep: Curves over severity or strength; None for a run without them.
        matched: Transforms at equal damage; None for a run that did not match them.
    """

    sweep: Sweep | None = None
    matched: Matched | None = None


def measure_levels(
    run: RunTables, *, images: int, resamples: int, on_step: OnStep = ignore_step
) -> LevelFacts:
    """Measure curves of a run of ``embshift sweep`` or groups of a run of ``embshift match``.

    Args:
        run: The run.
        images: Number of its images; above `MOST_IMAGES` nothing is measured, since it needs all originals in
            memory. Nor is it where the run keeps no embeddings.
        resamples: Number of resamples of the images.
        on_step: Receives each step as it begins.

    Returns:
        Results; both attributes are None for any other run.
    """
    if not 2 <= images <= MOST_IMAGES or not run.keeps_embeddings:
        return LevelFacts()
    on_step("levels")
    if file_in(run.folder, MATCH).is_file():
        try:
            return LevelFacts(matched=analyse_matched(run, resamples=resamples))
        except RunError:  # a report shows what the folder holds, and the other numbers are still valid
            return LevelFacts()
    levels = read_levels(run.info)
    if len({one.transform for one in levels}) == len(levels):  # no transform has more than one level
        return LevelFacts()
    return LevelFacts(sweep=analyse_sweep(run, resamples=resamples))


def format_damage(group: MatchedGroup) -> str:
    """Format the damage of a group, e.g. "SSIM 0.7"."""
    if group.kind == DISPLACEMENT:
        return f"mean pixel displacement {group.target:g} px"
    return f"SSIM {group.target:g}"
