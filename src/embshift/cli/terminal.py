"""Text that holds names from outside, made harmless for a terminal."""

import re

__all__ = ["harmless"]

_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")
"""Everything that moves a cursor, colours, or renames a window; line feeds and tabs stay."""


def harmless(text: str) -> str:
    """The text with U+FFFD in place of control characters, which a file's name may hold."""
    return _CONTROLS.sub("\ufffd", text)
