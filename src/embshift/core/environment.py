"""Variables that libraries read when they are imported."""

import os

__all__ = ["set_environment"]

_ENVIRONMENT = {
    # No library may contact a server on its own.
    "NO_ALBUMENTATIONS_UPDATE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    # Threads that spin while they wait take the cores from the workers: ten times slower on busy machines.
    "OMP_WAIT_POLICY": "PASSIVE",
    # Arrow's own pool keeps the memory that writing a chunk took, beside the encoder's batches: 5 % more.
    "ARROW_DEFAULT_MEMORY_POOL": "system",
}


def set_environment() -> None:
    """Set what libraries read when they are imported; the user's values stand."""
    for name, value in _ENVIRONMENT.items():
        os.environ.setdefault(name, value)
