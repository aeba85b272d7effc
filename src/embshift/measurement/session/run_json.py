"""Content of ``run.json`` and ``plan.toml``, from the start of a run to its end."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pyarrow.compute as pc

from embshift.core.addresses import INGESTED
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

__all__ = ["count_run", "describe_unrepeatable", "start_record"]

_NAMED_FAILURES = 100


def start_record(
    plan: Plan, spec: EncoderSpec, sink: ParquetSink, *, before: Mapping[str, Any] | None
) -> dict[str, Any]:
    """Return the content of ``run.json`` while the run goes on.

    Args:
        plan: The plan.
        spec: The encoder's.
        sink: Where chunks are committed.
        before: The content of ``run.json`` of a run that is continued; None for a new one.
    """
    now = datetime.now(UTC).isoformat(timespec="seconds")
    return {
        # Chunks that an earlier version committed stay as they are.
        "schema": SCHEMA_VERSION if before is None else before.get("schema", 1),
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


def describe_unrepeatable(plan: Plan, objects: Mapping[str, Any], *, encoder: Any) -> str:
    """Return a comment for ``plan.toml`` that names what the file cannot repeat; empty where nothing."""
    lost = [f"transform {name}" for name, thing in objects.items() if describe(name, thing) is None]
    lost += [f"encoder {plan.encoder}"] * (encoder is not None)
    lost += ["images from memory"] * ("memory" in plan.sources)
    if plan.encoder.startswith(INGESTED):
        return "# The embeddings were computed elsewhere: only embshift ingest repeats this run.\n"
    return f"# Not repeatable from this file: {', '.join(lost)} existed in Python alone.\n" if lost else ""


def count_run(run: RunTables) -> tuple[dict[str, int], list[dict[str, Any]]]:
    """Return the counts of a run, and the first of its images that failed."""
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
