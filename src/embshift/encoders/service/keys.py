"""The key of a service: held, put into requests, and removed from every text that leaves the process."""

import base64
import json
import os
from typing import final
from urllib.parse import quote

from embshift.core.errors import EncoderError

__all__ = ["Key", "read_key"]

_SHOWN = 8  # fewest characters of a key that are removed where only a part of it is echoed


@final
class Key:
    """A key that no representation shows.

    Args:
        value: The key; empty for a service without one.
    """

    def __init__(self, value: str) -> None:
        self._value = value
        encoded = base64.b64encode(value.encode()).decode()
        self._forms = [value, quote(value, safe=""), json.dumps(value)[1:-1], encoded] if value else []

    def __bool__(self) -> bool:
        return bool(self._value)

    def __repr__(self) -> str:
        return "Key(hidden)"

    def fill(self, text: str, /) -> str:
        """Return a text with the key in place of "{key}"; for a request alone."""
        return text.replace("{key}", self._value)

    def fill_json(self, text: str, /) -> str:
        """Return JSON with the key in place of "{key}" in its strings; for a request alone."""
        return text.replace("{key}", json.dumps(self._value)[1:-1]) if self._value else text

    def stands_in(self, text: str, /) -> bool:
        """Return whether a text holds the key, or a usual encoding of it; no key of under 8 characters."""
        return len(self._value) >= _SHOWN and any(form in text for form in self._forms)

    def scrub(self, text: str, /) -> str:
        """Return a text with "***" in place of the key, of its usual encodings, and of long parts of them."""
        if not self._value:
            return text
        kept, at = list[str](), 0
        while at < len(text):
            length = self._match(text, at)
            kept.append("***" if length else text[at])
            at += length or 1
        return "".join(kept)

    def _match(self, text: str, at: int) -> int:
        """Return the length of the longest part of the key that starts here; 0 if it is short."""
        least = min(_SHOWN, len(self._value))
        length = 0
        for form in self._forms:
            size = least
            while at + size <= len(text) and text[at : at + size] in form:
                length, size = max(length, size), size + 1
        return length


def read_key(variable: str, /) -> Key:
    """Return the key that an environment variable holds; an empty one where no variable is named.

    Raises:
        EncoderError: If the variable is not set, or holds what no header may.
    """
    if not variable:
        return Key("")
    value = os.environ.get(variable, "").strip()
    # In other letters it may be the key itself that was given as the name.
    shown = (
        f"variable {variable}, named as key_variable," if variable.isupper() else "variable of key_variable"
    )
    if not value:
        raise EncoderError(
            f"the environment {shown} is not set or is empty; set it to the key of the service"
        )
    if not value.isascii() or not value.isprintable():
        raise EncoderError(
            f"the environment {shown} holds a character that no key has, such as a line break;"
            " set it to the key alone"
        )
    return Key(value)
