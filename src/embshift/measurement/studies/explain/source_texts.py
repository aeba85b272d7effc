"""Labels and captions that the sources give: they stand in where a user gives none."""

from collections.abc import Sequence
from pathlib import Path

from embshift.core.progress import Reporter
from embshift.core.types import FrozenRow
from embshift.core.words import count_noun
from embshift.images.captions import Captions, read_captions
from embshift.images.labels import Labels, read_labels

__all__ = ["choose_captions", "choose_labels"]

_MOST_LABELS = 2000
"""Labels that are encoded unasked; a column with more is rather one of names or texts."""


def choose_labels(
    rows: Sequence[FrozenRow], given: str | Path | None, /, *, unasked: bool, reporter: Reporter
) -> Labels | None:
    """Return the labels of a file, or those of the sources where none is given.

    Args:
        rows: The listing.
        given: The file, or "folders".
        unasked: Whether those of the sources may stand in.
        reporter: Who is told that they do.

    Raises:
        PlanError: If the file cannot be used.
    """
    if given is not None:
        return read_labels(given, records=[row.record for row in rows])
    return _find_labels(rows, reporter=reporter) if unasked else None


def choose_captions(
    rows: Sequence[FrozenRow], given: str | Path | None, /, *, unasked: bool, reporter: Reporter
) -> Captions | None:
    """Return the captions of a file, or those of the sources where none is given; see `choose_labels`."""
    if given is not None:
        return read_captions(given, records=[row.record for row in rows])
    return _find_captions(rows, reporter=reporter) if unasked else None


def _find_labels(rows: Sequence[FrozenRow], *, reporter: Reporter) -> Labels | None:
    """Return the sources' labels; None if they give fewer than two, or very many."""
    stated = [row.record.label for row in rows]
    names = sorted({name for name in stated if name is not None})
    if len(names) < 2:
        return None
    if len(names) > _MOST_LABELS:
        reporter.note(f"{len(names):,} labels of the sources are not used; --labels takes as many")
        return None
    reporter.note(f"{len(names):,} labels of the sources are used; --labels gives others")
    places: dict[str | None, int] = {name: at for at, name in enumerate(names)}
    return Labels(names=tuple(names), truth=tuple(places.get(name, -1) for name in stated))


def _find_captions(rows: Sequence[FrozenRow], *, reporter: Reporter) -> Captions | None:
    """Return the sources' captions of images in the metric sample; None if there are none."""
    owners = [at for at, row in enumerate(rows) if row.sampled and row.record.caption is not None]
    if not owners:
        return None
    reporter.note(
        f"{count_noun(len(owners), 'caption')} of the sources used, of images in the metric sample;"
        " --captions gives others"
    )
    texts = tuple(str(rows[at].record.caption) for at in owners)
    return Captions(texts=texts, owners=tuple(owners), unmatched=0, images=len(owners))
