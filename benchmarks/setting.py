"""Setting: what the stages work on, and how often."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["Setting"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Setting:
    """What a stage works on.

    Attributes:
        images: Paths of the images.
        encoder: Folder of a checkpoint.
        folder: Where a stage may write.
        repetitions: Number of repetitions of everything.
        few: Images in a repetition of a single stage.
        plain: Images in a repetition of the plain procedure.
        ours: Images in a repetition of a run as in the paper; they include those of the plain procedure.
        fast: Images in a repetition of a faster run; they include those of the plain procedure.
        memory: Images of the longer memory run.
        finished: Images of the finished run that is asked again, and of compared runs.
        explained: Images of the run that is explained.
        many: Images of the run whose statistics are made in parts.
        best: The encoder's best batch size by network and engine, filled in by the stages.
    """

    images: Sequence[Path]
    encoder: Path
    folder: Path
    repetitions: int
    few: int
    plain: int
    ours: int
    fast: int
    memory: int
    finished: int
    explained: int
    many: int
    best: dict[str, int] = field(default_factory=dict[str, int])

    def block(self, repetition: int, *, count: int) -> list[str]:
        """Return ``count`` paths; each repetition has different ones, as long as there are enough."""
        start = repetition * self.fast % max(1, len(self.images) - count + 1)
        return [str(path) for path in self.images[start : start + count]]

    def source(self, network: str) -> str:
        """Return the encoder that a run is given for a network of `ways`."""
        return "lite" if network == "lite" else str(self.encoder)
