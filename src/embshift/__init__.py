"""Measure and explain how image embeddings move when an image is changed.

Public names are resolved on first use, so that importing the package is light.
"""

import importlib
from typing import TYPE_CHECKING, Any

from embshift.core.version import __version__

if TYPE_CHECKING:
    from embshift.analysis.gate.check import check
    from embshift.core.errors import ShiftError
    from embshift.measurement.api import measure
    from embshift.measurement.dataset import ImageTransformDataset
    from embshift.measurement.exchange.ingest import ingest
    from embshift.measurement.exchange.writing import write_views
    from embshift.measurement.plan.plan import Plan
    from embshift.measurement.verify import verify_run
    from embshift.show.compare import compare
    from embshift.show.handover.card import write_card
    from embshift.show.handover.export import export
    from embshift.show.handover.trackers import log_to_mlflow, log_to_trackio, log_to_wandb
    from embshift.show.run import Run, open_run

__all__ = [
    "ImageTransformDataset",
    "Plan",
    "Run",
    "ShiftError",
    "__version__",
    "check",
    "compare",
    "export",
    "ingest",
    "log_to_mlflow",
    "log_to_trackio",
    "log_to_wandb",
    "measure",
    "open_run",
    "verify_run",
    "write_card",
    "write_views",
]

_HOMES = {
    "ImageTransformDataset": "embshift.measurement.dataset",
    "Plan": "embshift.measurement.plan.plan",
    "Run": "embshift.show.run",
    "ShiftError": "embshift.core.errors",
    "check": "embshift.analysis.gate.check",
    "compare": "embshift.show.compare",
    "export": "embshift.show.handover.export",
    "ingest": "embshift.measurement.exchange.ingest",
    "log_to_mlflow": "embshift.show.handover.trackers",
    "log_to_trackio": "embshift.show.handover.trackers",
    "log_to_wandb": "embshift.show.handover.trackers",
    "measure": "embshift.measurement.api",
    "open_run": "embshift.show.run",
    "verify_run": "embshift.measurement.verify",
    "write_card": "embshift.show.handover.card",
    "write_views": "embshift.measurement.exchange.writing",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'embshift' has no attribute '{name}'")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
