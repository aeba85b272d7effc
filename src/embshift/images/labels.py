"""Labels of images: the names to choose from, and which of them is true of an image."""

import io
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from embshift.core.errors import PlanError
from embshift.core.types import ImageRecord
from embshift.images.lists import choose_columns
from embshift.images.named_rows import find_column, find_images, is_table, read_rows, read_typed_file

__all__ = ["FOLDERS", "Labels", "read_labels"]

FOLDERS = "folders"
"""In place of a file: the label of an image is the name of the folder that it lies in."""

_LABEL_COLUMNS = frozenset({"category", "class", "class_name", "label", "label_name"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Labels:
    """The labels to choose from.

    Attributes:
        names: The labels, each once.
        truth: For each image the position of its true label; −1 where it is not known.
        unmatched: Number of rows of the file that name no image of the listing.
    """

    names: tuple[str, ...]
    truth: tuple[int, ...]
    unmatched: int = 0

    @property
    def labelled(self) -> int:
        """Number of images whose true label is known."""
        return sum(at >= 0 for at in self.truth)


def read_labels(
    source: str | os.PathLike[str], /, *, records: Sequence[ImageRecord], column: str = ""
) -> Labels:
    """Read labels from a file, or from the names of the images' folders.

    Args:
        source: "folders"; a text file with one label a line; or a table (CSV, TSV, JSON Lines) with a column
            of labels and, where true labels are known, one of images.
        records: The images.
        column: The column of labels; empty for one named label, class or category.

    Raises:
        PlanError: The file cannot be read or lacks a column, an image has two labels, or there are fewer than
            two labels.
    """
    if os.fspath(source) == FOLDERS:
        return _check(_read_folders(records), source="the images' folders")
    file, text = read_typed_file(source, what="file of labels")
    if is_table(file):
        return _check(_read_table(file, text, records=records, column=column), source=f"'{file}'")
    names = [" ".join(line.split()) for line in text.splitlines() if not line.lstrip().startswith("#")]
    found = Labels(names=tuple(dict.fromkeys(filter(None, names))), truth=(-1,) * len(records))
    return _check(found, source=f"'{file}'")


def _check(found: Labels, *, source: str) -> Labels:
    if len(found.names) < 2:
        named = f" ({found.names[0]})" if found.names else ""
        raise PlanError(
            f"{source}: {len(found.names)} different labels{named}; expected 2 or more to choose between"
        )
    return found


def _read_folders(records: Sequence[ImageRecord]) -> Labels:
    folders = [Path(record.name).parent.name for record in records]
    names = tuple(sorted(set(folders) - {""}))
    places = {name: at for at, name in enumerate(names)}
    return Labels(names=names, truth=tuple(places.get(name, -1) for name in folders))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    line: int
    label: str
    image: str | None


def _read_table(file: Path, text: str, *, records: Sequence[ImageRecord], column: str) -> Labels:
    rows = [
        _read_row(row, file=file, line=line, column=column)
        for line, row in read_rows(file, io.StringIO(text, newline=""))
    ]
    names = tuple(dict.fromkeys(row.label for row in rows))
    images = [row.image for row in rows if row.image is not None]
    if len(images) not in (0, len(rows)):
        raise PlanError(f"'{file}' names images in some lines only; expected them in all lines, or in none")
    found = find_images(images, records, folder=file.parent)
    places, truth = {name: at for at, name in enumerate(names)}, [-1] * len(records)
    for at, row in zip(found, rows, strict=False):  # a file without images finds none
        place = places[row.label]
        if at is not None and truth[at] not in (-1, place):
            raise PlanError(
                f"line {row.line} of '{file}' gives a second label to {records[at].member}: '{row.label}' "
                f"after '{names[truth[at]]}'; expected one label for each image"
            )
        if at is not None:
            truth[at] = place
    return Labels(names=names, truth=tuple(truth), unmatched=found.count(None))


def _read_row(row: Mapping[str, Any], *, file: Path, line: int, column: str) -> _Row:
    name = find_column(row, file=file, known=_LABEL_COLUMNS, what="labels", stated=column)
    stated = row[name]
    # JSON Lines may hold anything: a number may name a class, a null or an object cannot.
    known = isinstance(stated, str | int) and not isinstance(stated, bool)
    label = " ".join(str(stated).split()) if known else ""
    if not label:
        raise PlanError(f"line {line} of '{file}' has no label; expected one in column '{name}'")
    named = choose_columns(row)
    image = str(row[find_column(row, file=file, known=named, what="images")]) if named else None
    return _Row(line=line, label=label, image=image)
