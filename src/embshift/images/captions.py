"""Captions of images, and the images that they belong to."""

import io
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from embshift.core.errors import PlanError
from embshift.core.types import ImageRecord
from embshift.images.lists import COLUMNS, choose_columns
from embshift.images.named_rows import find_column, find_images, is_table, read_rows, read_typed_file

__all__ = ["Captions", "read_captions"]

_CAPTION_COLUMNS = frozenset({"caption", "captions", "sentence", "text", "title"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Captions:
    """Captions of the images of a listing.

    Attributes:
        texts: The captions; the same text may belong to several images, and an image may have several.
        owners: For each caption the position of its image.
        unmatched: Number of captions in the file whose image is not in the listing.
        images: Number of images with a caption.
    """

    texts: tuple[str, ...]
    owners: tuple[int, ...]
    unmatched: int
    images: int


def read_captions(path: str | os.PathLike[str], /, *, records: Sequence[ImageRecord]) -> Captions:
    """Read captions from a table (CSV, TSV) or from JSON Lines.

    A column named file, image or path names the image, one named caption or text its caption. In JSON Lines
    the caption may be a list of captions. A caption that an image has twice counts once.

    Args:
        path: The file.
        records: The images.

    Raises:
        PlanError: The file cannot be read, lacks a column, has an empty caption, or no caption belongs to an
            image of the listing.
    """
    file, text = read_typed_file(path, what="file of captions")
    if not is_table(file):
        raise PlanError(f"file of captions '{file}'; expected a name that ends in .csv, .tsv or .jsonl")
    pairs = [
        (str(row[find_column(row, file=file, known=choose_columns(row) or COLUMNS, what="images")]), caption)
        for number, row in read_rows(file, io.StringIO(text, newline=""))
        for caption in _read_captions(row, file=file, number=number)
    ]
    found = find_images([image for image, _ in pairs], records, folder=file.parent)
    kept = dict.fromkeys(
        (at, caption) for at, (_, caption) in zip(found, pairs, strict=True) if at is not None
    )
    if not kept:
        first = f"; the first names '{pairs[0][0]}'" if pairs else ""
        raise PlanError(
            f"none of the {len(pairs):,} captions in '{file}' belongs to an image of the run{first}; "
            "expected paths, absolute or from the file's folder, or names of the images' files"
        )
    return Captions(
        texts=tuple(caption for _, caption in kept),
        owners=tuple(at for at, _ in kept),
        unmatched=found.count(None),
        images=len({at for at, _ in kept}),
    )


def _read_captions(row: Mapping[str, Any], *, file: Path, number: int) -> list[str]:
    name = find_column(row, file=file, known=_CAPTION_COLUMNS, what="captions")
    stated = row[name]
    several = cast("list[Any]", stated if isinstance(stated, list) else [stated])
    if not several or not all(isinstance(one, str) and one.strip() for one in several):
        raise PlanError(
            f"line {number} of '{file}' has the caption {stated!r}; expected a text that is not empty"
        )
    return [" ".join(one.split()) for one in several]
