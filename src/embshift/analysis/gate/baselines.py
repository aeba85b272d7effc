"""Baselines: what a gate compares with, as one Parquet file that can be committed."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from jaxtyping import Float32

from embshift.analysis.compared.catalogue import COMPARED
from embshift.analysis.compared.values import ComparedValues, measure_values
from embshift.analysis.embeddings.calibration import mean_distance_to_others
from embshift.analysis.embeddings.pairs import Pairs
from embshift.analysis.gate.rows import list_rows, read_rows
from embshift.analysis.of_run import pair_views
from embshift.analysis.pairing.panels import Panel, read_panel
from embshift.core.errors import BaselineError, RunError
from embshift.core.version import __version__
from embshift.runs.files import format_json, write_aside
from embshift.runs.seal import SEALED, check_seal, read_seal, write_sealed
from embshift.runs.tables import RunTables

__all__ = ["Baseline", "check_finished", "make_table", "parse_table", "read_baseline", "write_table"]

FORMAT = 1
"""Version of the file's format."""

_KEY = b"embshift baseline"

_ENCODER = ("name", "family", "dim", "digest", "embedding", "preprocessing", "precision")
"""Fields of the encoder's record that are kept."""

_COMPUTED = ("precision", "runtime", "device")
"""Fields of the plan that are kept beside those that determine pixels."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Baseline:
    """A stored baseline.

    Attributes:
        path: The file.
        digest: Its seal, 64 hexadecimal digits.
        info: Encoder, plan, versions and mean distances.
        panel: Images, transforms and digests of pixels.
        draws: Number of draws behind a value.
        values: Value of each image, on the gallery of all of them.
        embeddings: Raw embeddings of the originals, in the order of ``values.ids``; None if not stored.
    """

    path: Path
    digest: str
    info: Mapping[str, Any]
    panel: Panel
    draws: int
    values: ComparedValues
    embeddings: Float32[np.ndarray, "images dim"] | None


def check_finished(run: RunTables) -> None:
    """Raise `RunError` for a run that is not finished: its values would be those of some images."""
    if not run.finished:
        raise RunError(f"{run.folder} is not finished; continue it with the command that began it")


def make_table(run: RunTables, /, *, with_embeddings: bool = False) -> pa.Table:
    """Return the content of a baseline file.

    Args:
        run: A finished run.
        with_embeddings: Whether to store the embeddings of the originals, for budgets of the panel.

    Raises:
        RunError: If the run is not finished, or holds no image.
    """
    check_finished(run)
    panel, pairs = read_panel(run), pair_views(run)
    if not len(pairs):
        raise RunError(f"{run.folder} holds no image with an embedding; measure images that can be read")
    values = measure_values(pairs, transforms=list(panel.specifications))
    table = list_rows(panel, values, embeddings=_read_originals(run, pairs) if with_embeddings else None)
    distance = float(np.mean(mean_distance_to_others(pairs.units)))
    # A single image has no distance to others, and JSON has no NaN.
    info = _describe(run, panel) | {"mean_distance": distance if np.isfinite(distance) else None}
    return table.replace_schema_metadata({_KEY: format_json(info).encode()})


def write_table(table: pa.Table, path: Path, /) -> None:
    """Write what `make_table` gave, whole or not at all; an existing file is replaced.

    Raises:
        StorageError: If the file cannot be written.
    """
    options: dict[str, Any] = {
        "compression": "zstd",
        "compression_level": 19,
        "use_dictionary": ["image", "transform"],
        "use_byte_stream_split": [*COMPARED, *(f"pull_{name}" for name in COMPARED)],
    }
    write_aside(path, lambda aside: write_sealed(aside, table, **options))


def _read_originals(run: RunTables, pairs: Pairs) -> Float32[np.ndarray, "images dim"]:
    """Return the raw embeddings of the originals, in the order of their ids."""
    found = run.embeddings()
    place = {row: at for at, row in enumerate(found.rows.tolist())}
    rows = pairs.rows[pairs.order_by_id()]
    return found.values[[place[row] for row in rows.tolist()]]


def _describe(run: RunTables, panel: Panel) -> dict[str, Any]:
    encoder, plan = run.info["encoder"], run.info["plan"]
    return {
        "format": FORMAT,
        "embshift": __version__,
        "label": panel.label,
        "fingerprint": run.info.get("fingerprint"),
        "encoder": {name: encoder[name] for name in _ENCODER if name in encoder},
        "plan": {**panel.prepared, **{name: plan[name] for name in _COMPUTED if name in plan}},
        "draws": plan.get("draws", 1),
        "transforms": [{"name": name, "specification": one} for name, one in panel.specifications.items()],
        "failed": panel.failed,
        "versions": run.info.get("versions", {}),
    }


def read_baseline(path: Path, /) -> Baseline:
    """Read a baseline file.

    Raises:
        BaselineError: If it is missing, cut, altered, or no baseline.
    """
    digest = _check_file(path)
    try:
        return parse_table(pq.read_table(path), path=path, digest=digest)
    except (OSError, KeyError, TypeError, ValueError, pa.ArrowException) as error:
        raise BaselineError(
            f"baseline {path} is damaged: {error}; restore it, or write it again with 'embshift baseline'"
        ) from error


def parse_table(table: pa.Table, *, path: Path, digest: str) -> Baseline:
    """Return the baseline that a table holds.

    Args:
        table: What `make_table` gave, or a file holds.
        path: The file that it is for.
        digest: Its seal; empty where it has none yet.
    """
    info = _read_info(path, table.schema.metadata or {})
    specifications = {one["name"]: one["specification"] for one in info["transforms"]}
    views, values, embeddings = read_rows(table, transforms=list(specifications))
    panel = Panel(
        path=str(path),
        label=path.name,
        encoder=info["encoder"],
        specifications=specifications,
        prepared=info["plan"],
        views=views,
        failed=int(info["failed"]),
    )
    return Baseline(
        path=path,
        digest=digest,
        info=info,
        panel=panel,
        draws=int(info["draws"]),
        values=values,
        embeddings=embeddings,
    )


def _check_file(path: Path) -> str:
    """Return the seal of a file that is as it was written."""
    if not path.exists():
        raise BaselineError(
            f"baseline {path} does not exist; write it with 'embshift baseline RUN --out {path}', and commit"
            " it: another is never taken in its place"
        )
    if not path.is_file():
        raise BaselineError(f"baseline {path} is no regular file; expected one, or a run folder")
    try:
        state, digest = check_seal(path), read_seal(path)
    except OSError as error:
        raise BaselineError(f"baseline {path} cannot be read: {error.strerror}") from error
    if state != SEALED or digest is None:
        raise BaselineError(
            f"{path} is no baseline of embshift, or was cut or changed; restore it, or write it again with"
            " 'embshift baseline'"
        )
    return digest


def _read_info(path: Path, metadata: Mapping[bytes, bytes]) -> dict[str, Any]:
    if _KEY not in metadata:
        raise BaselineError(f"{path} is a table of a run, no baseline; write one with 'embshift baseline'")
    info = json.loads(metadata[_KEY])
    if info["format"] > FORMAT:
        raise BaselineError(
            f"baseline {path} has format {info['format']}, newer than {FORMAT}; upgrade embshift"
        )
    return info
