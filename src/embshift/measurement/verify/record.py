"""run.json, plan.toml and listing.parquet: whether they are what the run wrote, and fit each other."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from embshift.core.errors import ShiftError
from embshift.measurement.plan.files import difference, load_plan, plan_from_content
from embshift.measurement.session.provenance import recorded_fingerprint
from embshift.measurement.session.resume import other_versions
from embshift.measurement.verify.verdict import Fault
from embshift.runs.listing import FrozenRow, Listing
from embshift.runs.seal import BROKEN, check_seal
from embshift.runs.tables import open_tables

__all__ = ["check_counts", "check_listing", "check_plan", "check_record", "notes_on_record"]

_START_AGAIN = "nothing can be made again from it: measure into another --out"


def check_record(info: Mapping[str, Any]) -> Iterator[Fault]:
    """The fingerprint of ``run.json`` against the plan, encoder, code and versions in it."""
    try:
        found = recorded_fingerprint(info)
    except (KeyError, TypeError, AttributeError) as error:
        text = f"run.json lacks {error} or holds it otherwise than a run does; {_START_AGAIN}"
        yield Fault(kind="record broken", message=text)
        return
    if found != info.get("fingerprint"):
        text = (
            f"run.json says fingerprint {info.get('fingerprint')}, and its plan, encoder, code and versions"
            f" make {found}: it has been changed since it was written; {_START_AGAIN}"
        )
        yield Fault(kind="record broken", message=text)


def check_plan(folder: Path, info: Mapping[str, Any]) -> Iterator[Fault]:
    """``plan.toml`` against the plan in ``run.json``."""
    path = folder / "plan.toml"
    try:
        lines = difference(plan_from_content(info["plan"]), load_plan(path))
    except (KeyError, TypeError, ShiftError) as error:
        lines = [str(error)]
    if lines:
        text = f"plan.toml does not say what was done: {'; '.join(lines)}"
        yield Fault(kind="record broken", message=text, files=(path,))


def check_listing(folder: Path) -> tuple[Sequence[FrozenRow], list[Fault]]:
    """The frozen listing, empty where it cannot be read, and what is wrong with it."""
    path = folder / "listing.parquet"
    try:
        broken = check_seal(path) == BROKEN
        rows = () if broken else Listing(path)
        counted = all(row.record.row == at for at, row in enumerate(rows))
    except FileNotFoundError:
        return (), [_listing_fault("is not there", path)]
    except (OSError, ValueError, KeyError, pa.ArrowException) as error:
        return (), [_listing_fault(f"cannot be read ({error})", path)]
    if broken:
        return (), [_listing_fault("is not as it was written: its bytes do not fit its seal", path)]
    if not counted:
        return (), [_listing_fault("does not count its rows from 0", path)]
    return rows, []


def _listing_fault(what: str, path: Path) -> Fault:
    text = (
        f"listing.parquet {what}; the next run lists the sources again, and goes on only where they hold"
        " the pictures of the committed chunks"
    )
    return Fault(kind="record broken", message=text, files=(path,))


def check_counts(folder: Path, info: Mapping[str, Any]) -> Iterator[Fault]:
    """The counts of a finished run against its tables."""
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
            text = f"run.json counts {said.get(name)} {name}, and the folder holds {count}"
            yield Fault(kind="record broken", message=text, recount=True)


def notes_on_record(info: Mapping[str, Any], *, rows: Sequence[FrozenRow], missing: int) -> Iterator[str]:
    """What a reader of the run should know, and what would hinder its continuation."""
    if info.get("state") != "finished":
        left = f"; {missing:,} of {len(rows):,} pictures are still to be measured" if rows else ""
        yield f"the run is not finished{left}"
    yield from (f"version of {line}" for line in other_versions(info.get("versions", {})))
