"""What the stages work on, and how often."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["Setting"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Setting:
    """What a stage works on.

    Attributes:
        pictures: The pictures.
        encoder: A checkpoint's folder.
        folder: Where a stage may write.
        repetitions: How often everything is done.
        few: Pictures of a repetition of a stage alone.
        plain: Pictures of a repetition of the plain procedure.
        ours: Pictures of a repetition of a run as in the paper; among them are those of the plain procedure.
        fast: Pictures of a repetition of a faster run, likewise.
        memory: Pictures of the longer memory run.
        finished: Pictures of the finished run that is asked again.
        best: The encoder's best batch by network and engine, as stages find it.
    """

    pictures: Sequence[Path]
    encoder: Path
    folder: Path
    repetitions: int
    few: int
    plain: int
    ours: int
    fast: int
    memory: int
    finished: int
    best: dict[str, int] = field(default_factory=dict[str, int])

    def block(self, repetition: int, *, count: int) -> list[str]:
        """Paths of so many pictures; other ones in each repetition, as long as there are enough."""
        start = repetition * self.fast % max(1, len(self.pictures) - count + 1)
        return [str(path) for path in self.pictures[start : start + count]]

    def source(self, network: str) -> str:
        """What a run takes for a network of `ways`."""
        return "lite" if network == "lite" else str(self.encoder)
