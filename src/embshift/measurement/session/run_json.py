"""What ``run.json`` and ``plan.toml`` say of a run, from its start to its end."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pyarrow.compute as pc

from embshift.core.types import EncoderSpec
from embshift.measurement.plan.plan import Plan
from embshift.measurement.session.encoder_files import encoder_files
from embshift.measurement.session.provenance import (
    encoder_content,
    machine,
    metric_content,
    plan_content,
    strength_content,
    versions,
)
from embshift.metrics import METRICS
from embshift.runs.chunks import ParquetSink
from embshift.runs.schema import SCHEMA_VERSION
from embshift.runs.tables import RunTables
from embshift.transforms.build import describe

__all__ = ["counted", "repeatable", "started_record"]

_NAMED_FAILURES = 100


def started_record(
    plan: Plan, spec: EncoderSpec, sink: ParquetSink, *, before: Mapping[str, Any] | None
) -> dict[str, Any]:
    """``run.json`` while the run goes on."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    return {
        "schema": SCHEMA_VERSION,
        "state": "running",
        "started": now if before is None else before["started"],
        "finished": None,
        "fingerprint": sink.fingerprint,
        "plan": plan_content(plan),
        "strengths": strength_content(plan),
        "encoder": encoder_content(spec),
        "encoder_files": encoder_files(plan.encoder),
        "metrics": [metric_content(METRICS[name].spec) for name in plan.metrics],
        "versions": versions(),
        "machine": machine(),
        "counts": {} if before is None else before["counts"],
        "failures": [] if before is None else before["failures"],
        "sessions": [] if before is None else before["sessions"],
    }


def repeatable(plan: Plan, objects: Mapping[str, Any]) -> str:
    """A comment for ``plan.toml`` where no file can repeat the run."""
    lost = [f"transform {name}" for name, thing in objects.items() if describe(name, thing) is None]
    lost += ["pictures from memory"] * ("memory" in plan.sources)
    return f"# Not repeatable from this file: {', '.join(lost)} lived in Python alone.\n" if lost else ""


def counted(run: RunTables) -> tuple[dict[str, int], list[dict[str, Any]]]:
    """Counts of a run, and the first of its pictures that failed."""
    images, failed, named = 0, 0, list[dict[str, Any]]()
    for chunk in run.chunks("images", ["row", "member", "status", "error"]):
        lost = chunk.filter(pc.field("status") != "ok")
        images, failed = images + len(chunk), failed + len(lost)
        named += lost.slice(0, _NAMED_FAILURES - len(named)).to_pylist()
    views, views_failed = run.count_views()
    counts = {
        "images": images,
        "failed": failed,
        "repeated": len(run.repeated()),
        "views": views,
        "views_failed": views_failed,
        "undefined": run.count_undefined(),
    }
    return counts, named
