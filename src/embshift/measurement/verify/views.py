"""Check kept views against the digests of the views that were measured."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq
from PIL import Image

from embshift.measurement.verify.verdict import Fault
from embshift.runs.view_files import view_path
from embshift.transforms.perturb import pixels_digest

__all__ = ["check_views"]


def check_views(
    folder: Path, *, chunks: Mapping[int, bool], complete: bool, always: int
) -> tuple[int, list[Fault]]:
    """Read every kept view, and compare its digest.

    Args:
        folder: The run folder.
        chunks: The committed chunks, and whether each is sound.
        complete: Whether these are all of the run's: only then can a file be found to belong to none.
        always: Number of images, from row 0, whose views are written while the run goes on: they are made
            again only with their chunk.

    Returns:
        Number of kept views, and their faults.
    """
    kept = {path for path in (folder / "views").glob("*/*.png") if not path.name.startswith(".")}
    faults = list[Fault]()
    known = set[Path]()
    for chunk, sound in chunks.items():
        if sound:
            for line in _read_digests(folder, chunk, ids={path.parent.name for path in kept}):
                path = view_path(folder, **{key: line[key] for key in ("image_id", "transform", "draw")})
                known.add(path)
                if path in kept:
                    again = chunk if line["row"] < always else None
                    faults += _compare(path, digest=line["pixels_digest"], folder=folder, chunk=again)
    if complete and all(chunks.values()):
        faults += [_report(path, "is not a view of the run", folder=folder) for path in sorted(kept - known)]
    return len(kept), faults


def _read_digests(folder: Path, chunk: int, *, ids: set[str]) -> Iterator[dict[str, Any]]:
    wanted = pc.field("image_id").isin(sorted(ids)) & pc.field("pixels_digest").is_valid()
    columns = ["row", "image_id", "transform", "draw", "pixels_digest"]
    path = folder / "embeddings" / f"chunk-{chunk:06d}.parquet"
    yield from pq.read_table(path, columns=columns, filters=wanted).to_pylist()


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
