"""What a check of a run folder found."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

__all__ = ["KINDS", "Fault", "Verdict"]

KINDS = {
    "record broken": "run.json, plan.toml or listing.parquet is not what the run wrote",
    "chunk broken": "a committed chunk is incomplete, altered, or does not fit the listing or the plan",
    "view broken": "the picture of a view is not the view that was measured",
    "input changed": "a picture is not what it was when it was measured",
    "encoder changed": "the encoder's weights or preprocessing are not those of the run",
}
"""What can be wrong, in a few words each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One thing that is wrong.

    Attributes:
        kind: A key of `KINDS`.
        message: What, where, and why it matters.
        chunk: The chunk to make again; None where none would mend it.
        files: Files to remove beside the chunk's.
        recount: Whether finishing the run again mends it.
    """

    kind: str
    message: str
    chunk: int | None = None
    files: tuple[Path, ...] = ()
    recount: bool = False

    @property
    def repairable(self) -> bool:
        """Whether dropping it lets the next run make it again."""
        return self.chunk is not None or bool(self.files) or self.recount


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Whether a run folder is sound.

    Attributes:
        folder: The run folder.
        faults: What is wrong; empty for a sound run.
        notes: What is worth knowing and is no fault: pictures no longer there, a run not finished, …
        chunks: Chunks that were checked.
        images: Rows of the listing.
        views: Pictures of views that were checked.
        inputs: Pictures whose content was hashed again.
        dropped: Files that were removed so that the next run makes them again; None where no repair was asked
            for, or nothing could be mended by one.
    """

    folder: Path
    faults: tuple[Fault, ...]
    notes: tuple[str, ...]
    chunks: int = 0
    images: int = 0
    views: int = 0
    inputs: int = 0
    dropped: int | None = None

    @property
    def sound(self) -> bool:
        """Whether nothing was found to be wrong."""
        return not self.faults

    def __str__(self) -> str:
        lines = [f"{fault.kind}: {fault.message}" for fault in self.faults]
        lines += [f"note: {note}" for note in self.notes]
        checked = (
            f"checked {self.chunks:,} chunks of {self.images:,} pictures,"
            f" {self.views:,} kept views, {self.inputs:,} inputs"
        )
        return "\n".join([*lines, checked, self._outcome()])

    def _outcome(self) -> str:
        if self.sound:
            return "sound"
        counted = ", ".join(_counted(self.faults))
        if self.dropped is not None:
            return f"not sound: {counted}; {self.dropped:,} files dropped: embshift run makes them again"
        advice = "; --repair drops what can be made again" if any(f.repairable for f in self.faults) else ""
        return f"not sound: {counted}{advice}"


def _counted(faults: Sequence[Fault]) -> Iterable[str]:
    for kind in KINDS:
        count = sum(fault.kind == kind for fault in faults)
        if count:
            yield f"{count:,} x {kind}"
