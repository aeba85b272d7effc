"""Text that holds names from outside, made harmless for a terminal."""

import re
from collections.abc import Iterable, Iterator

from rich.console import Console, RenderableType
from rich.segment import Segment, Segments

__all__ = ["harmless", "print_harmless"]

_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")
"""Everything that moves a cursor, colours, or renames a window; line feeds and tabs stay."""


def harmless(text: str) -> str:
    """The text with U+FFFD in place of control characters, which a file's name may hold."""
    return _CONTROLS.sub("\ufffd", text)


def print_harmless(console: Console, shown: RenderableType) -> None:
    """Print what holds names from outside; colours stand apart from the text, and stay."""
    console.print(Segments(_harmless(console.render(shown))))


def _harmless(segments: Iterable[Segment]) -> Iterator[Segment]:
    for segment in segments:
        yield segment if segment.control else Segment(harmless(segment.text), segment.style)
