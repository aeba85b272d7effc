"""Verdict: the findings of a check of a run folder."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

__all__ = ["KINDS", "Fault", "Verdict"]

KINDS = {
    "place taken": "a link, a pipe or a folder stands where a run writes a file, or in place of a folder",
    "record broken": "run.json, match.json, plan.toml or listing.parquet is not what the run wrote",
    "chunk broken": "a committed chunk is incomplete, altered, or does not match the listing or the plan",
    "view broken": "a kept view is not the view that was measured",
    "explanation broken": "what embshift explain has stored is incomplete, altered, or of another run",
    "input changed": "an image has changed since it was measured",
    "encoder changed": "the encoder's weights or preprocessing are not those of the run",
}
"""Kinds of fault, in a few words each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One fault of a run folder.

    Attributes:
        kind: A key of `KINDS`.
        message: What, where, and why it matters.
        chunk: The chunk to measure again; None where that would not repair it.
        files: Files to remove beside the chunk's.
        recount: Whether finishing the run again repairs it.
        final: Whether nothing can be repaired beside it, since ``run.json`` itself cannot be trusted.
        apart: Whether the run itself is whole: what is dropped is made again by a command other than the run.
    """

    kind: str
    message: str
    chunk: int | None = None
    files: tuple[Path, ...] = ()
    recount: bool = False
    final: bool = False
    apart: bool = False

    @property
    def repairable(self) -> bool:
        """Whether the next run can make it again once it is dropped."""
        return self.chunk is not None or bool(self.files) or self.recount


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Whether a run folder is sound.

    Attributes:
        folder: The run folder.
        faults: The faults; empty for a sound run.
        notes: What is worth knowing and not a fault: missing images, a run not finished, …
        chunks: Number of chunks that were checked.
        images: Rows of the listing.
        views: Number of kept views that were checked.
        inputs: Number of images whose content was hashed again.
        sealed: Whether ``run.json`` holds a seal; that of an earlier version does not.
        dropped: Number of files that were removed so that the next run makes them again; None where no repair
            was asked for, or none was possible.
    """

    folder: Path
    faults: tuple[Fault, ...]
    notes: tuple[str, ...]
    chunks: int = 0
    images: int = 0
    views: int = 0
    inputs: int = 0
    sealed: bool = True
    dropped: int | None = None

    @property
    def sound(self) -> bool:
        """Whether no fault was found."""
        return not self.faults

    def __str__(self) -> str:
        lines = [f"{fault.kind}: {fault.message}" for fault in self.faults]
        lines += [f"note: {note}" for note in self.notes]
        checked = (
            f"checked {self.chunks:,} chunks of {self.images:,} images,"
            f" {self.views:,} kept views, {self.inputs:,} inputs"
        )
        return "\n".join([*lines, checked, self._outcome()])

    def _remedy(self) -> str:
        apart = all(fault.apart for fault in self.faults if fault.repairable)
        return "embshift explain" if apart else "embshift run"

    def _outcome(self) -> str:
        if self.sound:
            return "sound" if self.sealed else "sound, record unsealed"
        counted = ", ".join(_counted(self.faults))
        if self.dropped is not None:
            return f"not sound: {counted}; {self.dropped:,} files dropped; {self._remedy()} makes them again"
        advice = "; --repair drops what can be made again" if any(f.repairable for f in self.faults) else ""
        return f"not sound: {counted}{advice}"


def _counted(faults: Sequence[Fault]) -> Iterable[str]:
    for kind in KINDS:
        count = sum(fault.kind == kind for fault in faults)
        if count:
            yield f"{count:,} x {kind}"
