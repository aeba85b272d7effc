"""The tree of errors.

ShiftError
├── UsageError             the request cannot be carried out as written (exit 2)
│   ├── PlanError          a plan, preset or option is wrong
│   ├── UnknownNameError   a name is not registered; near names are suggested
│   ├── BudgetError        a budget or requirement is wrong, or matches nothing
│   ├── ResumeError        the run folder holds results of another plan, listing or encoder
│   └── MissingExtraError  an optional dependency is not installed
├── SourceError            a source holds no readable image (exit 3)
├── ImageError             one image cannot be used; it becomes a row with a status
├── TransformError         one transform failed on one image; it becomes a row with a status
├── EncoderError           an encoder cannot be opened, or its output is invalid
│   ├── WeightsError       weights are missing, altered, incomplete, or in a format that may run code
│   ├── OfflineError       an encoder must be downloaded, and the hub cannot be reached
│   ├── NoTextSideError    an encoder without a text tower cannot embed words
│   └── MissingTokenizerError  a checkpoint has no tokenizer that can be read
├── RunError               a run folder cannot be read
│   └── NoEmbeddingsError  it keeps no embeddings, which what was asked for needs
├── BaselineError          a baseline is missing, damaged, or cannot be compared with the run (exit 2)
├── FigureError            a run lacks the data of a figure (exit 2)
├── StoreError             a store of objects cannot be reached, or refuses (exit 4)
└── StorageError           results cannot be written (exit 4)

Every message says what came, what was expected, and what to do.
"""

from collections.abc import Iterable

__all__ = [
    "BaselineError",
    "BudgetError",
    "EncoderError",
    "FigureError",
    "ImageError",
    "MissingExtraError",
    "MissingTokenizerError",
    "NoEmbeddingsError",
    "NoTextSideError",
    "OfflineError",
    "PlanError",
    "ResumeError",
    "RunError",
    "ShiftError",
    "SourceError",
    "StorageError",
    "StoreError",
    "TransformError",
    "UnknownNameError",
    "UsageError",
    "WeightsError",
]

_CALLED = dict[str, str]()


class ShiftError(Exception):
    """Root of every error that embshift raises on purpose."""

    exit_code = 2

    def __str__(self) -> str:
        """Return the message; what was copied to this machine is called as the user calls it."""
        text = super().__str__()
        for folder, name in _CALLED.items():
            text = text.replace(folder, name)
        return text

    @staticmethod
    def call_instead(folder: str, name: str, /) -> None:
        """Have all messages call a folder by another name, from now on.

        Args:
            folder: Its path, which the user has not given.
            name: What the user calls it.
        """
        _CALLED[folder] = name


class UsageError(ShiftError):
    """The request cannot be carried out as written."""


class PlanError(UsageError):
    """A plan, a preset or an option is wrong."""


class BudgetError(UsageError):
    """A budget file or a requirement is wrong, or asks for what the run does not have."""


class ResumeError(UsageError):
    """The run folder already holds results of another plan, listing or encoder."""


class UnknownNameError(UsageError):
    """A name is not in its registry; near names are suggested."""

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        import difflib  # only now: it delays every start of the command

        known = sorted(known)
        begun = [other for other in known if name and other.startswith(name)]
        alike = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
        # Beside one that differs in a letter, those that share a few letters are no help.
        ratio = {other: difflib.SequenceMatcher(None, other, name).ratio() for other in alike}
        alike = [other for other in alike if ratio[other] >= ratio[alike[0]] - 0.3]
        near = list(dict.fromkeys(begun + alike))[:3]
        suggested = " or ".join(f"'{other}'" for other in near)
        hint = f"did you mean {suggested}?" if near else f"known: {', '.join(known) or 'none'}"
        super().__init__(f"unknown {kind} '{name}'; {hint}")
        self.near = tuple(near)


class MissingExtraError(UsageError):
    """An optional dependency is not installed.

    Args:
        package: The package that is missing.
        extra: The extra of embshift that brings it; None for a package that no extra brings.
    """

    def __init__(self, package: str, extra: str | None) -> None:
        wanted = package if extra is None else f"'embshift[{extra}]'"
        super().__init__(f"{package} is not installed; run: pip install {wanted}")


class SourceError(ShiftError):
    """A source holds no readable image."""

    exit_code = 3


class ImageError(ShiftError):
    """One image cannot be used.

    Attributes:
        status: The value of the column ``status`` in the image's row.
    """

    def __init__(self, message: str, *, status: str) -> None:
        super().__init__(message)
        self.status = status


class TransformError(ShiftError):
    """One transform failed on one image."""


class EncoderError(ShiftError):
    """An encoder cannot be opened, or its output is invalid."""


class WeightsError(EncoderError):
    """Weights are missing, altered, incomplete, or in a format that may run code."""


class OfflineError(EncoderError):
    """An encoder must be downloaded, and the hub cannot be reached."""


class NoTextSideError(EncoderError):
    """An encoder has no text tower, so that it cannot embed words."""


class MissingTokenizerError(EncoderError):
    """A checkpoint has a text tower, but no tokenizer that can be read."""


class RunError(ShiftError):
    """A run folder cannot be read."""


class NoEmbeddingsError(RunError):
    """A run was measured without keeping its embeddings."""


class BaselineError(ShiftError):
    """A baseline is missing or damaged, or cannot be compared with the run."""


class FigureError(ShiftError):
    """A run lacks the data of a figure."""


class StorageError(ShiftError):
    """Results cannot be written."""

    exit_code = 4


class StoreError(ShiftError):
    """A store of objects cannot be reached, or refuses."""

    exit_code = 4
