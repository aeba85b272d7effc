"""The pictures of views that a run keeps, against the digests of what was measured."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq
from PIL import Image

from embshift.measurement.verify.verdict import Fault
from embshift.runs.view_files import view_path
from embshift.transforms.build import pixels_digest

__all__ = ["check_views"]


def check_views(
    folder: Path, *, chunks: Mapping[int, bool], complete: bool, always: int
) -> tuple[int, list[Fault]]:
    """Every kept picture read, and its digest compared.

    Args:
        folder: The run folder.
        chunks: The committed chunks, and whether each is sound.
        complete: Whether these are all of the run's: only then can a picture be told to belong to none.
        always: Pictures, by row, whose views are written while the run goes on: only their chunk makes them
            again.

    Returns:
        How many pictures were read, and what is wrong.
    """
    kept = {path for path in (folder / "views").glob("*/*.png") if not path.name.startswith(".")}
    faults = list[Fault]()
    known = set[Path]()
    for chunk, sound in chunks.items():
        if sound:
            for line in _measured(folder, chunk, ids={path.parent.name for path in kept}):
                path = view_path(folder, **{key: line[key] for key in ("image_id", "transform", "draw")})
                known.add(path)
                if path in kept:
                    again = chunk if line["row"] < always else None
                    faults += _compare(path, digest=line["pixels_digest"], folder=folder, chunk=again)
    if complete and all(chunks.values()):
        faults += [_fault(path, "is no view of the run", folder=folder) for path in sorted(kept - known)]
    return len(kept), faults


def _measured(folder: Path, chunk: int, *, ids: set[str]) -> Iterator[dict[str, Any]]:
    wanted = pc.field("image_id").isin(sorted(ids)) & pc.field("pixels_digest").is_valid()
    columns = ["row", "image_id", "transform", "draw", "pixels_digest"]
    path = folder / "embeddings" / f"chunk-{chunk:06d}.parquet"
    yield from pq.read_table(path, columns=columns, filters=wanted).to_pylist()


def _compare(path: Path, *, digest: str, folder: Path, chunk: int | None) -> Iterator[Fault]:
    try:
        with Image.open(path, formats=["PNG"]) as image:
            same = pixels_digest(np.array(image.convert("RGB"))) == digest
    except Exception as error:  # noqa: BLE001 - whatever a decoder raises on bytes from outside
        yield _fault(path, f"cannot be read ({' '.join(str(error).split())})", folder=folder, chunk=chunk)
        return
    if not same:
        yield _fault(path, "is not the view that was measured", folder=folder, chunk=chunk)


def _fault(path: Path, what: str, *, folder: Path, chunk: int | None = None) -> Fault:
    text = f"{path.relative_to(folder)} {what}"
    return Fault(kind="view broken", message=text, files=(path,), chunk=chunk)
