"""Values that were computed before: kept in the user's cache folder, never in a run folder.

A file is named by a digest of all that its values follow from: seals of the run's files, images, draws,
transforms, and the code that computes them. So there is nothing to be invalidated, and a file that is lost or
damaged costs time alone.
"""

import hashlib
import json
import os
from contextlib import suppress
from functools import cache
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from jaxtyping import Float64

from embshift.analysis.compared.catalogue import COMPARED
from embshift.analysis.compared.stability import Spread
from embshift.analysis.compared.values import ComparedValues
from embshift.analysis.embeddings.pairs import Pairs
from embshift.core.caches import find_cache
from embshift.core.errors import StorageError
from embshift.core.version import __version__
from embshift.runs.arrow import as_array
from embshift.runs.files import write_aside
from embshift.runs.seal import SEALED, check_seal, read_seal, write_sealed
from embshift.runs.tables import RunTables

__all__ = ["name_values", "read_values", "write_values"]

LEAST_IMAGES = 2_000
"""Number of images from which values are kept: those of fewer are computed in a second."""

MOST_BYTES = 1 << 30
"""Bytes that all files may take; the ones that were not used for longest go first."""

_SCALED = "relative_shift"
"""The statistic whose denominators pull."""

_SPREAD = ("spread", "spread_pulls")


def name_values(
    run: RunTables, pairs: Pairs, *, transforms: tuple[str, ...], draws: tuple[int, ...]
) -> Path | None:
    """Return the file of a run's values; None where they are not kept.

    Args:
        run: The run.
        pairs: Its originals, of the images that are compared.
        transforms: Names of the transforms.
        draws: The draws that are compared.
    """
    folder = find_cache("compared")
    if folder is None or len(pairs) < LEAST_IMAGES:
        return None
    seals = [read_seal(file) for file in run.files("embeddings")]
    if None in seals:
        return None
    what = {
        "embshift": __version__,
        "code": _digest_code(),
        "numpy": np.__version__,
        "seals": seals,
        "rows": hashlib.sha256(pairs.rows.tobytes()).hexdigest(),
        "ids": pairs.ids,
        "draws": draws,
        "transforms": transforms,
        "statistics": tuple(COMPARED),
    }
    return folder / f"{hashlib.sha256(json.dumps(what).encode()).hexdigest()}.parquet"


@cache
def _digest_code() -> str:
    """Return a digest of the code: another checkout may compute otherwise under the same version."""
    found = hashlib.sha256()
    for file in sorted(Path(__file__).parents[1].rglob("*.py")):
        found.update(file.read_bytes())
    return found.hexdigest()


def read_values(
    path: Path, pairs: Pairs, *, transforms: tuple[str, ...]
) -> tuple[ComparedValues, Spread] | None:
    """Return what `write_values` has kept; None where there is nothing, or it is damaged."""
    ids, statistics = tuple(sorted(pairs.ids)), tuple(COMPARED)
    shape = len(ids), len(transforms), len(statistics)
    try:
        if check_seal(path) != SEALED:
            return None
        table = pq.read_table(path)
        os.utime(path)
        columns = {name: as_array(table[name]) for name in (*statistics, "pulls", *_SPREAD)}
        values = np.stack([columns[name].reshape(shape[:2]) for name in statistics], axis=2)
        pulls = np.zeros(shape)
        pulls[:, :, statistics.index(_SCALED)] = columns["pulls"].reshape(shape[:2])
        spread = [columns[name].reshape(shape[:2])[:, 0] for name in _SPREAD]
    except (OSError, KeyError, ValueError, pa.ArrowException):
        return None
    found = ComparedValues(
        ids=ids, transforms=transforms, statistics=statistics, values=values, scale_pulls=pulls
    )
    return found, Spread(values=spread[0], pulls=spread[1])


def write_values(path: Path, values: ComparedValues, spread: Spread) -> None:
    """Keep values; a folder that cannot be written costs nothing but their next computation."""
    each: dict[str, Float64[np.ndarray, "images transforms"]] = {
        name: values.values[:, :, at] for at, name in enumerate(values.statistics)
    }
    each["pulls"] = values.scale_pulls[:, :, values.statistics.index(_SCALED)]
    # Once for each transform: dictionary encoding leaves next to nothing of the repeats.
    for name, column in zip(_SPREAD, (spread.values, spread.pulls), strict=True):
        each[name] = np.repeat(column[:, None], len(values.transforms), axis=1)
    table = pa.table({name: np.ascontiguousarray(column).reshape(-1) for name, column in each.items()})
    with suppress(StorageError, OSError):
        write_aside(path, lambda aside: write_sealed(aside, table, use_dictionary=list(_SPREAD)))
        _remove_oldest(path.parent)


def _remove_oldest(folder: Path) -> None:
    """Remove files until the rest takes no more than `MOST_BYTES`, beginning with the least recently used."""
    states = sorted(
        ((file, file.stat()) for file in folder.glob("*.parquet")), key=lambda one: one[1].st_mtime
    )
    total = sum(state.st_size for _, state in states)
    for file, state in states:
        if total <= MOST_BYTES:
            return
        file.unlink(missing_ok=True)
        total -= state.st_size
