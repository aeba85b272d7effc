"""Check what ``embshift explain`` has stored: its record, its texts, and every chunk."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa

from embshift.core.errors import RunError
from embshift.measurement.verify.verdict import Fault
from embshift.runs.arrow import check_table
from embshift.runs.explained import find_explained, read_explained_record, read_texts_record
from embshift.runs.explained_schema import EXPLAINED, FOLDER, RECORD, TEXTS, TEXTS_RECORD
from embshift.runs.places import file_in, folder_in, list_chunks
from embshift.runs.record import check_record_seal
from embshift.runs.seal import SEALED

__all__ = ["check_explained"]

KIND = "explanation broken"


def check_explained(folder: Path, info: Mapping[str, Any]) -> Iterator[Fault]:
    """Check an explanation, where there is one.

    Args:
        folder: The run folder.
        info: The content of ``run.json``.
    """
    place = folder_in(folder, FOLDER)
    if not place.exists():
        return
    if not any(place.iterdir()):
        yield _report(place, "holds nothing", files=(place,))
        return
    if not find_explained(folder):
        if left := _list_files(folder):
            yield _report(folder / FOLDER, "has chunks and no explain.json", files=left)
        # Words, labels and captions are stored without an explanation of the network.
        yield from _check_texts(folder, fingerprint=str(info["fingerprint"]))
        return
    path = file_in(folder, FOLDER, RECORD)
    try:
        whole = check_record_seal(folder / FOLDER, name=RECORD) == SEALED
        record = read_explained_record(folder)
        chunks, digest = int(record["chunks"]), str(record["digest"])
        own = record["fingerprint"] == info["fingerprint"]
    except (OSError, ValueError, KeyError, TypeError, RunError) as error:
        yield _report(path, f"cannot be read ({error})", files=(path,))
        return
    if not whole or not own:
        what = "is that of another run" if whole else "has changed since it was written"
        yield _report(path, what, files=(path,))
        return
    yield from _check_chunks(folder, chunks, digest=digest, finished=record.get("state") == "finished")
    yield from _check_texts(folder, fingerprint=str(info["fingerprint"]))


def _check_chunks(folder: Path, chunks: int, *, digest: str, finished: bool) -> Iterator[Fault]:
    for chunk in range(chunks):
        files = tuple(folder / FOLDER / name / f"chunk-{chunk:06d}.parquet" for name in EXPLAINED)
        present = tuple(path for path in files if path.exists())
        committed = (folder / FOLDER / "shares" / f"chunk-{chunk:06d}.parquet").exists()
        if not committed and not finished:
            continue  # the next session writes it, or writes it anew
        what = _find_damage(folder, chunk, digest=digest)
        if what:
            yield _report(folder / FOLDER, f"chunk {chunk}: {what}", files=present)


def _find_damage(folder: Path, chunk: int, *, digest: str) -> str:
    for name in EXPLAINED:
        try:
            check_table(file_in(folder, FOLDER, name, f"chunk-{chunk:06d}.parquet"), fingerprint=digest)
        except (RunError, OSError, ValueError, pa.ArrowException) as error:
            return str(error).partition(";")[0]
    return ""


def _check_texts(folder: Path, *, fingerprint: str) -> Iterator[Fault]:
    path, record = file_in(folder, FOLDER, TEXTS), file_in(folder, FOLDER, TEXTS_RECORD)
    # One counts for nothing without the other, so both are dropped.
    present = tuple(one for one in (path, record) if one.exists())
    if len(present) == 1:
        lost = record if present[0] == path else path
        yield _report(present[0], f"has lost {lost.name}", files=present)
        return
    if present:
        yield from _check_both(folder, present, fingerprint=fingerprint)


def _check_both(folder: Path, files: tuple[Path, ...], *, fingerprint: str) -> Iterator[Fault]:
    try:
        check_table(files[0], fingerprint=fingerprint)
    except RunError as error:
        yield _report(files[0], str(error).partition(";")[0], files=files)
    if what := _find_wrong_record(folder, fingerprint=fingerprint):
        yield _report(files[1], what, files=files)


def _find_wrong_record(folder: Path, *, fingerprint: str) -> str:
    """Return what is wrong with what is known of the texts; empty if nothing is."""
    try:
        if check_record_seal(folder / FOLDER, name=TEXTS_RECORD) != SEALED:
            return "has changed since it was written"
        own = read_texts_record(folder).get("fingerprint") == fingerprint
    except (OSError, RunError) as error:
        return f"cannot be read ({error})"
    return "" if own else "is that of another run"


def _list_files(folder: Path) -> tuple[Path, ...]:
    return tuple(path for name in EXPLAINED for path in list_chunks(folder / FOLDER, name))


def _report(path: Path, what: str, *, files: tuple[Path, ...]) -> Fault:
    text = f"{path} {what}; run 'embshift explain' again once it is dropped"
    return Fault(kind=KIND, message=text, files=files, apart=True)
