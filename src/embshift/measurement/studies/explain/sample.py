"""The images of an explanation: a seeded sample of the run's different images."""

from dataclasses import dataclass

from embshift.core.seeding import make_generator
from embshift.measurement.studies.explain.options import ExplainOptions
from embshift.runs.tables import RunTables

__all__ = ["CHUNK", "StudyImages", "choose_images"]

CHUNK = 32
"""Images in one chunk of an explanation."""

_FULL = 3
"""Images of which some components are patched in full, to calibrate the cheaper patches."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyImages:
    """The images of an explanation.

    Attributes:
        rows: Their rows in the run's listing, ascending.
        patched: The rows whose components are patched.
        full: The rows whose largest components are patched in full.
    """

    rows: tuple[int, ...]
    patched: frozenset[int]
    full: frozenset[int]

    @property
    def chunks(self) -> list[tuple[int, ...]]:
        """The rows of each chunk."""
        return [self.rows[start : start + CHUNK] for start in range(0, len(self.rows), CHUNK)]


def choose_images(run: RunTables, options: ExplainOptions) -> StudyImages:
    """Choose the images of an explanation among the run's usable ones; equal images count once.

    Args:
        run: The run.
        options: Size and seed of the sample.
    """
    repeated = run.repeated()
    usable = [row for row in sorted(run.image_ids()) if row not in repeated]
    order = make_generator(options.seed, "explain").permutation(len(usable)).tolist()
    drawn = [usable[at] for at in order[: options.images]]
    # Nested: a larger sample of patched images holds the smaller one.
    patched = drawn[: options.patch_images]
    full = patched if options.patch == "full" else patched[:_FULL]
    return StudyImages(rows=tuple(sorted(drawn)), patched=frozenset(patched), full=frozenset(full))
