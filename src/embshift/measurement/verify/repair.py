"""Repair: drop what is damaged, so that the next run makes it again."""

from collections.abc import Sequence
from pathlib import Path

from embshift.core.errors import RunError
from embshift.measurement.verify.verdict import Fault
from embshift.runs.explained import read_explained_record, write_explained_record
from embshift.runs.explained_schema import FOLDER
from embshift.runs.explained_schema import RECORD as EXPLAINED_RECORD
from embshift.runs.files import write_json
from embshift.runs.places import file_in, folder_in, remove_in
from embshift.runs.record import RECORD, check_record_seal, read_record_file, write_record_file
from embshift.runs.schema import TABLES
from embshift.runs.seal import SEALED

__all__ = ["drop_damaged"]


def drop_damaged(folder: Path, *, faults: Sequence[Fault]) -> int:
    """Remove the damaged files, and mark the run in ``run.json`` as not finished.

    The file that commits a chunk is removed first: wherever this stops, the run can be continued. Nothing is
    removed through a link.

    Args:
        folder: The run folder.
        faults: What was found, of which some can be repaired.

    Returns:
        The number of files removed.
    """
    repairable = [fault for fault in faults if fault.repairable]
    if not all(fault.apart for fault in repairable):
        _mark_unfinished(folder)
    if any(fault.apart for fault in repairable):
        _mark_unexplained(folder)
    chunks = sorted({fault.chunk for fault in repairable if fault.chunk is not None})
    files = [folder / name / f"chunk-{chunk:06d}.parquet" for chunk in chunks for name in TABLES]
    files += sorted({path for fault in repairable for path in fault.files})
    return sum(_remove(folder, path) for path in files)


def _mark_unfinished(folder: Path) -> None:
    try:
        sealed = check_record_seal(folder) == SEALED
        info = read_record_file(folder)
    except (OSError, ValueError, RunError):  # itself at fault: it stays as it is
        return
    changed = {**info, "state": "running", "finished": None}
    if sealed:
        write_record_file(folder, changed)
    else:  # a seal would vouch for what nothing has checked
        write_json(file_in(folder, RECORD), changed)


def _mark_unexplained(folder: Path) -> None:
    """Mark an explanation as not finished, so that chunks that are missing are no fault."""
    try:
        if check_record_seal(folder / FOLDER, name=EXPLAINED_RECORD) == SEALED:
            write_explained_record(folder, {**read_explained_record(folder), "state": "running"})
    except (OSError, RunError):  # itself at fault, or missing
        return


def _remove(folder: Path, path: Path) -> bool:
    try:
        if path == folder / FOLDER:  # reported where it holds nothing
            folder_in(folder, FOLDER).rmdir()
            return True
        return remove_in(folder, *path.relative_to(folder).parts)
    except OSError as error:
        raise RunError(f"{path} cannot be removed: {error.strerror}") from error
