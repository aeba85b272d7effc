"""Measurements of a run's embeddings for the report: calibration, retrieval, direction, structure."""

from dataclasses import dataclass

from embshift.analysis.between_runs import find_floors
from embshift.analysis.embeddings.measures import Measured
from embshift.analysis.of_run import analyse_direction, analyse_retrieval, analyse_structure, calibrate_shifts
from embshift.analysis.of_thresholds import analyse_thresholds
from embshift.analysis.thresholds.result import Thresholds
from embshift.core.progress import OnStep, ignore_step
from embshift.runs.tables import RunTables

__all__ = ["MOST_IMAGES", "SAMPLE", "EmbeddingFacts", "measure_embeddings"]

MOST_IMAGES = 100_000
"""Images of a run above which a report leaves out whatever needs all originals in memory."""

SAMPLE = 2_000
"""Size of the seeded sample of queries or images in a larger run."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class EmbeddingFacts:
    """Measurements of the embeddings themselves.

    Attributes:
        calibration: Shifts relative to the distances between images.
        retrieval: How well views find their originals.
        direction: Whether a transform moves all images the same way.
        structure: Whether the geometry of the images is preserved.
        thresholds: Which cosine tells views of an image from other images.
    """

    calibration: Measured
    retrieval: Measured
    direction: Measured
    structure: Measured
    thresholds: Thresholds


def measure_embeddings(
    run: RunTables, *, images: int, on_step: OnStep = ignore_step
) -> EmbeddingFacts | None:
    """Measure the embeddings of a run; None for one image, over `MOST_IMAGES`, or none kept.

    Args:
        run: The run.
        images: Number of its images.
        on_step: Receives each step as it begins.
    """
    if not 2 <= images <= MOST_IMAGES or not run.transforms or not run.keeps_embeddings:
        return None
    sample = SAMPLE if images > SAMPLE else None
    on_step("calibration")
    calibration = calibrate_shifts(run, queries=sample, floors=find_floors(run))
    on_step("retrieval")
    retrieval = analyse_retrieval(run, queries=sample)
    on_step("direction")
    direction = analyse_direction(run, images=sample)
    on_step("structure")
    structure = analyse_structure(run)
    on_step("thresholds")
    thresholds = analyse_thresholds(run, queries=sample)
    return EmbeddingFacts(
        calibration=calibration,
        retrieval=retrieval,
        direction=direction,
        structure=structure,
        thresholds=thresholds,
    )
