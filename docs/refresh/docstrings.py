"""Google-style docstrings as Markdown."""

import inspect
import re
from typing import Any

from docs.refresh.markup import escape

__all__ = ["attributes", "example", "sections", "to_markdown"]

SECTIONS = ("Args:", "Returns:", "Raises:", "Example:", "References:", "Yields:", "Attributes:")


def sections(thing: Any) -> dict[str, str]:
    """Return a docstring's text ("body") and its sections, each without its indentation."""
    found: dict[str, list[str]] = {"body": []}
    current = "body"
    for line in (inspect.getdoc(thing) or "").splitlines():
        if line in SECTIONS:
            current = line
            found[current] = []
        else:
            found[current].append(line)
    return {name: inspect.cleandoc("\n".join(lines)) for name, lines in found.items()}


def attributes(thing: Any) -> dict[str, str]:
    """Return the entries of the section "Attributes" by name, each on one line."""
    return {name: " ".join(text.split()) for name, text in entries(sections(thing)["Attributes:"])}


def entries(text: str) -> list[tuple[str, str]]:
    """Split a section into its names and their texts; continued lines lose their indentation."""
    found: list[tuple[str, str]] = []
    for line in text.splitlines():
        if begun := re.match(r"([*\w]+): (.*)", line):
            found.append((begun[1], begun[2]))
        elif found:
            name, before = found[-1]
            found[-1] = (name, f"{before}\n{line.removeprefix('    ')}")
    return found


def to_markdown(thing: Any) -> str:
    """Return a whole docstring as Markdown."""
    parts: list[str] = []
    for name, text in sections(thing).items():
        title = name.removesuffix(":")
        if name in ("Args:", "Raises:", "Attributes:"):
            parts.append(f"**{title}**\n\n{listed(text)}")
        elif name == "Example:":
            parts.append(f"**{title}**\n\n{example(text)}")
        elif name == "body":
            parts.append(escape(text))
        else:
            parts.append(f"**{title}.** {escape(text)}")
    return "\n\n".join(part for part in parts if part) + "\n"


def listed(text: str) -> str:
    return "\n".join(f"- `{name}`: {indented(escape(words.rstrip()))}" for name, words in entries(text))


def indented(text: str) -> str:
    return "\n".join(f"  {line}" if line else "" for line in text.splitlines()).strip()


def example(text: str) -> str:
    return "```pycon\n" + re.sub(r"  # doctest: .*", "", text) + "\n```"
