"""Check run.json, plan.toml and listing.parquet: as the run wrote them, and consistent with each other."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from embshift.analysis.strength.solved import read_solved
from embshift.core.errors import ShiftError
from embshift.core.types import FrozenRow
from embshift.measurement.plan.files import list_differences, load_plan, plan_from_content
from embshift.measurement.session.provenance import metric_content, recorded_fingerprint
from embshift.measurement.session.resume import other_versions
from embshift.measurement.verify.verdict import Fault
from embshift.runs.fields import find_wrong_fields
from embshift.runs.listing import Listing
from embshift.runs.places import list_views
from embshift.runs.record import MATCH, check_record_seal, read_record_file
from embshift.runs.seal import BROKEN, SEALED, UNSEALED, check_seal, read_seal
from embshift.runs.tables import open_tables

__all__ = [
    "LISTING",
    "PLAN",
    "check_counts",
    "check_listing",
    "check_match",
    "check_metrics",
    "check_plan",
    "check_record",
    "check_record_bytes",
    "describe_record",
]

PLAN, LISTING = "plan.toml", "listing.parquet"

_START_AGAIN = "it cannot be repaired: measure into another --out"
_KEYS = {"schema", "state", "plan", "encoder", "metrics", "counts", "fingerprint", "code", "versions"}
_OTHER_KEYS = {
    "started",
    "finished",
    "strengths",
    "encoder_files",
    "machine",
    "failures",
    "sessions",
    "precision",
    "choices",
    "files",
    "left_out",
    "probe",
    "service",
    "ingested",
}


def check_record(info: Mapping[str, Any]) -> Iterator[Fault]:
    """Check the fields of ``run.json``, and its fingerprint against the plan, encoder, code and versions."""
    lacking, unknown = sorted(_KEYS - set(info)), sorted(set(info) - _KEYS - _OTHER_KEYS)
    if lacking:
        text = f"run.json lacks {', '.join(lacking)}: it has changed since the run wrote it"
        yield Fault(kind="record broken", message=text, final=True)
        return
    wrong = [f"run.json holds {name}, which no run writes" for name in unknown]
    wrong += [f"{line}, in run.json, which no run writes" for line in find_wrong_fields(info)]
    yield from (Fault(kind="record broken", message=f"{line}; {_START_AGAIN}", final=True) for line in wrong)
    if not wrong:
        yield from _check_fingerprint(info)


def _check_fingerprint(info: Mapping[str, Any]) -> Iterator[Fault]:
    try:
        found = recorded_fingerprint(info)
    except (KeyError, TypeError, AttributeError) as error:
        text = f"run.json lacks {error}, or holds it in another form than a run writes; {_START_AGAIN}"
        yield Fault(kind="record broken", message=text, final=True)
        return
    if found != info.get("fingerprint"):
        text = (
            f"run.json states fingerprint {info.get('fingerprint')}, but its plan, encoder, code and versions"
            f" give {found}: it was changed after it was written; {_START_AGAIN}"
        )
        yield Fault(kind="record broken", message=text, final=True)


def check_record_bytes(folder: Path) -> tuple[list[Fault], bool]:
    """Return the fault of a record that is not as it was written, and whether it holds a seal at all."""
    state = check_record_seal(folder)
    if state != BROKEN:
        return [], state == SEALED
    text = f"run.json has changed since it was written: its bytes do not match its seal; {_START_AGAIN}"
    return [Fault(kind="record broken", message=text, final=True)], True


_DECIDING = ("unit", "bounds", "identity", "direction", "needs", "performance")


def check_metrics(info: Mapping[str, Any]) -> Iterator[Fault]:
    """Check what ``run.json`` states of each metric that is registered here; others have the form alone."""
    # Imports torch, as the check of the encoder does.
    from embshift.metrics import METRICS

    for stated in info["metrics"]:
        if stated["name"] not in METRICS:
            continue
        now = metric_content(METRICS[stated["name"]].spec)
        for field in _DECIDING:
            if stated[field] != now[field]:
                text = (
                    f"run.json states {field} {stated[field]!r} of metric {stated['name']}, which has"
                    f" {now[field]!r}: it was changed after it was written; {_START_AGAIN}"
                )
                yield Fault(kind="record broken", message=text, final=True)


def check_plan(folder: Path, info: Mapping[str, Any]) -> Iterator[Fault]:
    """Check ``plan.toml`` against ``run.json``: its plan, and of a finished run its digest."""
    path = folder / PLAN
    recorded = info.get("files", {}).get(PLAN)
    try:
        lines = list_differences(plan_from_content(info["plan"]), load_plan(path, build=False))
        if not lines and recorded and hashlib.sha256(path.read_bytes()).hexdigest() != recorded:
            lines = ["it has changed since it was written"]
    except (KeyError, TypeError, OSError, ShiftError) as error:
        lines = [str(error)]
    if lines:
        text = f"plan.toml differs from the plan in run.json: {'; '.join(lines)}"
        yield Fault(kind="record broken", message=text, files=(path,))


def check_listing(folder: Path, info: Mapping[str, Any]) -> tuple[Sequence[FrozenRow], list[Fault]]:
    """Return the frozen listing, empty where it cannot be read, and its faults."""
    path = folder / LISTING
    recorded = info.get("files", {}).get(LISTING)
    try:
        state = check_seal(path)
        if state == BROKEN:
            return (), [
                _report_listing("has changed since it was written: its bytes do not match its seal", path)
            ]
        if state == UNSEALED:
            return (), [_report_listing("has no seal: it was written by another program", path)]
        if recorded and read_seal(path) != recorded:
            return (), [_report_listing("is that of another run", path)]
        rows = Listing(path)
        counted = all(row.record.row == at for at, row in enumerate(rows))
    except FileNotFoundError:
        return (), [_report_listing("is missing", path)]
    except (OSError, ValueError, KeyError, TypeError, pa.ArrowException) as error:
        return (), [_report_listing(f"cannot be read ({error})", path)]
    if not counted:
        return (), [_report_listing("does not number its rows from 0", path)]
    return rows, []


def _report_listing(what: str, path: Path) -> Fault:
    text = (
        f"listing.parquet {what}; the next run lists the sources again, and continues only if they hold the"
        " images of the committed chunks"
    )
    return Fault(kind="record broken", message=text, files=(path,))


def check_match(folder: Path, info: Mapping[str, Any]) -> Iterator[Fault]:
    """Check ``match.json``, where there is one: its seal, and that it belongs to the run."""
    if not (folder / MATCH).exists():
        return
    try:
        state, content = check_record_seal(folder, name=MATCH), read_record_file(folder, name=MATCH)
        read_solved(content)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, ShiftError) as error:
        what = f"cannot be read ({error})"
    else:
        own = content.get("fingerprint", info["fingerprint"]) == info["fingerprint"]
        if state != BROKEN and own:
            return
        broken = "has changed since it was written: its bytes do not match its seal"
        what = broken if state == BROKEN else "is that of another run"
    text = f"match.json {what}; it cannot be repaired: run the same embshift match again"
    yield Fault(kind="record broken", message=text)


def check_counts(folder: Path, info: Mapping[str, Any]) -> Iterator[Fault]:
    """Check the counts of a finished run against its tables."""
    run = open_tables(folder)
    status = run.images()["status"].to_pylist()
    views, views_failed = run.count_views()
    counted = {
        "images": len(status),
        "failed": sum(one != "ok" for one in status),
        "repeated": len(run.repeated()),
        "views": views,
        "views_failed": views_failed,
        "undefined": run.count_undefined(),
        "views_kept": len(list_views(folder)),
    }
    said = info["counts"]
    for name, count in counted.items():
        if said.get(name) != count:
            text = f"run.json counts {said.get(name)} {name}, but the folder holds {count}"
            yield Fault(kind="record broken", message=text, recount=True)


def describe_record(info: Mapping[str, Any], *, rows: Sequence[FrozenRow], missing: int) -> Iterator[str]:
    """Describe what a reader of the run should know, and what would prevent its continuation."""
    if info.get("state") != "finished":
        left = f"; {missing:,} of {len(rows):,} images are still to be measured" if rows else ""
        yield f"the run is not finished{left}"
    yield from (f"version of {line}" for line in other_versions(info.get("versions", {})))
