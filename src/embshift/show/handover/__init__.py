"""Hand-over: a run's numbers, embeddings and images in the forms that other tools open. Never loads torch."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from embshift.core.registry import Registry
from embshift.show.handover.points import Points

__all__ = ["EXPORTERS", "ExporterEntry", "WriteFunction", "exporter"]

WriteFunction: TypeAlias = Callable[[Points, Path], tuple[str, ...]]
"""Takes the points and the path to write to; returns notes for the user."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExporterEntry:
    """An exporter, with the function that writes.

    Attributes:
        name: Name for ``--to``.
        summary: What is written, in one line.
        opened: How it is opened, with PATH for what was written.
        mark: The key of `embshift.runs.targets.MARKS` for an exporter that writes a file; empty for one that
            writes a folder.
        write: Takes ``(points, path)``; writes the file, or into the empty folder; returns notes.
    """

    name: str
    summary: str
    opened: str
    mark: str
    write: WriteFunction


EXPORTERS: Registry[ExporterEntry] = Registry(
    kind="exporter", packages=("embshift.show.handover.exporters",), group="embshift.exporters"
)


def exporter(
    *, name: str, summary: str, opened: str, mark: str = ""
) -> Callable[[WriteFunction], WriteFunction]:
    """Register an exporter; its file's name is not significant.

    Args:
        name: Name for ``--to``.
        summary: What is written, in one line.
        opened: How it is opened, with PATH for what was written.
        mark: As in `ExporterEntry`.
    """

    def register(write: WriteFunction) -> WriteFunction:
        EXPORTERS.add(name, ExporterEntry(name=name, summary=summary, opened=opened, mark=mark, write=write))
        return write

    return register
