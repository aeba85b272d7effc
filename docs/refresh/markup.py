"""Markdown: tables, cells and code."""

import re
from collections.abc import Iterable, Sequence

__all__ = ["cell", "code", "codes", "escape", "number", "sentence", "table"]


def table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(cell(value) for value in line)} |" for line in lines) + "\n"


def cell(value: object) -> str:
    return escape(str(value)).replace("|", "\\|").replace("\n", " ")


def escape(text: str) -> str:
    """Escape "<" outside code, where "<time>" would be read as HTML and vanish."""
    return re.sub(r"(`+)[^`]*\1|<", lambda found: "&lt;" if found[0] == "<" else found[0], text)


def code(value: object) -> str:
    return f"`{value}`"


def codes(values: Iterable[object]) -> str:
    return ", ".join(code(value) for value in values)


def number(value: float) -> str:
    return f"{value:g}".replace("inf", "∞").replace("-", "−")


def sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:].rstrip('.')}."
