"""Measure and explain how image embeddings move when an image is changed.

Public names are resolved on first use, so that importing the package is light.
"""

import importlib
from typing import TYPE_CHECKING, Any

from embshift.core.version import __version__

if TYPE_CHECKING:
    from embshift.core.errors import ShiftError
    from embshift.measurement.api import measure
    from embshift.measurement.dataset import ImageTransformDataset
    from embshift.measurement.exchange.ingest import ingest
    from embshift.measurement.exchange.writing import write_views
    from embshift.measurement.plan.plan import Plan
    from embshift.measurement.verify import verify_run
    from embshift.show.run import Run, open_run

__all__ = [
    "ImageTransformDataset",
    "Plan",
    "Run",
    "ShiftError",
    "__version__",
    "ingest",
    "measure",
    "open_run",
    "verify_run",
    "write_views",
]

_HOMES = {
    "ImageTransformDataset": "embshift.measurement.dataset",
    "Plan": "embshift.measurement.plan.plan",
    "Run": "embshift.show.run",
    "ShiftError": "embshift.core.errors",
    "ingest": "embshift.measurement.exchange.ingest",
    "measure": "embshift.measurement.api",
    "open_run": "embshift.show.run",
    "verify_run": "embshift.measurement.verify",
    "write_views": "embshift.measurement.exchange.writing",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'embshift' has no attribute '{name}'")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
