"""Check what a run was made from: images are hashed again, and the encoder is opened again."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from embshift.core.addresses import INGESTED
from embshift.core.errors import ImageError, ShiftError
from embshift.core.paths import is_url
from embshift.core.types import FrozenRow, ImageRecord
from embshift.core.words import count_noun, show_name
from embshift.images.contents import read_content
from embshift.images.decode import Limits
from embshift.images.facts import CHANGED
from embshift.measurement.session.provenance import encoder_content
from embshift.measurement.session.trust import Trust
from embshift.measurement.verify.remote_inputs import RemoteInputs
from embshift.measurement.verify.verdict import Fault
from embshift.runs.listing import stat_record

__all__ = ["check_encoder", "check_inputs"]


def check_inputs(
    folder: Path, *, chunks: Iterable[int], rows: Sequence[FrozenRow], trust: Trust
) -> tuple[int, list[Fault], list[str]]:
    """Compare every image that still exists with the SHA-256 of what was measured.

    Args:
        folder: The run folder.
        chunks: Its sound chunks.
        rows: Its listing.
        trust: Whether images are read from other machines.

    Returns:
        Number of hashed images, the changed ones, and notes on the others.
    """
    hashed, gone, faults, elsewhere = 0, list[str](), list[Fault](), RemoteInputs(trust)
    for line in _read_recorded(folder, chunks):
        frozen = rows[line["row"]]
        if is_url(str(frozen.record.path)):
            elsewhere.check(frozen.record, line)
            continue
        found = _digest(frozen.record)
        if found is None:
            gone.append(show_name(line["member"]))
            continue
        hashed += 1
        if found != line["sha256"]:
            faults.append(_report_change(line, found=found, frozen=frozen))
    notes = [*([_report_missing(gone)] if gone else []), *elsewhere.list_notes()]
    return hashed + elsewhere.hashed, [*faults, *elsewhere.faults], notes


def _read_recorded(folder: Path, chunks: Iterable[int]) -> Iterator[dict[str, Any]]:
    columns = ["row", "member", "path", "sha256"]
    for chunk in sorted(chunks):
        table = pq.read_table(folder / "images" / f"chunk-{chunk:06d}.parquet", columns=columns)
        yield from (line for line in table.to_pylist() if line["path"] and line["sha256"])


def _digest(record: ImageRecord) -> str | None:
    """Return the SHA-256 of an image's bytes; None where it is gone, empty where its place holds another."""
    try:
        if not record.is_part:  # of any size: it is read piece by piece
            with open(str(record.path), "rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest()
        # Whatever is there now: an archive that has grown since holds the same images.
        now = read_content(replace(record, etag=""), most=Limits().bytes)
        return hashlib.sha256(now).hexdigest()
    except ImageError as error:
        return "" if error.status == CHANGED else None
    except OSError:
        return None


def _report_change(line: Mapping[str, Any], *, found: str, frozen: FrozenRow) -> Fault:
    now = f"is {found[:12]}…" if found else "its place holds something else"
    text = (
        f"{show_name(line['member'])} (row {line['row']}): SHA-256 was {line['sha256'][:12]}… and {now};"
        f" {_explain(frozen)}; the run's values are those of the image as it was"
    )
    return Fault(kind="input changed", message=text)


def _explain(frozen: FrozenRow) -> str:
    record = frozen.record
    same = not record.is_part and stat_record(record) == (frozen.size, frozen.mtime_ns)
    return "size and time are unchanged, so the file is damaged" if same else "it was written since"


def _report_missing(members: Sequence[str]) -> str:
    more = f" and {len(members) - 3:,} more" if len(members) > 3 else ""
    named = ", ".join(members[:3]) + more
    return f"{count_noun(len(members), 'image')} missing and not compared: {named}"


_COMPARED = {"digest": "weights", "config": "config.json", "preprocessing": "preprocessing"}


def check_encoder(info: Mapping[str, Any], trust: Trust, /) -> tuple[list[Fault], list[str]]:
    """Check the encoder, as it is now, against what the run recorded.

    Args:
        info: The content of ``run.json``.
        trust: Whether an encoder of the user's own code, or a service, may be opened.

    Returns:
        Faults, and notes on what was not compared.
    """
    from embshift.encoders.open import find_trust, open_encoder

    plan, before = info["plan"], info["encoder"]
    if plan["encoder"].startswith(INGESTED):
        return [], [f"the encoder was ingested and cannot be compared: {before.get('name')}"]
    kind = find_trust(plan["encoder"])
    if (kind == "code" and not trust.code) or (kind == "remote" and not trust.remote):
        return [], [
            f"the encoder {plan['encoder']} was not opened and not compared: anyone may have written its name"
            f" into the record; if you trust it, give --allow-{kind}"
        ]
    try:
        opened = open_encoder(plan["encoder"], device="cpu", allow_pickle=plan["allow_pickle"])
    except ShiftError as error:
        return [], [f"the encoder cannot be opened and was not compared: {error}"]
    now = encoder_content(opened.spec)
    changed = [words for name, words in _COMPARED.items() if now[name] != before[name]]
    if not changed:
        return [], []
    text = (
        f"{plan['encoder']}: {' and '.join(changed)} differ from those that the run was made with;"
        " the run is valid as measured, but cannot be continued with this encoder"
    )
    return [Fault(kind="encoder changed", message=text)], []
