"""What a source says of an image: its own name for it, a caption and a label."""

import re
from collections.abc import Mapping
from typing import Any, NamedTuple, cast

__all__ = [
    "CAPTION_COLUMNS",
    "ID_COLUMNS",
    "LABEL_COLUMNS",
    "NOTHING",
    "TEXT_BYTES",
    "Said",
    "choose_name",
    "read_said",
    "read_text",
]

ID_COLUMNS = ("source_id", "id", "uid", "key", "__key__")
CAPTION_COLUMNS = ("caption", "captions", "text", "sentence", "title")
LABEL_COLUMNS = ("label", "label_name", "class_name", "class", "category")
"""Names of columns and fields, in lower case; of several the first counts."""

TEXT_BYTES = 32_768
"""A text that takes more bytes in UTF-8 is no caption, label or name of an image."""

_SURROGATES = re.compile("[\ud800-\udfff]")


class Said(NamedTuple):
    """What a source says of an image; None where it says nothing.

    Attributes:
        source_id: Its own name for the image.
        caption: Its caption.
        label: Its label.
    """

    source_id: str | None = None
    caption: str | None = None
    label: str | None = None


NOTHING = Said()


def choose_name(names: Mapping[str, Any] | set[str], known: tuple[str, ...], /) -> str | None:
    """Return the first known name that is there; None if none is."""
    return next((name for name in known if name in names), None)


def read_said(values: Mapping[str, Any], /) -> Said:
    """Return what fields say, whose names are in lower case.

    Raises:
        ValueError: If a text is too long; the message names the field.
    """
    found = [choose_name(values, known) for known in (ID_COLUMNS, CAPTION_COLUMNS, LABEL_COLUMNS)]
    return Said(*(None if name is None else read_text(values[name], name=name) for name in found))


def read_text(value: Any, /, *, name: str = "text") -> str | None:
    """Return a value as one line of text, of several captions the first; None where there is none.

    Args:
        value: A text, a number, or a list that begins with one; anything else says nothing.
        name: What it is, for the message.

    Raises:
        ValueError: If it is too long.
    """
    if isinstance(value, (list, tuple)):
        value = next(iter(cast("list[Any]", value)), None)
    if isinstance(value, bool) or not isinstance(value, (str, int, float)) or value != value:
        return None
    text = " ".join(_SURROGATES.sub("\ufffd", str(value)).split())
    if len(text.encode()) > TEXT_BYTES:
        raise ValueError(f"{name} takes more than {TEXT_BYTES:,} bytes")
    return text or None
