"""One tree of errors.

ShiftError
├── UsageError             what was asked cannot be done as written (exit 2)
│   ├── PlanError          a plan, preset or option is wrong
│   ├── UnknownNameError   a name is not in its registry; the nearest are offered
│   ├── ResumeError        another plan, listing or encoder is already in the run folder
│   └── MissingExtraError  an optional dependency is not installed
├── SourceError            nothing readable was found at a source (exit 3)
├── ImageError             one picture cannot be used; becomes a row with a status
├── TransformError         one transform failed on one picture; becomes a row with a status
├── EncoderError           an encoder cannot be opened, or gave what it must not
│   ├── WeightsError       weights are missing, altered, incomplete or in a format that may run code
│   └── OfflineError       an encoder must be downloaded and the hub does not answer
├── RunError               a run folder cannot be read
├── FigureError            a run lacks what a figure is drawn from (exit 2)
└── StorageError           results cannot be written (exit 4)

Every message says what came, what was wanted, and what to do.
"""

import difflib
from collections.abc import Iterable

__all__ = [
    "EncoderError",
    "FigureError",
    "ImageError",
    "MissingExtraError",
    "OfflineError",
    "PlanError",
    "ResumeError",
    "RunError",
    "ShiftError",
    "SourceError",
    "StorageError",
    "TransformError",
    "UnknownNameError",
    "UsageError",
    "WeightsError",
]


class ShiftError(Exception):
    """Root of every error that embshift raises on purpose."""

    exit_code = 2


class UsageError(ShiftError):
    """What was asked cannot be done as written."""


class PlanError(UsageError):
    """A plan, a preset or an option is wrong."""


class ResumeError(UsageError):
    """The run folder already holds the results of something else."""


class UnknownNameError(UsageError):
    """A name that is not in its registry."""

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        known = sorted(known)
        begun = [other for other in known if name and other.startswith(name)]
        alike = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
        near = list(dict.fromkeys(begun + alike))[:3]
        hint = f"did you mean {' or '.join(near)}?" if near else f"known: {', '.join(known) or 'none'}"
        super().__init__(f"unknown {kind} '{name}'; {hint}")
        self.near = tuple(near)


class MissingExtraError(UsageError):
    """An optional dependency is not installed."""

    def __init__(self, package: str, extra: str) -> None:
        super().__init__(f"{package} is not installed; run: pip install 'embshift[{extra}]'")


class SourceError(ShiftError):
    """Nothing readable was found at a source."""

    exit_code = 3


class ImageError(ShiftError):
    """One picture cannot be used.

    Attributes:
        status: The value of the column ``status`` of its row.
    """

    def __init__(self, message: str, *, status: str) -> None:
        super().__init__(message)
        self.status = status


class TransformError(ShiftError):
    """One transform failed on one picture."""


class EncoderError(ShiftError):
    """An encoder cannot be opened, or gave what it must not."""


class WeightsError(EncoderError):
    """Weights are missing, altered, incomplete or in a format that may run code."""


class OfflineError(EncoderError):
    """An encoder must be downloaded and the hub does not answer."""


class RunError(ShiftError):
    """A run folder cannot be read."""


class FigureError(ShiftError):
    """A run lacks what a figure is drawn from."""


class StorageError(ShiftError):
    """Results cannot be written."""

    exit_code = 4
