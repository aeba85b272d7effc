"""Repair: drop what is damaged, so that the next run makes it again."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from embshift.measurement.verify.verdict import Fault
from embshift.runs.files import write_json
from embshift.runs.schema import TABLES

__all__ = ["drop_damaged"]


def drop_damaged(folder: Path, info: Mapping[str, Any], *, faults: Sequence[Fault]) -> int | None:
    """Remove the damaged files, and mark the run in ``run.json`` as not finished.

    The file that commits a chunk is removed first: wherever this stops, the run can be continued.

    Returns:
        The number of files removed; None where nothing can be made again.
    """
    repairable = [fault for fault in faults if fault.repairable]
    if not repairable:
        return None
    write_json(folder / "run.json", {**info, "state": "running", "finished": None})
    chunks = sorted({fault.chunk for fault in repairable if fault.chunk is not None})
    files = [folder / name / f"chunk-{chunk:06d}.parquet" for chunk in chunks for name in TABLES]
    files += sorted({path for fault in repairable for path in fault.files})
    return sum(_remove(path) for path in files)


def _remove(path: Path) -> bool:
    there = path.exists()
    path.unlink(missing_ok=True)
    return there
