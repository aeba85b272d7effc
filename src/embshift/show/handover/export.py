"""Writing an export: points of a run, in the form of one tool, as a whole or not at all."""

import shlex
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from embshift.core.paths import output_file, output_path
from embshift.core.threads import limit_threads
from embshift.core.words import count_noun
from embshift.runs.files import write_aside
from embshift.runs.tables import RunTables
from embshift.runs.target_folders import check_target_folder, write_folder_aside
from embshift.runs.targets import check_target
from embshift.show.handover import EXPORTERS, ExporterEntry
from embshift.show.handover.points import Points, gather_points

__all__ = ["Exported", "export"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """What was written.

    Attributes:
        path: The file or folder.
        points: Number of originals and views in it.
        images: Number of images that they are of.
        opened: How it is opened: a command, or a line of Python.
        notes: What it does not hold, and how it was made.
    """

    path: Path
    points: int
    images: int
    opened: str
    notes: tuple[str, ...]


def export(run: RunTables, *, to: str, out: str | Path, images: int | None = None, seed: int = 0) -> Exported:
    """Write originals and views with embeddings and shifts for another tool, as a whole or not at all.

    Only the run folder is read. Equal images are taken once.

    Args:
        run: The run.
        to: "embedding-atlas", "projector" (TensorBoard) or "fiftyone".
        out: Path of the file (embedding-atlas) or folder; an earlier export of the same kind is replaced.
        images: Size of a seeded sample of the images; all of them if None, up to 20,000 points.
        seed: Seed of the sample.

    Raises:
        RunError: If the run holds no embedding, or is damaged.
        StorageError: If it cannot be written.
        UnknownNameError: If there is no such exporter.
        UsageError: If the path is not free, or the number of images is below 1.

    Example:
        >>> embshift.export(run, to="projector", out="projected").points
        360
    """
    entry = EXPORTERS[to]
    place = _check_place(entry, out)
    with limit_threads(images=run.count_images()):
        points = gather_points(run, images=images, seed=seed)
        notes = list[str]()
        _write(entry, place, lambda path: notes.extend(entry.write(points, path)))
    return Exported(
        path=place,
        points=len(points),
        images=points.images,
        opened=_spell_opened(entry.opened, place),
        notes=(*_sample_notes(points, seed=seed), *notes),
    )


def _spell_opened(opened: str, place: Path) -> str:
    """Put a path into what opens it: a Python string where it stands in quotes, else a word of a shell."""
    if "'PATH'" in opened:
        return opened.replace("'PATH'", repr(str(place)))
    return opened.replace("PATH", shlex.quote(str(place)))


def _check_place(entry: ExporterEntry, out: str | Path) -> Path:
    if entry.mark:
        return check_target(output_file(out), kind=entry.mark)
    return check_target_folder(output_path(out), kind=entry.name)


def _write(entry: ExporterEntry, place: Path, write: Callable[[Path], object]) -> None:
    if entry.mark:
        write_aside(place, write)
    else:
        write_folder_aside(place, write, kind=entry.name)


def _sample_notes(points: Points, *, seed: int) -> tuple[str, ...]:
    notes = list[str]()
    if points.images < points.among:
        notes.append(f"a sample of {points.images:,} of {points.among:,} images (seed {seed})")
    if points.left_out:
        notes.append(f"{count_noun(points.left_out, 'embedding')} without a direction left out")
    return tuple(notes)
