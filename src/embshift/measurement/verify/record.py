"""Check run.json, plan.toml and listing.parquet: as the run wrote them, and consistent with each other."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from embshift.core.errors import ShiftError
from embshift.core.types import FrozenRow
from embshift.measurement.plan.files import list_differences, load_plan, plan_from_content
from embshift.measurement.session.provenance import recorded_fingerprint
from embshift.measurement.session.resume import other_versions
from embshift.measurement.verify.verdict import Fault
from embshift.runs.listing import Listing
from embshift.runs.seal import BROKEN, check_seal
from embshift.runs.tables import open_tables

__all__ = ["check_counts", "check_listing", "check_plan", "check_record", "describe_record"]

_START_AGAIN = "it cannot be repaired: measure into another --out"


def check_record(info: Mapping[str, Any]) -> Iterator[Fault]:
    """Check the fingerprint of ``run.json`` against the plan, encoder, code and versions in it."""
    try:
        found = recorded_fingerprint(info)
    except (KeyError, TypeError, AttributeError) as error:
        text = f"run.json lacks {error}, or holds it in another form than a run writes; {_START_AGAIN}"
        yield Fault(kind="record broken", message=text)
        return
    if found != info.get("fingerprint"):
        text = (
            f"run.json states fingerprint {info.get('fingerprint')}, but its plan, encoder, code and versions"
            f" give {found}: it was changed after it was written; {_START_AGAIN}"
        )
        yield Fault(kind="record broken", message=text)


def check_plan(folder: Path, info: Mapping[str, Any]) -> Iterator[Fault]:
    """Check ``plan.toml`` against the plan in ``run.json``."""
    path = folder / "plan.toml"
    try:
        lines = list_differences(plan_from_content(info["plan"]), load_plan(path))
    except (KeyError, TypeError, ShiftError) as error:
        lines = [str(error)]
    if lines:
        text = f"plan.toml differs from the plan in run.json: {'; '.join(lines)}"
        yield Fault(kind="record broken", message=text, files=(path,))


def check_listing(folder: Path) -> tuple[Sequence[FrozenRow], list[Fault]]:
    """Return the frozen listing, empty where it cannot be read, and its faults."""
    path = folder / "listing.parquet"
    try:
        broken = check_seal(path) == BROKEN
        rows = () if broken else Listing(path)
        counted = all(row.record.row == at for at, row in enumerate(rows))
    except FileNotFoundError:
        return (), [_report_listing("is missing", path)]
    except (OSError, ValueError, KeyError, pa.ArrowException) as error:
        return (), [_report_listing(f"cannot be read ({error})", path)]
    if broken:
        return (), [
            _report_listing("has changed since it was written: its bytes do not match its seal", path)
        ]
    if not counted:
        return (), [_report_listing("does not number its rows from 0", path)]
    return rows, []


def _report_listing(what: str, path: Path) -> Fault:
    text = (
        f"listing.parquet {what}; the next run lists the sources again, and continues only if they hold the"
        " images of the committed chunks"
    )
    return Fault(kind="record broken", message=text, files=(path,))


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
        "views_kept": sum(1 for _ in (folder / "views").glob("*/*.png")),
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
