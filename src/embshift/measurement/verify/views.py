"""Check kept views against the digests of the views that were measured."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.compute as pc
from PIL import Image

from embshift.core.errors import RunError
from embshift.measurement.verify.verdict import Fault
from embshift.runs.arrow import read_columns
from embshift.runs.places import file_in, list_views
from embshift.runs.view_files import view_path
from embshift.transforms.perturb import pixels_digest

__all__ = ["CheckedViews", "check_views"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedViews:
    """What the check of the kept views found.

    Attributes:
        count: Number of kept views.
        faults: Their faults.
        unknown: Views that no readable chunk measured.
    """

    count: int
    faults: tuple[Fault, ...]
    unknown: tuple[Path, ...]


def check_views(folder: Path, *, chunks: Mapping[int, bool], complete: bool, always: int) -> CheckedViews:
    """Read every kept view, and compare its digest.

    Args:
        folder: The run folder.
        chunks: The committed chunks, and whether each is sound. Views of a broken chunk are compared, too, as
            long as its digests can be read.
        complete: Whether these are all of the run's: only then can a file be found to belong to none.
        always: Number of images, from row 0, whose views are written while the run goes on: they are made
            again only with their chunk.
    """
    kept = set(list_views(folder))
    if not kept:
        return CheckedViews(count=0, faults=(), unknown=())
    ids = sorted({path.parent.name for path in kept})
    faults, known = list[Fault](), set[Path]()
    for chunk in chunks:
        for line in _read_digests(folder, chunk, ids=ids):
            path = view_path(folder, **{key: line[key] for key in ("image_id", "transform", "draw")})
            known.add(path)
            if path in kept:
                again = chunk if line["row"] < always else None
                faults += _compare(path, digest=line["pixels_digest"], folder=folder, chunk=again)
    unknown = sorted(kept - known)
    if complete and all(chunks.values()):
        faults += [_report(path, "is not a view of the run", folder=folder) for path in unknown]
    return CheckedViews(count=len(kept), faults=tuple(faults), unknown=tuple(unknown))


def _read_digests(folder: Path, chunk: int, *, ids: list[str]) -> list[dict[str, Any]]:
    """Return row, names and digest of the views of some images; nothing where a chunk's are not readable."""
    wanted = pc.field("image_id").isin(ids) & pc.field("pixels_digest").is_valid()
    columns = ["row", "image_id", "transform", "draw", "pixels_digest"]
    try:
        path = file_in(folder, "embeddings", f"chunk-{chunk:06d}.parquet")
        return read_columns(path, columns).filter(wanted).to_pylist()
    except RunError:
        return []


def _compare(path: Path, *, digest: str, folder: Path, chunk: int | None) -> Iterator[Fault]:
    try:
        with Image.open(path, formats=["PNG"]) as image:
            same = pixels_digest(np.array(image.convert("RGB"))) == digest
    except Exception as error:  # noqa: BLE001 - whatever a decoder raises on bytes from outside
        yield _report(path, f"cannot be read ({' '.join(str(error).split())})", folder=folder, chunk=chunk)
        return
    if not same:
        yield _report(path, "is not the view that was measured", folder=folder, chunk=chunk)


def _report(path: Path, what: str, *, folder: Path, chunk: int | None = None) -> Fault:
    text = f"{path.relative_to(folder)} {what}"
    return Fault(kind="view broken", message=text, files=(path,), chunk=chunk)
